import { AppError, assert } from '../base/errors';
import { bfloatsToFloats, floatsToHalves, halvesToFloats } from '../base/float16';
import { bytesOf, floatTensor, formatShape, intTensor, sizeOf } from '../base/tensor';
import type { Shape, TensorData } from '../base/tensor';
import type { ByteSource } from './byte-source';

/** Element types of the format that a reader here accepts. */
export type StoredType = 'F32' | 'F16' | 'BF16' | 'F64' | 'I32' | 'I64' | 'U8';

const STORED_BYTES: Readonly<Record<StoredType, number>> = {
  F32: 4,
  F16: 2,
  BF16: 2,
  F64: 8,
  I32: 4,
  I64: 8,
  U8: 1,
};

/** The header may not be larger than this; the format's own reference reader sets the same bound. */
const MAX_HEADER_BYTES = 100_000_000;

export interface StoredTensor {
  readonly dtype: StoredType;
  readonly shape: Shape;
  /** Byte range in the file. */
  readonly start: number;
  readonly end: number;
}

/**
 * A `.safetensors` file, read by ranges: opening reads the header alone, `read` one tensor's bytes.
 * @source huggingface/safetensors, format: u64 little-endian header length, JSON header, raw little-endian data
 */
export class Safetensors {
  private constructor(
    readonly tensors: ReadonlyMap<string, StoredTensor>,
    readonly metadata: Readonly<Record<string, string>>,
    private readonly source: ByteSource,
  ) {}

  /**
   * Reads and checks the header: sizes against shapes, ranges against the file, no overlap.
   * @throws model/format when it isn't a safetensors file, model/truncated when the data ends early
   */
  static async open(source: ByteSource): Promise<Safetensors> {
    const notThis = (fact: string) =>
      new AppError('model/format', `not a safetensors file: ${fact}`, {
        hint: 'Choose the .safetensors file that timm, torchvision, open_clip or Hugging Face publish.',
      });
    if (source.size < 8) throw notThis(`${source.size} bytes, a header needs 8`);
    const head = new DataView(await source.slice(0, 8).arrayBuffer());
    const headerBytes = Number(head.getBigUint64(0, true));
    if (headerBytes < 2 || headerBytes > MAX_HEADER_BYTES)
      throw notThis(`a header of ${headerBytes} bytes is announced`);
    const dataStart = 8 + headerBytes;
    if (dataStart > source.size)
      throw new AppError(
        'model/truncated',
        `the header alone needs ${dataStart} bytes, the file has ${source.size}`,
        { hint: 'The file is cut off; copy or download it again.' },
      );
    const header = parseHeader(await source.slice(8, dataStart).arrayBuffer(), notThis);
    const { __metadata__: metadata = {}, ...entries } = header;
    const tensors = new Map<string, StoredTensor>();
    for (const [name, entry] of Object.entries(entries))
      tensors.set(name, checkEntry(name, entry, dataStart, source.size, notThis));
    checkOverlap(tensors, notThis);
    return new Safetensors(tensors, metadata as Record<string, string>, source);
  }

  /**
   * One tensor as plain data: floating types become float32, I64 becomes int32.
   * @throws model/keys when there is no tensor of that name, model/format for an I64 value beyond int32
   */
  async read(name: string): Promise<TensorData> {
    const stored = this.#stored(name);
    return decode(name, stored, await this.source.slice(stored.start, stored.end).arrayBuffer());
  }

  /**
   * Rows of a tensor's first axis in the order asked for, each by a range of its own: of a large table a few cost little.
   * @returns [rows,…]
   * @throws model/keys as `read`, internal for a row that isn't there
   */
  async readRows(name: string, rows: readonly number[]): Promise<TensorData> {
    const stored = this.#stored(name);
    const [count, ...row] = stored.shape;
    const bytes = (stored.end - stored.start) / count;
    const joined = new Uint8Array(rows.length * bytes);
    await Promise.all(
      rows.map(async (index, i) => {
        assert(index >= 0 && index < count, `"${name}" has ${count} rows and no row ${index}`);
        const start = stored.start + index * bytes;
        joined.set(new Uint8Array(await this.source.slice(start, start + bytes).arrayBuffer()), i * bytes);
      }),
    );
    return decode(name, { ...stored, shape: [rows.length, ...row] }, joined.buffer);
  }

  #stored(name: string): StoredTensor {
    const stored = this.tensors.get(name);
    if (!stored) throw new AppError('model/keys', `there is no tensor "${name}" in this file`);
    return stored;
  }
}

function parseHeader(buffer: ArrayBuffer, notThis: (fact: string) => AppError): Record<string, unknown> {
  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(buffer));
  } catch {
    throw notThis('the header is not JSON');
  }
  if (typeof header !== 'object' || header === null || Array.isArray(header))
    throw notThis('the header is not a JSON object');
  return header as Record<string, unknown>;
}

function checkEntry(
  name: string,
  entry: unknown,
  dataStart: number,
  fileSize: number,
  notThis: (fact: string) => AppError,
): StoredTensor {
  const { dtype, shape, data_offsets: offsets } = (entry ?? {}) as Record<string, unknown>;
  const isCount = (value: unknown) => Number.isSafeInteger(value) && (value as number) >= 0;
  if (!Array.isArray(shape) || !shape.every(isCount) || !Array.isArray(offsets) || offsets.length !== 2)
    throw notThis(`tensor "${name}" has no shape or no offsets`);
  if (!(typeof dtype === 'string' && Object.hasOwn(STORED_BYTES, dtype)))
    throw notThis(`tensor "${name}" has element type ${String(dtype)}, which is not supported`);
  const [from, to] = offsets as [number, number];
  if (!isCount(from) || !isCount(to) || to < from)
    throw notThis(`tensor "${name}" has offsets ${String(from)} to ${String(to)}`);
  const bytes = sizeOf(shape as number[]) * STORED_BYTES[dtype as StoredType];
  if (to - from !== bytes)
    throw notThis(
      `tensor "${name}" of shape ${formatShape(shape as number[])} needs ${bytes} bytes, its range has ${to - from}`,
    );
  if (dataStart + to > fileSize)
    throw new AppError(
      'model/truncated',
      `tensor "${name}" ends at byte ${dataStart + to}, the file at ${fileSize}`,
      { hint: 'The file is cut off; copy or download it again.' },
    );
  return {
    dtype: dtype as StoredType,
    shape: shape as number[],
    start: dataStart + from,
    end: dataStart + to,
  };
}

function checkOverlap(tensors: ReadonlyMap<string, StoredTensor>, notThis: (fact: string) => AppError): void {
  const sorted = [...tensors].sort(([, a], [, b]) => a.start - b.start || a.end - b.end);
  for (let i = 1; i < sorted.length; i++)
    if (sorted[i][1].start < sorted[i - 1][1].end)
      throw notThis(`tensors "${sorted[i - 1][0]}" and "${sorted[i][0]}" overlap`);
}

function decode(name: string, { dtype, shape }: StoredTensor, buffer: ArrayBuffer): TensorData {
  switch (dtype) {
    case 'F32':
      return floatTensor(shape, new Float32Array(buffer));
    case 'F16':
      return floatTensor(shape, halvesToFloats(new Uint16Array(buffer)));
    case 'BF16':
      return floatTensor(shape, bfloatsToFloats(new Uint16Array(buffer)));
    case 'F64':
      return floatTensor(shape, Float32Array.from(new Float64Array(buffer)));
    case 'I32':
      return intTensor(shape, new Int32Array(buffer));
    case 'U8':
      return { dtype: 'uint8', shape, data: new Uint8Array(buffer) };
    case 'I64':
      return intTensor(
        shape,
        Int32Array.from(new BigInt64Array(buffer), (value) => {
          const small = Number(value);
          if (small !== (small | 0))
            throw new AppError('model/format', `tensor "${name}" holds ${value}, beyond 32 bits`);
          return small;
        }),
      );
  }
}

/**
 * Writes tensors as a `.safetensors` file; names in the order given, data aligned to 8 bytes.
 * @param half store float32 tensors as F16: all, or those of some names
 */
export function encodeSafetensors(
  tensors: Readonly<Record<string, TensorData>>,
  options: { half?: boolean | ((name: string) => boolean); metadata?: Readonly<Record<string, string>> } = {},
): Uint8Array {
  const { half = false } = options;
  const header: Record<string, unknown> = options.metadata ? { __metadata__: options.metadata } : {};
  const parts: Uint8Array[] = [];
  let offset = 0;
  for (const [name, tensor] of Object.entries(tensors)) {
    const { dtype, bytes } = encodeTensor(name, tensor, typeof half === 'boolean' ? half : half(name));
    header[name] = { dtype, shape: tensor.shape, data_offsets: [offset, offset + bytes.byteLength] };
    parts.push(bytes);
    offset += bytes.byteLength;
  }
  let json = JSON.stringify(header);
  json += ' '.repeat((8 - (new TextEncoder().encode(json).byteLength % 8)) % 8);
  const headerBytes = new TextEncoder().encode(json);
  const out = new Uint8Array(8 + headerBytes.byteLength + offset);
  new DataView(out.buffer).setBigUint64(0, BigInt(headerBytes.byteLength), true);
  out.set(headerBytes, 8);
  let at = 8 + headerBytes.byteLength;
  for (const part of parts) {
    out.set(part, at);
    at += part.byteLength;
  }
  return out;
}

function encodeTensor(
  name: string,
  { dtype, data }: TensorData,
  half: boolean,
): { dtype: StoredType; bytes: Uint8Array } {
  if (data instanceof Float32Array)
    return half
      ? { dtype: 'F16', bytes: bytesOf(floatsToHalves(data)) }
      : { dtype: 'F32', bytes: bytesOf(data) };
  if (dtype === 'int32') return { dtype: 'I32', bytes: bytesOf(data) };
  if (dtype === 'uint8') return { dtype: 'U8', bytes: bytesOf(data) };
  throw new AppError('internal', `tensor "${name}" of type ${dtype} can't be stored as safetensors`);
}
