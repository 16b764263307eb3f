import { gradients } from '../../graph/autodiff';
import { l2Normalise, mul, reduceSum, reshape, stopGradient, sub } from '../../graph/ops/index';
import type { Value } from '../../graph/value';

/**
 * (d − 1)², d the derivative of each value in the direction of its own gradient n, n held constant: d is the gradient's
 * norm, and the derivative of the square by the weights is exactly that of the norm. d is n times the gradient that
 * gave n, so that one backward pass serves both; by `tangent` it is the same number at the cost of a pass more.
 * @param value [B,1], each from its own input alone
 * @param x the inputs, [B,…]
 * @returns [B]
 * @source Gulrajani et al. 2017; methods.md 2.3
 */
export function slopePenalty(value: Value, x: Value): Value {
  const [gradient] = gradients(reduceSum(value), [x]);
  const slope = reshape(gradient, [x.shape[0], -1]);
  const norm = reduceSum(mul(slope, stopGradient(l2Normalise(slope))), [1]);
  const excess = sub(norm, 1);
  return mul(excess, excess);
}
