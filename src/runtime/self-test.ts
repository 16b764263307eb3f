import { AppError } from '../base/errors';
import { Rng } from '../base/rng';
import { floatTensor, floats, sizeOf } from '../base/tensor';
import type { Shape, TensorData } from '../base/tensor';
import { GraphBuilder } from '../graph/builder';
import * as op from '../graph/ops/index';
import type { Value } from '../graph/value';
import type { Runtime } from './runtime';

/** Beyond this a provider's numbers are not believed. */
const TOLERANCE = 2e-4;

type Make = (name: string, shape: Shape) => Value;

/** One small graph for each operator family that this app relies on; each ends in a weighted sum of its result. */
const FAMILIES: Readonly<Record<string, (make: Make) => Value>> = {
  convolution: (make) =>
    op.conv(make('x', [2, 6, 13, 11]), make('w', [8, 6, 3, 3]), make('b', [8]), {
      strides: [2, 2],
      pads: [0, 1, 1, 1],
    }),
  depthwise: (make) =>
    op.conv(make('x', [2, 9, 12, 10]), make('w', [9, 1, 5, 5]), undefined, { pads: [2, 2, 2, 2], group: 9 }),
  transposed: (make) =>
    op.convTranspose(make('x', [2, 5, 6, 7]), make('w', [5, 4, 4, 4]), undefined, {
      strides: [2, 2],
      pads: [1, 1, 1, 1],
    }),
  product: (make) => op.matMul(make('a', [3, 40, 70]), make('b', [3, 70, 33])),
  attention: (make) => {
    const [q, k, v] = ['q', 'k', 'v'].map((name) => make(name, [2, 3, 50, 16]));
    return op.matMul(op.softmax(op.matMul(q, op.transposeLast(k))), v);
  },
  normalisation: (make) => op.layerNorm(make('x', [4, 30, 48]), make('s', [48]), make('b', [48]), 1e-5),
  reduction: (make) => {
    const x = make('x', [3, 7, 31, 29]);
    return op.add(op.reduceMean(x, [2, 3]), op.sub(op.reduceMax(x, [2, 3]), op.reduceMin(x, [2, 3])));
  },
  pooling: (make) => {
    const x = make('x', [2, 5, 14, 15]);
    const window = { kernel: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] } as const;
    return op.add(op.maxPool(x, window), op.averagePool(x, window));
  },
  selection: (make) => {
    const x = make('x', [12, 64]);
    const { values, indices } = op.topK(x, 5, 1, false);
    return op.add(values, op.gatherElements(op.mul(x, 2), indices, 1));
  },
  scattering: (make) => {
    const x = make('x', [6, 20]);
    return op.scatterAdd([6, 40], op.topK(op.concat([x, op.neg(x)], 1), 20, 1).indices, x, 1);
  },
  layout: (make) => {
    const x = op.transpose(make('x', [2, 3, 8, 10]), [0, 2, 3, 1]);
    return op.pad(
      op.concat([op.slice(x, 2, 1, 10, 3), op.slice(x, 2, 0, 2)], 2),
      [0, 1, 0, 0, 0, 0, 2, 1],
      0.25,
    );
  },
  pointwise: (make) => {
    const x = make('x', [5, 60]);
    const parts = [
      op.gelu(x),
      op.silu(x),
      op.tanh(x),
      op.softplus(x),
      op.relu6(x),
      op.exp(op.clip(x, -2, 1)),
    ];
    return op.where(op.greater(x, 0.3), parts.reduce(op.add), op.sqrt(op.abs(x)));
  },
};

/** What the CPU provider of onnxruntime-node gives; a test keeps the list and that provider equal. */
export const EXPECTED: Readonly<Record<string, number>> = {
  convolution: -191.46994,
  depthwise: -253.59268,
  transposed: 162.93567,
  product: 132.43965,
  attention: -31.866154,
  normalisation: 201.03174,
  reduction: 3.1068563,
  pooling: 7.2826204,
  selection: 53.06229,
  scattering: 24.891319,
  layout: 8.3750716,
  pointwise: -94.091072,
};

/** Random values of a fixed seed: the same on every machine. */
function input(family: string, name: string, shape: Shape): TensorData {
  const rng = new Rng(1, `self-test.${family}.${name}`);
  return floatTensor(
    shape,
    Float32Array.from({ length: sizeOf(shape) }, () => rng.bell()),
  );
}

/** Results of all families on a runtime, one number each. */
export async function runFamilies(runtime: Runtime): Promise<Record<string, number>> {
  const results: Record<string, number> = {};
  for (const [family, build] of Object.entries(FAMILIES)) {
    const graph = new GraphBuilder();
    const feeds: Record<string, TensorData> = {};
    const value = build((name, shape) => {
      feeds[name] = input(family, name, shape);
      return graph.input(name, shape);
    });
    const weights = graph.constant(input(family, 'result', value.shape));
    graph.output('sum', op.reduceSum(op.mul(value, weights)));
    const program = await runtime.compile(graph.build(), { priority: 'inspect' });
    // NaN is a finding about its family, not the end of the test.
    const { values } = await program.run(feeds, { priority: 'inspect', finite: false });
    results[family] = floats(values.sum)[0];
  }
  return results;
}

/**
 * Compares a device with stored numbers before its results are trusted.
 * @returns relative error of each family
 * @throws gpu/self-test that names the families which are off
 */
export async function selfTest(runtime: Runtime): Promise<Record<string, number>> {
  const found = await runFamilies(runtime);
  const errors = Object.fromEntries(
    Object.entries(EXPECTED).map(([family, expected]) => [
      family,
      Math.abs(found[family] - expected) / Math.abs(expected),
    ]),
  );
  const wrong = Object.keys(errors).filter((family) => !(errors[family] <= TOLERANCE));
  if (wrong.length)
    throw new AppError('gpu/self-test', `this device computes ${wrong.join(', ')} wrongly`, {
      hint: 'WebAssembly is used instead. A newer graphics driver may help.',
    });
  return errors;
}
