import { floatTensor } from '../base/tensor';
import { conv, convTranspose, gemm, reshape, transpose } from '../graph/ops/index';
import type { Value } from '../graph/value';

/** Rows: places of a 4-tap kernel. Columns: taps of a 3-tap kernel, and how much of each lies in a place. */
type Fold = readonly (readonly number[])[];

/** A mean of two positions behind the three taps. */
const MEAN: Fold = [
  [0.5, 0, 0],
  [0.5, 0.5, 0],
  [0, 0.5, 0.5],
  [0, 0, 0.5],
];

/** Every position twice before the three taps, as a transposed convolution counts its places. */
const TWICE: Fold = [
  [0, 0, 1],
  [0, 1, 1],
  [1, 1, 0],
  [1, 0, 0],
];

/** A kernel [K,C,3,3] as the 4×4 kernel that has a change of resolution in it, [K,C,4,4]: one small product. */
function folded(weight: Value, fold: Fold): Value {
  const [k, c] = weight.shape;
  const both = new Float32Array(9 * 16);
  for (let tap = 0; tap < 9; tap++)
    for (let place = 0; place < 16; place++)
      both[tap * 16 + place] = fold[place >> 2][Math.floor(tap / 3)] * fold[place & 3][tap % 3];
  const rows = gemm(reshape(weight, [k * c, 9]), weight.graph.constant(floatTensor([9, 16], both)));
  return reshape(rows, [k, c, 4, 4]);
}

const BY_TWO = { strides: [2, 2], pads: [1, 1, 1, 1] } as const;

/**
 * A 3×3 convolution padded by 1, then the mean of 2×2 pixels, as one convolution of stride 2: the same numbers in less
 * than half the products, and no large map between.
 * @param x [B,C,H,W], even sides
 * @param weight [K,C,3,3]
 * @returns [B,K,H/2,W/2]
 */
export const convThenHalve = (x: Value, weight: Value, bias?: Value): Value =>
  conv(x, folded(weight, MEAN), bias, BY_TWO);

/**
 * Every pixel twice in both directions, then a 3×3 convolution padded by 1, as one transposed convolution.
 * @param x [B,C,H,W]
 * @param weight [K,C,3,3]
 * @returns [B,K,2H,2W]
 */
export const doubleThenConv = (x: Value, weight: Value, bias?: Value): Value =>
  convTranspose(x, transpose(folded(weight, TWICE), [1, 0, 2, 3]), bias, BY_TWO);
