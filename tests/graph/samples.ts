/**
 * For every operator at least one way to call it on random shapes. The table is typed over all operators: one
 * without a sample doesn't compile.
 */
import type { Rng } from '../../src/base/rng';
import { sizeOf } from '../../src/base/tensor';
import type { Shape, TensorData } from '../../src/base/tensor';
import * as op from '../../src/graph/ops/index';
import { convSample, convTransposeSample, denseConvSample, oddConvSample, poolSample } from './conv-samples';
import type { OpType } from '../../src/graph/ops/index';
import type { Value } from '../../src/graph/value';

export interface Sample {
  readonly inputs: Readonly<Record<string, TensorData>>;
  /** Float inputs that the value does not depend on smoothly; they aren't differentiated. */
  readonly fixed?: readonly string[];
  readonly build: (values: Record<string, Value>) => Value;
}

/** A call with fresh shapes and values each time. */
export type MakeSample = (rng: Rng) => Sample;

export const float = (rng: Rng, shape: Shape, low = -1.5, high = 1.5): TensorData => ({
  dtype: 'float32',
  shape,
  data: Float32Array.from({ length: sizeOf(shape) }, () => rng.between(low, high)),
});

/** Values at least `gap` apart from each other, so that a small step changes no order. */
export function distinct(rng: Rng, shape: Shape, gap = 0.2): TensorData {
  const n = sizeOf(shape);
  const order = rng.permutation(n);
  return {
    dtype: 'float32',
    shape,
    data: Float32Array.from(order, (rank) => (rank - n / 2 + rng.between(0.05, 0.25)) * gap),
  };
}

/** Values at least 0.15 away from zero, either sign. */
export const offZero = (rng: Rng, shape: Shape): TensorData => {
  const tensor = float(rng, shape, 0.15, 1.5);
  return { ...tensor, data: (tensor.data as Float32Array).map((v) => (rng.uniform() < 0.5 ? -v : v)) };
};

export const side = (rng: Rng, low = 1, high = 4): number => low + rng.integer(high - low + 1);

export const unary =
  (apply: (x: Value) => Value, make: (rng: Rng, shape: Shape) => TensorData = float): MakeSample =>
  (rng) => ({
    inputs: { x: make(rng, [side(rng), side(rng, 2), side(rng)]) },
    build: ({ x }) => apply(x),
  });

const positive = (rng: Rng, shape: Shape) => float(rng, shape, 0.4, 2);

/** Broadcasts either side. */
const binary =
  (
    apply: (a: Value, b: Value) => Value,
    makeA: (rng: Rng, shape: Shape) => TensorData = float,
    makeB = makeA,
  ): MakeSample =>
  (rng) => {
    const [n, c, w] = [side(rng), side(rng, 2), side(rng)];
    const shapes: [Shape, Shape][] = [
      [
        [n, c, w],
        [n, c, w],
      ],
      [
        [n, c, w],
        [c, 1],
      ],
      [
        [1, w],
        [n, c, w],
      ],
      [[], [c, w]],
    ];
    const [a, b] = rng.pick(shapes);
    return { inputs: { a: makeA(rng, a), b: makeB(rng, b) }, build: (v) => apply(v.a, v.b) };
  };

/** Two operands that are never nearer than a step. */
const apart =
  (apply: (a: Value, b: Value) => Value): MakeSample =>
  (rng) => {
    const shape = [side(rng), side(rng, 2)];
    const both = distinct(rng, [2, ...shape]);
    const half = sizeOf(shape);
    const data = both.data as Float32Array;
    return {
      inputs: {
        a: { dtype: 'float32', shape, data: data.slice(0, half) },
        b: { dtype: 'float32', shape, data: data.slice(half) },
      },
      build: (v) => apply(v.a, v.b),
    };
  };

const compared =
  (compare: (a: Value, b: Value) => Value): MakeSample =>
  (rng) => ({
    inputs: { x: float(rng, [3, 4]), a: distinct(rng, [3, 4]), b: float(rng, [3, 4]) },
    fixed: ['a', 'b'],
    build: ({ x, a, b }) => op.where(compare(a, b), x, op.mul(x, x)),
  });

const reduction =
  (
    apply: (x: Value, axes: number[], keep: boolean) => Value,
    make: (rng: Rng, shape: Shape) => TensorData = float,
  ): MakeSample =>
  (rng) => {
    const shape = [side(rng, 2), side(rng, 2), side(rng, 2)];
    const axes = rng.pick([[0], [2], [0, 2], [1, 2], [0, 1, 2], [-1]]);
    return { inputs: { x: make(rng, shape) }, build: ({ x }) => apply(x, axes, rng.uniform() < 0.5) };
  };

/** Batched, broadcast and plain. */
const matMulSample: MakeSample = (rng) => {
  const [b, m, k, n] = [side(rng, 2), side(rng), side(rng), side(rng)];
  const [left, right] = rng.pick<[Shape, Shape]>([
    [
      [m, k],
      [k, n],
    ],
    [
      [b, m, k],
      [k, n],
    ],
    [
      [b, m, k],
      [b, k, n],
    ],
    [
      [m, k],
      [b, k, n],
    ],
    [
      [b, 2, m, k],
      [2, k, n],
    ],
  ]);
  return { inputs: { a: float(rng, left), b: float(rng, right) }, build: (v) => op.matMul(v.a, v.b) };
};

const gemmSample: MakeSample = (rng) => {
  const [m, k, n] = [side(rng), side(rng), side(rng)];
  const [ta, tb] = [rng.uniform() < 0.5, rng.uniform() < 0.5];
  const inputs: Record<string, TensorData> = {
    a: float(rng, ta ? [k, m] : [m, k]),
    b: float(rng, tb ? [n, k] : [k, n]),
    c: float(rng, rng.pick<Shape>([[n], [m, n], [m, 1]])),
  };
  return { inputs, build: (v) => op.gemm(v.a, v.b, v.c, ta, tb) };
};

const indices = (rng: Rng, shape: Shape, n: number): TensorData => ({
  dtype: 'int32',
  shape,
  data: Int32Array.from({ length: sizeOf(shape) }, () => rng.integer(n)),
});

export const normSample =
  (apply: (x: Value, scale: Value, bias: Value) => Value, image: boolean): MakeSample =>
  (rng) => {
    const shape = image ? [2, side(rng, 2), side(rng, 2), side(rng, 2)] : [side(rng), side(rng, 2), 4];
    const own = image ? [shape[1]] : [4];
    return {
      inputs: { x: float(rng, shape), scale: float(rng, own, 0.5, 1.5), bias: float(rng, own) },
      build: ({ x, scale, bias }) => apply(x, scale, bias),
    };
  };

/** Every operator of the table. */
export const SAMPLES: Readonly<Record<OpType, readonly MakeSample[]>> = {
  Abs: [unary(op.abs, offZero)],
  Add: [binary(op.add)],
  AveragePool: [
    poolSample((x, options) => op.averagePool(x, options), float),
    poolSample((x, options) => op.averagePool(x, options, false), float),
  ],
  Cast: [
    (rng) => ({
      inputs: { x: float(rng, [3]), n: indices(rng, [3], 5) },
      build: ({ x, n }) => op.mul(x, op.cast(n)),
    }),
  ],
  Clip: [
    unary(
      (x) => op.clip(x, -0.64, 0.56),
      (rng, shape) => distinct(rng, shape, 0.4),
    ),
  ],
  Concat: [
    (rng) => {
      const [a, b, c] = [side(rng), side(rng), side(rng)];
      const axis = rng.integer(3);
      const shape = (n: number) => [2, 3, 2].map((s, i) => (i === axis ? n : s));
      return {
        inputs: { a: float(rng, shape(a)), b: float(rng, shape(b)), c: float(rng, shape(c)) },
        build: (v) => op.concat([v.a, v.b, v.c], axis),
      };
    },
  ],
  Conv: [convSample, convSample, convSample, oddConvSample, denseConvSample, denseConvSample],
  ConvTranspose: [convTransposeSample, convTransposeSample],
  Div: [binary(op.div, float, (rng, shape) => float(rng, shape, 0.6, 2))],
  Equal: [compared(op.equal)],
  Erf: [unary(op.erf)],
  Exp: [unary(op.exp)],
  Expand: [
    (rng) => ({
      inputs: { x: float(rng, [2, 1, 3]) },
      build: ({ x }) => op.expand(x, [side(rng), 2, 4, 3]),
    }),
  ],
  Floor: [
    (rng) => ({
      inputs: { x: float(rng, [4]), y: float(rng, [4]) },
      fixed: ['y'],
      build: ({ x, y }) => op.mul(x, op.floor(y)),
    }),
  ],
  Gather: [
    (rng) => {
      const axis = rng.integer(3);
      const list = [2, 0, 2, 1];
      return { inputs: { x: float(rng, [3, 3, 3]) }, build: ({ x }) => op.gather(x, list, axis) };
    },
    (rng) => ({
      inputs: { x: float(rng, [2, 4, 3]) },
      build: ({ x }) => op.gather(x, rng.permutation(4), 1),
    }),
    (rng) => ({
      inputs: { x: float(rng, [4, 3]), n: indices(rng, [2, 3], 4) },
      build: ({ x, n }) => op.gather(x, n, 0),
    }),
  ],
  GatherElements: [
    (rng) => ({
      inputs: { x: float(rng, [3, 4]), n: indices(rng, [3, 2], 4) },
      build: ({ x, n }) => op.gatherElements(x, n, 1),
    }),
  ],
  Gemm: [gemmSample, gemmSample],
  Greater: [compared(op.greater)],
  GreaterOrEqual: [compared(op.greaterOrEqual)],
  Identity: [
    (rng) => ({
      inputs: { x: float(rng, [3]), y: float(rng, [3]) },
      fixed: ['y'],
      build: ({ x, y }) => op.mul(x, op.stopGradient(op.mul(y, y))),
    }),
  ],
  // Its rule counts on mean and variance being the input's own.
  BatchNormalization: [normSample((x, s, b) => op.batchNormTraining(x, s, b, 1e-2).y, true)],
  InstanceNormalization: [normSample((x, s, b) => op.instanceNorm(x, s, b, 1e-2), true)],
  LayerNormalization: [
    normSample((x, s, b) => op.layerNorm(x, s, b, 1e-2), false),
    (rng) => ({
      inputs: { x: float(rng, [2, 2, 3, 2]), s: float(rng, [2, 3, 2]), b: float(rng, [2, 3, 2]) },
      build: ({ x, s, b }) => op.layerNorm(x, s, b, 1e-2, 1),
    }),
  ],
  LeakyRelu: [unary((x) => op.leakyRelu(x, 0.2), offZero)],
  Log: [unary(op.log, positive)],
  MatMul: [matMulSample, matMulSample, matMulSample],
  Max: [apart(op.max)],
  MaxPool: [poolSample(op.maxPool, distinct)],
  Min: [apart(op.min)],
  Mul: [binary(op.mul)],
  Neg: [unary(op.neg)],
  Pad: [
    (rng) => ({
      inputs: { x: float(rng, [2, 3, 2]) },
      build: ({ x }) => op.pad(x, [0, 1, 2, 1, 0, side(rng)], 0.5),
    }),
  ],
  Pow: [binary(op.pow, positive), unary((x) => op.pow(x, 3)), unary((x) => op.pow(x, -0.5), positive)],
  ReduceMax: [reduction(op.reduceMax, distinct)],
  ReduceMean: [reduction(op.reduceMean)],
  ReduceMin: [reduction(op.reduceMin, distinct)],
  ReduceSum: [reduction(op.reduceSum)],
  Relu: [unary(op.relu, offZero)],
  Reshape: [(rng) => ({ inputs: { x: float(rng, [2, 3, 4]) }, build: ({ x }) => op.reshape(x, [4, -1]) })],
  ScatterElements: [
    (rng) => ({
      inputs: { x: float(rng, [3, 2]), n: indices(rng, [3, 2], 4) },
      build: ({ x, n }) => op.scatterAdd([3, 4], n, x, 1),
    }),
  ],
  ScatterND: [
    // Reached through the gradient of a gather with repeated indices.
    (rng) => ({
      inputs: { x: float(rng, [3, 2]) },
      build: ({ x }) => op.mul(op.gather(x, [0, 0, 2], 0), op.gather(x, [1, 1, 0], 0)),
    }),
  ],
  Sigmoid: [unary(op.sigmoid)],
  Slice: [
    (rng) => {
      const [start, step] = [side(rng, 0, 2), side(rng, 1, 3)];
      return { inputs: { x: float(rng, [2, 7, 2]) }, build: ({ x }) => op.slice(x, 1, start, 6, step) };
    },
  ],
  Softmax: [
    (rng) => ({
      inputs: { x: float(rng, [2, 3, 4]) },
      build: ({ x }) => op.softmax(x, rng.pick([0, 1, 2, -1])),
    }),
  ],
  Softplus: [unary(op.softplus)],
  Sqrt: [unary(op.sqrt, positive)],
  Sub: [binary(op.sub)],
  Tanh: [unary(op.tanh)],
  TopK: [
    (rng) => ({
      inputs: { x: distinct(rng, [3, 6]) },
      build: ({ x }) => op.topK(x, 1 + rng.integer(4), rng.pick([0, 1]) ? -1 : 1, rng.uniform() < 0.5).values,
    }),
  ],
  Transpose: [
    (rng) => ({
      inputs: { x: float(rng, [2, 3, 4]) },
      build: ({ x }) => op.transpose(x, [...rng.permutation(3)]),
    }),
  ],
  Where: [
    (rng) => ({
      inputs: { c: float(rng, [3, 4]), a: float(rng, [3, 4]), b: float(rng, [4]) },
      fixed: ['c'],
      build: ({ c, a, b }) => op.where(op.greater(c, 0), a, b),
    }),
  ],
};

export function shift(tensor: TensorData, by: number): TensorData {
  return { ...tensor, data: (tensor.data as Float32Array).map((value) => value + by) };
}
