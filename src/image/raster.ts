/**
 * One grey plane, row-major, values exactly the file's: 16 bits stay 16 bits, colour has become luma, and grey of 1, 2
 * or 4 bits is spread to 0…255 so that white is always 255 in an 8-bit raster.
 */
export interface Raster {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array | Uint16Array;
  readonly bits: 8 | 16;
}

/**
 * Luma 0.299 R + 0.587 G + 0.114 B in PIL's integer form; equal channels stay what they are.
 * @param rgb [pixels·channels], interleaved; channels after the third (alpha) are ignored
 * @source methods.md 1.2
 */
export function toGrey8(rgb: Uint8Array | Uint8ClampedArray, channels = 3): Uint8Array {
  const grey = new Uint8Array(rgb.length / channels);
  for (let i = 0, j = 0; i < grey.length; i++, j += channels)
    grey[i] = (19595 * rgb[j] + 38470 * rgb[j + 1] + 7471 * rgb[j + 2] + 32768) >> 16;
  return grey;
}

/**
 * `toGrey8` for 16-bit samples. The sum stays below 2³², so that the unsigned shift is exact.
 * @param rgb [pixels·channels], interleaved; channels after the third (alpha) are ignored
 */
export function toGrey16(rgb: Uint16Array, channels = 3): Uint16Array {
  const grey = new Uint16Array(rgb.length / channels);
  for (let i = 0, j = 0; i < grey.length; i++, j += channels)
    grey[i] = (19595 * rgb[j] + 38470 * rgb[j + 1] + 7471 * rgb[j + 2] + 32768) >>> 16;
  return grey;
}

/**
 * A part of a raster, at least one pixel each way and never beyond its edges.
 * @param part in shares of width and height
 */
export function cropped(
  { width, height, data, bits }: Raster,
  part: { readonly x: number; readonly y: number; readonly width: number; readonly height: number },
): Raster {
  const [left, right] = span(part.x, part.width, width);
  const [top, bottom] = span(part.y, part.height, height);
  const out = data.slice(0, (right - left) * (bottom - top));
  for (let row = top; row < bottom; row++)
    out.set(data.subarray(row * width + left, row * width + right), (row - top) * (right - left));
  return { width: right - left, height: bottom - top, data: out, bits };
}

/** First pixel and the one behind the last. */
function span(from: number, share: number, length: number): [number, number] {
  const first = Math.min(Math.max(Math.round(from * length), 0), length - 1);
  return [first, Math.min(Math.max(Math.round((from + share) * length), first + 1), length)];
}

/** The largest value of a plane, 0 for an empty one. */
export function largestValue(data: Raster['data']): number {
  let largest = 0;
  for (let i = 0; i < data.length; i++) if (data[i] > largest) largest = data[i];
  return largest;
}
