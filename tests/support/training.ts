/** A small convolutional net trained for some steps: the same losses are expected of every provider. */
import { Rng } from '../../src/base/rng';
import { floatTensor, floats, sizeOf } from '../../src/base/tensor';
import type { TensorData } from '../../src/base/tensor';
import { gradients } from '../../src/graph/autodiff';
import { GraphBuilder } from '../../src/graph/builder';
import * as op from '../../src/graph/ops/index';
import { RATE_COUNT, optimiserStep, rates } from '../../src/nn/optimisers';
import type { DeviceTensor } from '../../src/runtime/device-tensor';
import type { Runtime } from '../../src/runtime/runtime';

const BATCH = 8;
const SHAPES = { w1: [8, 1, 3, 3], b1: [8], w2: [12, 8, 3, 3], b2: [12], w3: [3, 12], b3: [3] } as const;
const COUNT = Object.values(SHAPES).reduce((sum, shape) => sum + sizeOf(shape), 0);
const VECTORS = ['p', 'm', 'v'] as const;

/** Three kinds of stripes, told apart by a convolution, batch norm, strided convolution, pooling and a linear layer. */
export async function train(runtime: Runtime, steps: number): Promise<number[]> {
  const graph = new GraphBuilder();
  const x = graph.input('x', [BATCH, 1, 12, 12]);
  const y = graph.input('y', [BATCH, 3]);
  const state = Object.fromEntries(VECTORS.map((name) => [name, graph.input(name, [COUNT])]));
  let offset = 0;
  const part = Object.fromEntries(
    Object.entries(SHAPES).map(([name, shape]) => {
      const own = op.reshape(op.slice(state.p, 0, offset, (offset += sizeOf(shape))), shape);
      return [name, own];
    }),
  );
  const ones = graph.constant(floatTensor([8], new Float32Array(8).fill(1)));
  const zeros = graph.constant(floatTensor([8], new Float32Array(8)));
  const first = op.batchNormTraining(
    op.conv(x, part.w1, part.b1, { pads: [1, 1, 1, 1] }),
    ones,
    zeros,
    1e-5,
  ).y;
  const second = op.gelu(op.conv(op.relu(first), part.w2, part.b2, { strides: [2, 2], pads: [1, 1, 1, 1] }));
  const logits = op.linear(op.globalAveragePool(second), part.w3, part.b3);
  const loss = op.neg(op.reduceMean(op.reduceSum(op.mul(op.logSoftmax(logits), y), [1])));
  const [gradient] = gradients(loss, [state.p]);
  const next = optimiserStep(
    { kind: 'adam' },
    {
      parameters: state.p,
      gradient,
      slots: { m: state.m, v: state.v },
      rates: graph.input('rates', [RATE_COUNT]),
    },
  );
  graph.output('loss', loss);
  graph.output('p.next', next.parameters);
  graph.output('m.next', next.slots.m);
  graph.output('v.next', next.slots.v);
  const program = await runtime.compile(graph.build(), { resident: VECTORS.map((name) => `${name}.next`) });

  const rng = new Rng(3, 'training');
  const start = Float32Array.from({ length: COUNT }, () => rng.bell() * 0.2);
  let held: Record<string, TensorData | DeviceTensor> = {
    p: floatTensor([COUNT], start),
    m: floatTensor([COUNT], new Float32Array(COUNT)),
    v: floatTensor([COUNT], new Float32Array(COUNT)),
  };
  const losses: number[] = [];
  for (let step = 1; step <= steps; step++) {
    const { values, resident } = await program.run({
      ...held,
      ...batch(rng),
      rates: floatTensor([RATE_COUNT], rates({ kind: 'adam' }, 3e-3, step)),
    });
    for (const old of Object.values(held)) if ('dispose' in old) old.dispose();
    held = Object.fromEntries(VECTORS.map((name) => [name, resident[`${name}.next`]]));
    losses.push(floats(values.loss)[0]);
  }
  for (const old of Object.values(held)) if ('dispose' in old) old.dispose();
  return losses;
}

/** Stripes across, down and aslant, with noise. */
function batch(rng: Rng): { x: TensorData; y: TensorData } {
  const x = new Float32Array(BATCH * 144);
  const y = new Float32Array(BATCH * 3);
  for (let b = 0; b < BATCH; b++) {
    const kind = rng.integer(3);
    const phase = rng.integer(4);
    y[b * 3 + kind] = 1;
    for (let i = 0; i < 144; i++) {
      const [row, column] = [Math.floor(i / 12), i % 12];
      const position = [row, column, row + column][kind] + phase;
      x[b * 144 + i] = (position % 4 < 2 ? 1 : -1) + 0.5 * rng.bell();
    }
  }
  return { x: floatTensor([BATCH, 1, 12, 12], x), y: floatTensor([BATCH, 3], y) };
}
