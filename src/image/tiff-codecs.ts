/**
 * The compressions of TIFF segments. Each unpacks at most `limit` bytes and returns fewer where the data ends early, so
 * that the caller can tell a whole segment from a cut one and no input makes them run or grow without bound.
 */

/** The most bytes that a packed byte can stand for: a run of 128 is two bytes. */
export const PACKBITS_EXPANSION = 64;
/** 8 of 9 to 12 bits per code, and a string gains at most one byte per code: 4,096 bytes from 12 bits. */
export const LZW_EXPANSION = 2731;

/** @source TIFF 6.0, section 9 */
export function unpackBytes(packed: Uint8Array, limit: number): Uint8Array {
  const out = new Uint8Array(limit);
  let length = 0;
  for (let at = 0; at < packed.length && length < limit;) {
    const head = packed[at++];
    if (head < 128) {
      const run = Math.min(head + 1, packed.length - at, limit - length);
      out.set(packed.subarray(at, at + run), length);
      at += head + 1;
      length += run;
    } else if (head > 128 && at < packed.length) {
      const run = Math.min(257 - head, limit - length);
      out.fill(packed[at++], length, length + run);
      length += run;
    }
  }
  return out.subarray(0, length);
}

const CLEAR = 256;
const END = 257;
const TABLE = 4096;

/**
 * LZW with codes of 9 to 12 bits, high bit first, each width left one code early. A string of the table is always one
 * that has been written before together with the byte after it, so the table holds places in the output.
 * @throws Error for a code that isn't in the table yet
 * @source TIFF 6.0, section 13
 */
export function unpackLzw(packed: Uint8Array, limit: number): Uint8Array {
  const out = new Uint8Array(limit);
  const begins = new Int32Array(TABLE);
  const lengths = new Int32Array(TABLE);
  let length = 0;
  let next = END + 1;
  let width = 9;
  let previous = -1;
  let at = 0;
  let bits = 0;
  let held = 0;
  while (length < limit) {
    for (; held < width && at < packed.length; held += 8) bits = ((bits << 8) | packed[at++]) & 0xffffff;
    if (held < width) break;
    held -= width;
    const code = (bits >> held) & ((1 << width) - 1);
    if (code === END) break;
    if (code === CLEAR) {
      next = END + 1;
      width = 9;
      previous = -1;
      continue;
    }
    if (previous >= 0 && next < TABLE) {
      begins[next] = previous;
      lengths[next] = length - previous + 1;
      next++;
      if (next + 1 === 1 << width && width < 12) width++;
    }
    if (code >= next) throw new Error(`LZW code ${code}, the table ends at ${next - 1}`);
    previous = length;
    if (code < CLEAR) out[length++] = code;
    else {
      // The source may overlap what is being written; copied forwards, byte by byte, that is what is meant.
      const end = Math.min(length + lengths[code], limit);
      for (let from = begins[code]; length < end;) out[length++] = out[from++];
    }
  }
  return out.subarray(0, length);
}
