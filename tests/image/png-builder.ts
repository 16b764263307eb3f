import { crc32, deflateSync } from 'node:zlib';

/** A PNG chunk with its checksum. */
export function chunk(type: string, body: Uint8Array): Uint8Array {
  const out = Buffer.alloc(12 + body.length);
  out.writeUInt32BE(body.length, 0);
  out.write(type, 4, 'latin1');
  out.set(body, 8);
  out.writeUInt32BE(crc32(out.subarray(4, 8 + body.length)), 8 + body.length);
  return out;
}

export const SIGNATURE = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);

export function header(
  width: number,
  height: number,
  depth: number,
  colourType: number,
  interlace = 0,
): Uint8Array {
  const body = Buffer.alloc(13);
  body.writeUInt32BE(width, 0);
  body.writeUInt32BE(height, 4);
  body.set([depth, colourType, 0, 0, interlace], 8);
  return chunk('IHDR', body);
}

/** A whole file: header, further chunks, one IDAT of `lines` (filter bytes included), IEND. */
export const buildPng = (
  ihdr: Uint8Array,
  lines: Uint8Array,
  ...between: readonly Uint8Array[]
): Uint8Array =>
  Buffer.concat([
    SIGNATURE,
    ihdr,
    ...between,
    chunk('IDAT', deflateSync(lines)),
    chunk('IEND', new Uint8Array(0)),
  ]);

/** Rows with filter 0 before each. */
export function unfiltered(rows: Uint8Array, rowBytes: number): Uint8Array {
  const count = rows.length / rowBytes;
  const out = new Uint8Array(count * (1 + rowBytes));
  for (let y = 0; y < count; y++)
    out.set(rows.subarray(y * rowBytes, (y + 1) * rowBytes), y * (1 + rowBytes) + 1);
  return out;
}
