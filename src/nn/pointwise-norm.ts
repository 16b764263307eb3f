import { matMul, mul, reduceMean, reduceSum, reshape, sub, transposeLast } from '../graph/ops/index';
import { sizeOf } from '../base/tensor';
import type { Value } from '../graph/value';
import type { Initialiser } from './initialisers';
import type { Moments, Net } from './net';

/**
 * Statistics of W·x over batch and positions, from the mean and the covariance of x: exact, and where few channels
 * become many it spares the passes over the many that batch norm takes.
 * @param x [B,C,H,W]
 * @param weight [K,C]
 */
export function projectedMoments(x: Value, weight: Value): Moments {
  const [batch, channels, ...grid] = x.shape;
  const positions = sizeOf(grid);
  const mean = reduceMean(x, [0, 2, 3], true);
  const centred = reshape(sub(x, mean), [batch, channels, positions]);
  const products = mul(matMul(centred, transposeLast(centred)), 1 / positions);
  const projected = matMul(weight, reduceMean(products, [0]));
  return {
    mean: reshape(matMul(weight, reshape(mean, [channels, 1])), [-1]),
    variance: reduceSum(mul(projected, weight), [1]),
    count: batch * positions,
  };
}

/**
 * A 1×1 convolution `${conv}.weight` without bias and its batch norm `${norm}.*`, folded into one weight and bias in
 * training too.
 * @param x [B,C,H,W]
 * @returns weight [K,C,1,1] and bias [K]
 */
export function pointwiseNorm(
  net: Net,
  x: Value,
  conv: string,
  norm: string,
  channels: number,
  initial?: Initialiser,
): { weight: Value; bias: Value } {
  const weight = net.parameter(`${conv}.weight`, [channels, x.shape[1], 1, 1], initial);
  const rows = reshape(weight, [channels, x.shape[1]]);
  const { factor, shift } = net.foldedNorm(norm, channels, () => projectedMoments(x, rows));
  return { weight: mul(weight, reshape(factor, [-1, 1, 1, 1])), bias: shift };
}
