import type { Rng } from '../../src/base/rng';
import type { Shape, TensorData } from '../../src/base/tensor';
import * as op from '../../src/graph/ops/index';
import type { Value } from '../../src/graph/value';
import { float, side } from './samples';
import type { MakeSample } from './samples';

/** Strides, asymmetric pads, dilation, groups and depthwise kernels of several sizes. */
export const convSample: MakeSample = (rng) => {
  const group = rng.pick([1, 1, 2, 3]);
  const depthwise = rng.uniform() < 0.35;
  const perGroup = depthwise ? 1 : side(rng, 1, 2);
  const channels = group * perGroup;
  const out = depthwise ? channels : group * side(rng, 1, 2);
  const [kh, kw] = rng.pick([
    [1, 1],
    [3, 3],
    [2, 3],
    [5, 5],
  ] as const);
  const strides = rng.pick([
    [1, 1],
    [2, 2],
    [2, 1],
  ] as const);
  const dilations =
    kh <= 3
      ? rng.pick([
          [1, 1],
          [1, 1],
          [2, 2],
        ] as const)
      : ([1, 1] as const);
  const pads = rng.pick([
    [0, 0, 0, 0],
    [1, 1, 1, 1],
    [0, 0, 1, 1],
    [1, 2, 0, 1],
  ] as const);
  const [h, w] = [5 + rng.integer(3), 5 + rng.integer(3)];
  return {
    inputs: {
      x: float(rng, [side(rng, 1, 2), channels, h, w]),
      weight: float(rng, [out, perGroup, kh, kw]),
      bias: float(rng, [out]),
    },
    build: ({ x, weight, bias }) => op.conv(x, weight, bias, { strides, pads, dilations, group }),
  };
};

/** Channel counts that the GPU kernels would get wrong if they were handed through as they are. */
export const oddConvSample: MakeSample = (rng) => {
  const [channels, out, group] = rng.pick([
    [6, 4, 1],
    [9, 8, 1],
    [15, 4, 1],
    [10, 20, 2],
  ] as const);
  return {
    inputs: { x: float(rng, [1, channels, 4, 5]), weight: float(rng, [out, channels / group, 3, 3]) },
    build: ({ x, weight }) => op.conv(x, weight, undefined, { pads: [1, 1, 1, 1], group }),
  };
};

/** Fewer positions than channels, and many strided taps: gradients that take all taps in one product. */
export const denseConvSample: MakeSample = (rng) => {
  const [kernel, strides, height, width, out] = rng.pick([
    [3, [1, 1], 4, 5, 12],
    [3, [2, 1], 5, 4, 6],
    [4, [2, 2], 9, 8, 2],
    [5, [3, 2], 10, 9, 3],
  ] as const);
  return {
    inputs: {
      x: float(rng, [2, 2, height, width]),
      weight: float(rng, [out, 2, kernel, kernel]),
    },
    build: ({ x, weight }) => op.conv(x, weight, undefined, { strides, pads: [1, 1, 1, 1] }),
  };
};

export const convTransposeSample: MakeSample = (rng) => {
  const group = rng.pick([1, 2]);
  const channels = group * side(rng, 1, 2);
  const perGroup = side(rng, 1, 2);
  const k = rng.pick([2, 3, 4]);
  const stride = rng.pick([1, 2]);
  const pad = rng.pick([0, 1]);
  return {
    inputs: {
      x: float(rng, [side(rng, 1, 2), channels, side(rng, 2), side(rng, 2)]),
      weight: float(rng, [channels, perGroup, k, k]),
      bias: float(rng, [group * perGroup]),
    },
    build: ({ x, weight, bias }) =>
      op.convTranspose(x, weight, bias, {
        strides: [stride, stride],
        pads: [pad, pad, pad, pad],
        group,
        outputPadding: stride === 2 ? [1, 0] : [0, 0],
      }),
  };
};

export const poolSample =
  (
    apply: (x: Value, options: op.PoolOptions) => Value,
    make: (rng: Rng, shape: Shape) => TensorData,
  ): MakeSample =>
  (rng) => {
    const options = rng.pick<op.PoolOptions>([
      { kernel: [2, 2] },
      { kernel: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] },
      { kernel: [3, 3], strides: [1, 1], pads: [1, 1, 1, 1] },
      { kernel: [2, 3], strides: [1, 2], pads: [0, 1, 1, 0] },
    ]);
    const shape = [side(rng, 1, 2), side(rng, 1, 2), 4 + rng.integer(3), 4 + rng.integer(3)];
    return { inputs: { x: make(rng, shape) }, build: ({ x }) => apply(x, options) };
  };
