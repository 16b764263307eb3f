import type { HostResult } from './host';

export const MEAN_IMAGE = 'mean-image';

/**
 * The trivial detector that a method has to beat: a pixel's absolute deviation from the mean good image; the score is
 * the largest.
 * @param good grey planes of one size
 * @param test planes of the same size
 */
export function scoreByMeanImage(good: readonly Float32Array[], test: readonly Float32Array[]): HostResult[] {
  const mean = new Float64Array(good[0].length);
  for (const image of good) for (let i = 0; i < mean.length; i++) mean[i] += image[i] / good.length;
  return test.map((image) => {
    const map = image.map((value, i) => Math.abs(value - mean[i]));
    return { map, score: map.reduce((most, value) => Math.max(most, value), 0) };
  });
}
