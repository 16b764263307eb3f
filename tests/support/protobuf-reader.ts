/** An independent reader of protocol buffers, as far as an ONNX model uses them. */

interface Field {
  readonly field: number;
  readonly value: bigint | Uint8Array;
}

/** All records of a message in their order: varints as unsigned 64 bits, everything else as bytes. */
function* fieldsOf(bytes: Uint8Array): Generator<Field> {
  let at = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      if (at >= bytes.length || shift > 63n) throw new Error(`no varint ends at byte ${at}`);
      const byte = bytes[at++];
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  const take = (count: number): Uint8Array => {
    if (at + count > bytes.length)
      throw new Error(`${count} bytes from ${at}, the message has ${bytes.length}`);
    return bytes.subarray(at, (at += count));
  };
  while (at < bytes.length) {
    const key = Number(varint());
    const [field, wire] = [key >> 3, key & 7];
    if (wire === 0) yield { field, value: varint() };
    else if (wire === 2) yield { field, value: take(Number(varint())) };
    else if (wire === 5) yield { field, value: take(4) };
    else throw new Error(`wire type ${wire} of field ${field}`);
  }
}

/** A message by field number. */
export class Message {
  readonly #fields: readonly Field[];

  constructor(bytes: Uint8Array) {
    this.#fields = [...fieldsOf(bytes)];
  }

  /** Field numbers in use, ascending. */
  get used(): number[] {
    return [...new Set(this.#fields.map(({ field }) => field))].sort((a, b) => a - b);
  }
  bytes(field: number): Uint8Array[] {
    return this.#fields.filter((f) => f.field === field).map(({ value }) => value as Uint8Array);
  }
  messages(field: number): Message[] {
    return this.bytes(field).map((bytes) => new Message(bytes));
  }
  texts(field: number): string[] {
    return this.bytes(field).map((bytes) => new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  }
  /** Signed 64-bit integers. */
  integers(field: number): number[] {
    return this.#fields
      .filter((f) => f.field === field)
      .map(({ value }) => Number(BigInt.asIntN(64, value as bigint)));
  }
}
