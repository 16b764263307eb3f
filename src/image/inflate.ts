import { Unzlib } from 'fflate';

/** The most that a byte of deflate can stand for: 258 bytes from two bits. */
export const DEFLATE_EXPANSION = 1032;

const PIECE = 65536;

/**
 * Unpacks a zlib stream into at most `limit` bytes; what the stream holds beyond is not unpacked, so that a small file
 * can't fill the memory. The result is shorter where the stream is.
 * @throws Error when the stream is broken or ends early
 */
export function inflate(packed: Uint8Array, limit: number): Uint8Array {
  // A stream too short for `limit` bytes must not make us allocate them.
  const out = new Uint8Array(Math.min(limit, packed.length * DEFLATE_EXPANSION));
  let length = 0;
  const stream = new Unzlib((piece) => {
    out.set(piece.subarray(0, out.length - length), length);
    length = Math.min(length + piece.length, out.length);
  });
  for (let at = 0; at < packed.length && (length < limit || at === 0); at += PIECE)
    stream.push(packed.subarray(at, at + PIECE), at + PIECE >= packed.length);
  return out.subarray(0, length);
}
