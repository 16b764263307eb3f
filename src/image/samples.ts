import type { Raster } from './raster';
import { toGrey16, toGrey8 } from './raster';

/** Bits of one sample as files store it. */
export type Depth = 1 | 2 | 4 | 8 | 16;

/** What the samples of a pixel mean; samples after those that count (alpha) are ignored. */
export type Colour =
  | { readonly kind: 'grey'; readonly whiteIsZero?: boolean }
  | { readonly kind: 'rgb' }
  /** `grey` is the luma of each index. */
  | { readonly kind: 'palette'; readonly grey: Uint8Array };

export type Samples = Uint8Array | Uint16Array;

/** An array for samples of this depth; those of less than 8 bits take a byte each. */
export const newSamples = (length: number, depth: Depth): Samples =>
  depth === 16 ? new Uint16Array(length) : new Uint8Array(length);

/**
 * Reads `out.length` samples that are packed from bit 7 down, as PNG and TIFF do it.
 * @param offset of the first byte
 */
export function readSamples(
  bytes: Uint8Array,
  offset: number,
  depth: Depth,
  bigEndian: boolean,
  out: Samples,
): void {
  if (depth === 8) {
    out.set(bytes.subarray(offset, offset + out.length));
  } else if (depth === 16) {
    const high = offset + (bigEndian ? 0 : 1);
    const low = offset + (bigEndian ? 1 : 0);
    for (let i = 0; i < out.length; i++) out[i] = (bytes[high + 2 * i] << 8) | bytes[low + 2 * i];
  } else {
    const mask = (1 << depth) - 1;
    for (let i = 0, bit = 0; i < out.length; i++, bit += depth)
      out[i] = (bytes[offset + (bit >> 3)] >> (8 - depth - (bit & 7))) & mask;
  }
}

/** Every `channels`-th sample; the array itself when there is one channel. */
function firstOf<T extends Samples>(samples: T, channels: number): T {
  if (channels === 1) return samples;
  const first = samples.slice(0, samples.length / channels) as T;
  for (let i = 0; i < first.length; i++) first[i] = samples[i * channels];
  return first;
}

/**
 * The grey plane of an image's samples. May change `samples` and keep them as the raster's data.
 * @param samples [height·width·channels], interleaved, unscaled
 */
export function toRaster(
  samples: Samples,
  width: number,
  height: number,
  channels: number,
  depth: Depth,
  colour: Colour,
): Raster {
  if (samples instanceof Uint16Array) {
    const data = colour.kind === 'rgb' ? toGrey16(samples, channels) : firstOf(samples, channels);
    if (colour.kind === 'grey' && colour.whiteIsZero)
      for (let i = 0; i < data.length; i++) data[i] = 65535 - data[i];
    return { width, height, data, bits: 16 };
  }
  const data = colour.kind === 'rgb' ? toGrey8(samples, channels) : firstOf(samples, channels);
  const grey = greyOfCode(depth, colour);
  if (grey) for (let i = 0; i < data.length; i++) data[i] = grey[data[i]];
  return { width, height, data, bits: 8 };
}

/** What each stored code of up to 8 bits is in grey, or `undefined` where codes are grey values already. */
function greyOfCode(depth: Depth, colour: Colour): Uint8Array | undefined {
  if (colour.kind === 'palette') return colour.grey;
  const whiteIsZero = colour.kind === 'grey' && colour.whiteIsZero;
  if (depth === 8 && !whiteIsZero) return undefined;
  const white = (1 << depth) - 1;
  return Uint8Array.from({ length: white + 1 }, (_, v) => ((whiteIsZero ? white - v : v) * 255) / white);
}
