import * as op from '../../src/graph/ops/index';
import { distinct, float, offZero, shift, side, unary } from './samples';
import type { MakeSample } from './samples';

/** Functions made of several operators, with traps of their own. */
export const COMPOSITES: Readonly<Record<string, MakeSample>> = {
  relu6: unary(
    (x) => op.relu6(op.mul(x, 10)),
    (rng, shape) => shift(distinct(rng, shape, 0.6), 0.06),
  ),
  gelu: unary(op.gelu),
  quickGelu: unary(op.quickGelu),
  silu: unary(op.silu),
  logSumExp: (rng) => ({
    inputs: { x: float(rng, [3, 4], -30, 30) },
    build: ({ x }) => op.logSumExp(x, rng.pick([0, 1])),
  }),
  logSoftmax: (rng) => ({
    inputs: { x: float(rng, [3, 4]) },
    build: ({ x }) => op.logSoftmax(x, rng.pick([0, -1])),
  }),
  linear: (rng) => ({
    inputs: { x: float(rng, [2, 3, 4]), w: float(rng, [5, 4]), b: float(rng, [5]) },
    build: ({ x, w, b }) => op.linear(x, w, b),
  }),
  globalAveragePool: (rng) => ({
    inputs: { x: float(rng, [2, 3, 4, 2]) },
    build: ({ x }) => op.globalAveragePool(x),
  }),
  globalMaxPool: (rng) => ({
    inputs: { x: distinct(rng, [2, 3, 4, 2]) },
    build: ({ x }) => op.globalMaxPool(x),
  }),
  batchNormTraining: (rng) => ({
    inputs: { x: float(rng, [5, 3]), s: float(rng, [3]), b: float(rng, [3]) },
    build: ({ x, s, b }) => op.batchNormTraining(x, s, b, 1e-2).y,
  }),
  batchNormInference: (rng) => ({
    inputs: {
      x: float(rng, [2, 3, 2, 2]),
      scale: float(rng, [3]),
      bias: float(rng, [3]),
      mean: float(rng, [3]),
      variance: float(rng, [3], 0.5, 2),
    },
    build: ({ x, scale, bias, mean, variance }) =>
      op.batchNormInference(x, { scale, bias, mean, variance }, 1e-2),
  }),
  l2Normalise: unary((x) => op.l2Normalise(x, 1), offZero),
  resizeBilinearHalfPixel: (rng) => ({
    inputs: { x: float(rng, [2, 2, 3, 4]) },
    build: ({ x }) => op.resizeBilinear(x, 5 + side(rng), 3),
  }),
  resizeBilinearCorners: (rng) => ({
    inputs: { x: float(rng, [1, 2, 3, 4]) },
    build: ({ x }) => op.resizeBilinear(x, 7, 9, 'corners'),
  }),
  resizeNearest: (rng) => ({
    inputs: { x: float(rng, [1, 2, 3, 4]) },
    build: ({ x }) => op.resizeNearest(x, 7, 5),
  }),
  repeatPixels: (rng) => ({
    inputs: { x: float(rng, [2, 2, 3, 2]) },
    build: ({ x }) => op.repeatPixels(x, 2),
  }),
  gaussianBlur: (rng) => ({
    inputs: { x: float(rng, [1, 1, 5, 6]) },
    build: ({ x }) => op.gaussianBlur(x, 1.3),
  }),
  enlargeAndBlur: (rng) => ({
    inputs: { x: float(rng, [1, 1, 3, 4]) },
    build: ({ x }) => op.enlargeAndBlur(x, 9, 8, 1),
  }),
};
