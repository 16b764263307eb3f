import { describe, expect, it } from 'vitest';
import { GraphBuilder } from '../../src/graph/builder';
import * as op from '../../src/graph/ops/index';
import type { OpType } from '../../src/graph/ops/index';
import type { Value } from '../../src/graph/value';

/** Fresh inputs of a graph by shape. */
class Inputs {
  readonly graph = new GraphBuilder();
  #count = 0;
  readonly float = (...shape: number[]): Value => this.graph.input(`x${this.#count++}`, shape);
  readonly int = (...shape: number[]): Value => this.graph.input(`x${this.#count++}`, shape, 'int32');
}

/** A call that must fail, and its message behind `<operator> of `. */
type Case = readonly [call: (inputs: Inputs) => unknown, message: string];

const takesFloats = (call: (x: Value) => unknown): readonly Case[] => [
  [({ int }) => call(int(2, 3)), `int32[2,3]: needs float32, got int32`],
];

const broadcasts = (call: (a: Value, b: Value) => unknown): readonly Case[] => [
  [
    ({ float }) => call(float(2, 3), float(4, 3)),
    `float32[2,3], float32[4,3]: shapes [2,3] and [4,3] don't broadcast at axis -2`,
  ],
  [({ float, int }) => call(float(3), int(3)), `float32[3], int32[3]: needs float32, got int32`],
];

const reduces = (call: (x: Value, axes: number[]) => unknown): readonly Case[] => [
  [({ float }) => call(float(2, 3), [2]), `float32[2,3]: axes [2] don't fit rank 2`],
  [({ float }) => call(float(2, 3), [-3]), `float32[2,3]: axes [-3] don't fit rank 2`],
  [({ float }) => call(float(2, 3), [1, -1]), `float32[2,3]: axes [1,1] name one twice`],
  [({ int }) => call(int(2, 3), [0]), `int32[2,3]: needs float32, got int32`],
];

const pools = (call: (x: Value, options: op.PoolOptions) => unknown): readonly Case[] => [
  [({ float }) => call(float(3, 8, 8), { kernel: [2, 2] }), `float32[3,8,8]: x is [B,C,H,W]`],
  [
    ({ float }) => call(float(1, 3, 4, 2), { kernel: [3, 3] }),
    `float32[1,3,4,2]: the window is larger than the padded input`,
  ],
  [({ int }) => call(int(1, 1, 2, 3), { kernel: [1, 1] }), 'int32[1,1,2,3]: needs float32, got int32'],
];

/** Every operator that can be called wrongly; one without a case doesn't compile. */
const CASES: Readonly<Record<Exclude<OpType, 'Identity'>, readonly Case[]>> = {
  Abs: takesFloats(op.abs),
  Add: broadcasts(op.add),
  AveragePool: pools(op.averagePool),
  BatchNormalization: [
    [
      ({ float }) => op.batchNormTraining(float(2, 3, 4, 4), float(4), float(3), 1e-5).y,
      'float32[2,3,4,4], float32[4], float32[3], float32[3], float32[3]: scale, bias, mean and variance have 3 values',
    ],
  ],
  Cast: [[({ float }) => op.cast(float(2)), 'float32[2]: casts int32 or bool to float32']],
  Clip: takesFloats((x) => op.clip(x, 0, 1)),
  Concat: [
    [
      ({ float }) => op.concat([float(2, 3), float(2, 4)], 0),
      'float32[2,3], float32[2,4]: only axis 0 may differ',
    ],
    [
      ({ float }) => op.concat([float(2, 3), float(2, 3, 1)], 1),
      'float32[2,3], float32[2,3,1]: only axis 1 may differ',
    ],
    [({ float, int }) => op.concat([float(2), int(2)], 0), 'float32[2], int32[2]: only axis 0 may differ'],
    [({ float }) => op.concat([float(2), float(2)], 1), "float32[2], float32[2]: axis 1 doesn't fit"],
  ],
  Conv: [
    [
      ({ float }) => op.conv(float(1, 3, 8, 8), float(16, 4, 3, 3)),
      "float32[1,3,8,8], float32[16,4,3,3]: 3 channels in 1 groups don't fit the weight",
    ],
    [
      ({ float }) => op.conv(float(1, 4, 8, 8), float(3, 2, 3, 3), undefined, { group: 2 }),
      "float32[1,4,8,8], float32[3,2,3,3]: 4 channels in 2 groups don't fit the weight",
    ],
    [
      ({ float }) => op.conv(float(1, 5, 8, 8), float(4, 2, 3, 3), undefined, { group: 2 }),
      "float32[1,5,8,8], float32[4,2,3,3]: 5 channels in 2 groups don't fit the weight",
    ],
    [
      ({ float }) => op.conv(float(1, 4, 8, 8), float(4, 2, 3, 3), float(3), { group: 2 }),
      'float32[1,4,8,8], float32[4,2,3,3], float32[3]: the bias has 3 values for 4 channels',
    ],
    [
      ({ float }) => op.conv(float(1, 3, 8, 8), float(16, 3, 3, 3), float(15)),
      'float32[1,3,8,8], float32[16,3,3,3], float32[15]: the bias has 15 values for 16 channels',
    ],
    [
      ({ float }) => op.conv(float(1, 3, 8, 8), float(16, 3, 3, 3), float(16, 1)),
      'float32[1,3,8,8], float32[16,3,3,3], float32[16,1]: the bias has one axis',
    ],
    [
      ({ float }) => op.conv(float(1, 3, 5, 5), float(2, 3, 7, 7)),
      'float32[1,3,5,5], float32[2,3,7,7]: the kernel is larger than the padded input',
    ],
    [
      ({ float }) => op.conv(float(1, 3, 6, 6), float(2, 3, 3, 3), undefined, { dilations: [1, 3] }),
      'float32[1,3,6,6], float32[2,3,3,3]: the kernel is larger than the padded input',
    ],
    [
      ({ float }) => op.conv(float(3, 8, 8), float(2, 3, 3, 3)),
      'float32[3,8,8], float32[2,3,3,3]: x is [B,C,H,W]',
    ],
    [
      ({ float }) => op.conv(float(1, 3, 8, 8), float(2, 27)),
      'float32[1,3,8,8], float32[2,27]: the weight has four axes',
    ],
    [
      ({ int, float }) => op.conv(int(1, 3, 8, 8), float(2, 3, 3, 3)),
      'int32[1,3,8,8], float32[2,3,3,3]: needs float32, got int32',
    ],
  ],
  ConvTranspose: [
    [
      ({ float }) => op.convTranspose(float(1, 3, 4, 4), float(4, 2, 3, 3)),
      "float32[1,3,4,4], float32[4,2,3,3]: 3 channels in 1 groups don't fit the weight",
    ],
    [
      ({ float }) => op.convTranspose(float(1, 4, 4, 4), float(4, 2, 3, 3), float(2), { group: 2 }),
      'float32[1,4,4,4], float32[4,2,3,3], float32[2]: the bias has 2 values for 4 channels',
    ],
    [
      ({ float }) =>
        op.convTranspose(float(1, 1, 1, 1), float(1, 1, 2, 2), undefined, { pads: [1, 1, 1, 1] }),
      'float32[1,1,1,1], float32[1,1,2,2]: the pads take away the whole output',
    ],
  ],
  Div: broadcasts(op.div),
  Equal: broadcasts(op.equal),
  Erf: takesFloats(op.erf),
  Exp: takesFloats(op.exp),
  Expand: [
    [({ float }) => op.expand(float(2, 3), [2, 1]), "float32[2,3]: can't be expanded to [2,1]"],
    [
      ({ float }) => op.expand(float(2, 3), [4, 3]),
      "float32[2,3]: shapes [2,3] and [4,3] don't broadcast at axis -2",
    ],
    [({ float }) => op.expand(float(1, 3), [3]), "float32[1,3]: can't be expanded to [3]"],
  ],
  Floor: takesFloats(op.floor),
  Gather: [
    [({ float }) => op.gather(float(4, 3), float(2)), 'float32[4,3], float32[2]: indices are int32 or int64'],
    [({ float }) => op.gather(float(4, 3), [0, 1], 2), "float32[4,3], int32[2]: axis 2 doesn't fit"],
    [({ float }) => op.gather(float(4, 3), [0, 1], 0.5), "float32[4,3], int32[2]: axis 0.5 doesn't fit"],
  ],
  GatherElements: [
    [
      ({ float }) => op.gatherElements(float(4, 3), float(4, 3), 1),
      'float32[4,3], float32[4,3]: indices are int32 or int64',
    ],
    [
      ({ float, int }) => op.gatherElements(float(4, 3), int(5, 2), 1),
      "float32[4,3], int32[5,2]: indices don't fit axis 1",
    ],
    [
      ({ float, int }) => op.gatherElements(float(2, 3), int(2, 3), 7),
      "float32[2,3], int32[2,3]: indices don't fit axis 7",
    ],
  ],
  Gemm: [
    [
      ({ float }) => op.gemm(float(2, 3), float(4, 5)),
      'float32[2,3], float32[4,5]: 3 columns against 4 rows',
    ],
    [
      ({ float }) => op.gemm(float(2, 3), float(2, 5), undefined, true, true),
      'float32[2,3], float32[2,5]: 2 columns against 5 rows',
    ],
    [
      ({ float }) => op.gemm(float(1, 2, 3), float(3, 5)),
      'float32[1,2,3], float32[3,5]: both sides need two axes',
    ],
    [
      ({ float }) => op.linear(float(2, 3), float(4, 3), float(3)),
      "float32[2,3], float32[4,3], float32[3]: shapes [3] and [2,4] don't broadcast at axis -1",
    ],
    [
      ({ float }) => op.gemm(float(2, 3), float(3, 1), float(1, 5)),
      "float32[2,3], float32[3,1], float32[1,5]: the addend doesn't fit [2,1]",
    ],
  ],
  Greater: broadcasts(op.greater),
  GreaterOrEqual: broadcasts(op.greaterOrEqual),
  InstanceNormalization: [
    [
      ({ float }) => op.instanceNorm(float(2, 3, 4), float(3), float(3), 1e-5),
      'float32[2,3,4], float32[3], float32[3]: x is [B,C,H,W]',
    ],
    [
      ({ float }) => op.instanceNorm(float(2, 3, 4, 4), float(4), float(3), 1e-5),
      'float32[2,3,4,4], float32[4], float32[3]: scale and bias have 3 values',
    ],
  ],
  LayerNormalization: [
    [
      ({ float }) => op.layerNorm(float(2, 3, 4), float(4), float(3), 1e-5),
      'float32[2,3,4], float32[4], float32[3]: scale and bias have the shape of the normalised axes',
    ],
    [
      ({ float }) => op.layerNorm(float(2, 3, 4), float(4), float(4), 1e-5, 1),
      'float32[2,3,4], float32[4], float32[4]: scale and bias have the shape of the normalised axes',
    ],
    [
      ({ float }) => op.layerNorm(float(2, 3), float(3), float(3), 1e-5, 2),
      "float32[2,3], float32[3], float32[3]: axes [2] don't fit rank 2",
    ],
    [
      ({ float }) => op.layerNorm(float(2, 3), float(3), float(3), 1e-5, -3),
      "float32[2,3], float32[3], float32[3]: axes [-3] don't fit rank 2",
    ],
  ],
  LeakyRelu: takesFloats((x) => op.leakyRelu(x, 0.2)),
  Log: takesFloats(op.log),
  MatMul: [
    [
      ({ float }) => op.matMul(float(2, 3), float(4, 5)),
      'float32[2,3], float32[4,5]: 3 columns against 4 rows',
    ],
    [
      ({ float }) => op.matMul(float(3), float(3, 5)),
      'float32[3], float32[3,5]: both sides need two axes or more',
    ],
    [
      ({ float }) => op.matMul(float(2, 4, 3), float(5, 3, 4)),
      "float32[2,4,3], float32[5,3,4]: shapes [2] and [5] don't broadcast at axis -1",
    ],
    [
      ({ float, int }) => op.matMul(float(2, 3), int(3, 2)),
      'float32[2,3], int32[3,2]: needs float32, got int32',
    ],
  ],
  Max: broadcasts(op.max),
  MaxPool: pools(op.maxPool),
  Min: broadcasts(op.min),
  Mul: broadcasts(op.mul),
  Neg: takesFloats(op.neg),
  Pad: [
    [({ float }) => op.pad(float(2, 3), [1, 1]), 'float32[2,3]: pads [1,1] for rank 2'],
    [({ float }) => op.pad(float(2, 3), [0, -1, 0, 0]), 'float32[2,3]: pads [0,-1,0,0] for rank 2'],
    [({ float }) => op.pad(float(2, 3), [0, 0.5, 0, 0]), 'float32[2,3]: gives shape [2,3.5]'],
  ],
  Pow: broadcasts(op.pow),
  ReduceMax: reduces(op.reduceMax),
  ReduceMean: reduces(op.reduceMean),
  ReduceMin: reduces(op.reduceMin),
  ReduceSum: reduces(op.reduceSum),
  Relu: takesFloats(op.relu),
  Reshape: [
    [({ float }) => op.reshape(float(2, 3), [4]), "float32[2,3]: 6 elements don't fill shape [4]"],
    [({ float }) => op.reshape(float(6), [-1, -1]), "float32[6]: 6 elements don't fill shape [6,6]"],
    [({ float }) => op.reshape(float(6), [4, -1]), 'float32[6]: gives shape [4,1.5]'],
  ],
  ScatterElements: [
    [
      ({ float }) => op.scatterAdd([4, 3], float(4, 2), float(4, 2), 1),
      'float32[4,3], float32[4,2], float32[4,2]: indices are int32 or int64',
    ],
    [
      ({ float, int }) => op.scatterAdd([4, 3], int(5, 2), float(5, 2), 1),
      "float32[4,3], int32[5,2], float32[5,2]: indices don't fit",
    ],
    [
      ({ float, int }) => op.scatterAdd([4, 3], int(4, 3), float(4, 3), 2),
      "float32[4,3], int32[4,3], float32[4,3]: indices don't fit",
    ],
    [
      ({ float, int }) => op.scatterAdd([4, 3], int(4, 2), float(4, 1), 1),
      'float32[4,3], int32[4,2], float32[4,1]: as many updates as indices',
    ],
  ],
  ScatterND: [
    [
      ({ graph, float }) => graph.emit(op.OPS.ScatterND, [float(4, 3), float(2, 3)], { rows: [0, 4] }),
      'float32[4,3], float32[2,3]: 2 rows',
    ],
    [
      ({ graph, float }) => graph.emit(op.OPS.ScatterND, [float(4, 3), float(2, 3)], { rows: [0, 1, 2] }),
      'float32[4,3], float32[2,3]: 3 rows',
    ],
    [
      ({ graph, float }) => graph.emit(op.OPS.ScatterND, [float(4, 3), float(2, 2)], { rows: [0, 1] }),
      'float32[4,3], float32[2,2]: the rows have other shapes',
    ],
  ],
  Sigmoid: takesFloats(op.sigmoid),
  Slice: [
    [({ float }) => op.slice(float(4), 0, 2, 5), 'float32[4]: range 2..5 step 1 of axis 0'],
    [({ float }) => op.slice(float(4), 0, 2, 2), 'float32[4]: range 2..2 step 1 of axis 0'],
    [({ float }) => op.slice(float(4), 0, -1, 2), 'float32[4]: range -1..2 step 1 of axis 0'],
    [({ float }) => op.slice(float(4), 0, 0, 4, 0), 'float32[4]: range 0..4 step 0 of axis 0'],
    [({ float }) => op.slice(float(4), 1, 0, 2), 'float32[4]: range 0..2 step 1 of axis 1'],
    [({ float }) => op.slice(float(4), 1, 0), 'float32[4]: range 0..0 step 1 of axis 1'],
    [({ float }) => op.slice(float(4), 0, 0.5, 3), 'float32[4]: range 0.5..3 step 1 of axis 0'],
    [({ float }) => op.slice(float(4), 0, 0, 3, 1.5), 'float32[4]: range 0..3 step 1.5 of axis 0'],
  ],
  Softmax: [
    ...takesFloats((x) => op.softmax(x)),
    [({ float }) => op.softmax(float(2, 3), 2), "float32[2,3]: axes [2] don't fit rank 2"],
    [({ float }) => op.softmax(float(2, 3), -3), "float32[2,3]: axes [-3] don't fit rank 2"],
  ],
  Softplus: takesFloats(op.softplus),
  Sqrt: takesFloats(op.sqrt),
  Sub: broadcasts(op.sub),
  Tanh: takesFloats(op.tanh),
  TopK: [
    [({ float }) => op.topK(float(2, 3), 4), 'float32[2,3]: k=4 along axis 1'],
    [({ float }) => op.topK(float(2, 3), 0), 'float32[2,3]: k=0 along axis 1'],
    [({ float }) => op.topK(float(2, 3), 1.5), 'float32[2,3]: gives shape [2,1.5]'],
    [({ float }) => op.topK(float(2, 3), 1, 2), 'float32[2,3]: k=1 along axis 2'],
  ],
  Transpose: [
    [({ float }) => op.transpose(float(2, 3), [0, 1, 2]), 'float32[2,3]: perm [0,1,2] is no order of 2 axes'],
    [({ float }) => op.transpose(float(2, 3), [1, 1]), 'float32[2,3]: perm [1,1] is no order of 2 axes'],
  ],
  Where: [
    [
      ({ float }) => op.where(float(3), float(3), 0),
      'float32[3], float32[3], float32[]: needs bool, got float32',
    ],
    [
      ({ float, int }) => op.where(op.greater(float(3), 0), int(3), 0),
      'bool[3], int32[3], float32[]: needs float32, got int32',
    ],
    [
      ({ float }) => op.where(op.greater(float(3), 0), float(3), float(2)),
      "bool[3], float32[3], float32[2]: shapes [3] and [3] and [2] don't broadcast at axis -1",
    ],
  ],
};

describe('a wrong shape is an error at emission', () => {
  const cases = Object.entries(CASES).flatMap(([type, own]) =>
    own.map(([call, reason]) => ({ call, message: `${type} of ${reason}` })),
  );

  it.each(cases)('$message', ({ call, message }) => {
    expect(() => call(new Inputs())).toThrow(
      expect.objectContaining({ code: 'graph/shape', message }) as Error,
    );
  });

  it('a refused call leaves no node behind', () => {
    const { graph, float } = new Inputs();
    expect(() => op.matMul(float(2, 3), float(2, 3))).toThrow();
    expect(graph.nodes).toEqual([]);
  });
});

describe('broadcasting', () => {
  it.each([
    [[], [3], [3]],
    [
      [2, 1, 4],
      [3, 1],
      [2, 3, 4],
    ],
    [[1], [5, 1, 1], [5, 1, 1]],
    [
      [0, 3],
      [1, 3],
      [0, 3],
    ],
  ])('%j and %j give %j', (a, b, both) => {
    const { float } = new Inputs();
    expect(op.add(float(...a), float(...b)).shape).toEqual(both);
  });
});
