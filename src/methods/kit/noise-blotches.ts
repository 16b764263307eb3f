import type { Rng } from '../../base/rng';
import { floatTensor } from '../../base/tensor';
import type { Shape, TensorData } from '../../base/tensor';
import { perlinMask } from './perlin';

/** How synthetic defects of features are made. */
export interface Blotches {
  /** How high Perlin noise has to be. */
  readonly threshold: number;
  /** Standard deviation of what is added there. */
  readonly sigma: number;
}

/**
 * Synthetic defects of features for a batch that holds every image twice: nothing is added to the first copies, normal
 * noise in Perlin blotches to the second, but not where they have real defects.
 * @param shape of an image's features, [C,H,W]
 * @param real masks [H·W] of images with defects, `undefined` for good ones
 * @returns noise [B,C,H,W] for the second copies; target [2B,1,H,W], 1 where a copy has a defect of either kind
 * @source methods.md 11.3
 */
export function noiseBlotches(
  rng: Rng,
  [channels, height, width]: Shape,
  real: readonly (Uint8Array | undefined)[],
  { threshold, sigma }: Blotches,
): { noise: TensorData; target: TensorData } {
  const area = height * width;
  const noise = new Float32Array(real.length * channels * area);
  const target = new Float32Array(2 * real.length * area);
  real.forEach((mask, image) => {
    const blotches = perlinMask(height, width, rng, threshold);
    const places: number[] = [];
    for (let p = 0; p < area; p++) {
      const defect = mask ? mask[p] : 0;
      if (blotches[p] && !defect) places.push(p);
      target[image * area + p] = defect;
      target[(real.length + image) * area + p] = defect || blotches[p];
    }
    for (let c = 0; c < channels; c++) {
      const plane = (image * channels + c) * area;
      for (const p of places) noise[plane + p] = sigma * rng.normal();
    }
  });
  return {
    noise: floatTensor([real.length, channels, height, width], noise),
    target: floatTensor([2 * real.length, 1, height, width], target),
  };
}
