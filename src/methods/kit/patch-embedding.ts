import { averagePool, concat, reshape, resizeBilinear, transpose } from '../../graph/ops/index';
import type { Value } from '../../graph/value';

/**
 * Locally averaged features of several depths at the size of the first: 3×3 mean with counted padding, half-pixel
 * bilinear enlarging, channels concatenated.
 * @param taps [B,Ci,hi,wi], the largest map first
 * @returns [B, ΣCi, h, w]
 * @source Roth et al. 2022, section 3.1, in anomalib's form (methods.md 5.2)
 */
export function localFeatures(taps: readonly Value[]): Value {
  const [height, width] = taps[0].shape.slice(2);
  const pooled = taps.map((tap) => averagePool(tap, { kernel: [3, 3], strides: [1, 1], pads: [1, 1, 1, 1] }));
  return concat(
    pooled.map((tap) => resizeBilinear(tap, height, width)),
    1,
  );
}

/** Feature maps as one vector for each position: [B,C,h,w] to [B,h·w,C]; position = row·w + column. */
export function toPatches(features: Value): Value {
  const [b, c, h, w] = features.shape;
  return transpose(reshape(features, [b, c, h * w]), [0, 2, 1]);
}
