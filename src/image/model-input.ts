import type { Raster } from './raster';
import { largestValue } from './raster';
import type { Kernel } from './resample';
import { resize8, resizeFloat, resizeNearest } from './resample';

/**
 * The value that counts as white: 255 for 8 bits; for 16 bits the smallest 2ᵏ−1, k ≥ 8, that isn't exceeded, because
 * detectors of 10, 12 or 14 bits write into containers of 16.
 * @param maxValue the largest value of the image, or of all images that are to be compared
 */
export function fullScale(maxValue: number, bits: Raster['bits']): number {
  let white = 255;
  if (bits === 16) while (white < maxValue) white = 2 * white + 1;
  return white;
}

/**
 * The grey plane squashed to a square, as networks take it (copied to three channels and normalised there).
 * 8-bit rasters go through Pillow's 8-bit arithmetic and are divided by 255; 16-bit ones are never rounded.
 * @param white the value that becomes 1, see `fullScale`; 255 for 8-bit rasters
 * @returns [size·size], 0 … 1
 * @source methods.md 1.2
 */
export function toModelInput(
  { width, height, data }: Raster,
  { size, kernel, white }: { size: number; kernel: Kernel; white: number },
): Float32Array {
  if (data instanceof Uint8Array) {
    const grey = resize8(data, width, height, size, size, kernel);
    const out = new Float32Array(grey.length);
    for (let i = 0; i < out.length; i++) out[i] = grey[i] / 255;
    return out;
  }
  const unit = new Float32Array(data.length);
  for (let i = 0; i < unit.length; i++) unit[i] = Math.min(data[i] / white, 1);
  const out = resizeFloat(unit, width, height, size, size, kernel);
  // Bicubic overshoots at edges; the 8-bit path is cut in the same way.
  for (let i = 0; i < out.length; i++) out[i] = Math.min(Math.max(out[i], 0), 1);
  return out;
}

/**
 * A mask squashed to a square: 1 where the pixel under the centre is above half of full scale. A mask that doesn't reach
 * half of full scale is scaled by its own largest value, because masks of 0 and 1 are common.
 * @returns [size·size], 0 and 1; all 0 for a mask of zeros
 */
export function toMaskInput({ width, height, data, bits }: Raster, size: number): Uint8Array {
  return inside(resizeNearest(data, width, height, size, size), halfOf(data, bits));
}

/** A mask at its own size, inside and outside told apart as `toMaskInput` does. @returns [height·width], 0 and 1 */
export const toMask = ({ data, bits }: Raster): Uint8Array => inside(data, halfOf(data, bits));

function halfOf(data: Raster['data'], bits: Raster['bits']): number {
  const largest = largestValue(data);
  const white = fullScale(largest, bits);
  return (largest > white / 2 ? white : largest) / 2;
}

function inside(values: ArrayLike<number>, half: number): Uint8Array {
  const mask = new Uint8Array(values.length);
  for (let i = 0; i < mask.length; i++) mask[i] = values[i] > half ? 1 : 0;
  return mask;
}
