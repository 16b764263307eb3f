import { fullScale } from './model-input';
import type { Raster } from './raster';
import { resize8 } from './resample';

/** The values that are shown black and white. */
export interface Window {
  readonly low: number;
  readonly high: number;
}

/** The share of pixels that may be darker than black, and as many brighter than white. */
const CLIPPED = 0.0035;

/**
 * Linear window and level for the screen: `low` and below are 0, `high` and above 255.
 * @returns [height·width]
 */
export function toDisplay8({ data, bits }: Raster, { low, high }: Window): Uint8Array {
  const table = new Uint8ClampedArray(1 << bits);
  // A window without width is a step, not a division by zero.
  for (let v = 0; v < table.length; v++)
    table[v] = high > low ? ((v - low) * 255) / (high - low) : v > low ? 255 : 0;
  const out = new Uint8Array(data.length);
  for (let i = 0; i < out.length; i++) out[i] = table[data[i]];
  return out;
}

/**
 * A window that cuts 0.35 % of the pixels at either end; the image's range where that leaves nothing (a few bright
 * specks), full scale for a constant image.
 */
export function autoWindow({ data, bits }: Raster): Window {
  const histogram = new Uint32Array(1 << bits);
  for (let i = 0; i < data.length; i++) histogram[data[i]]++;
  const cut = Math.floor(data.length * CLIPPED);
  const robust = between(histogram, cut);
  if (robust.high > robust.low) return robust;
  const range = between(histogram, 0);
  return range.high > range.low ? range : { low: 0, high: fullScale(range.high, bits) };
}

/** The values at which more than `cut` pixels have been counted from below and from above. */
function between(histogram: Uint32Array, cut: number): Window {
  let low = 0;
  let high = histogram.length - 1;
  for (let seen = histogram[low]; seen <= cut; seen += histogram[low]) low++;
  for (let seen = histogram[high]; seen <= cut; seen += histogram[high]) high--;
  return { low, high };
}

/**
 * A small copy for lists, aspect kept, never enlarged. 8-bit values stay as they are; 16-bit ones are shown through
 * `autoWindow`, because few of them use the whole range.
 * @param maxSide longest side of the result
 * @returns `pixels` is [height·width]
 */
export function thumbnail(
  raster: Raster,
  maxSide: number,
): { width: number; height: number; pixels: Uint8Array } {
  const shrink = Math.min(1, maxSide / Math.max(raster.width, raster.height));
  const width = Math.max(1, Math.round(raster.width * shrink));
  const height = Math.max(1, Math.round(raster.height * shrink));
  const grey = raster.data instanceof Uint8Array ? raster.data : toDisplay8(raster, autoWindow(raster));
  return { width, height, pixels: resize8(grey, raster.width, raster.height, width, height, 'bilinear') };
}
