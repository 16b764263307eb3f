import { describe, expect, it } from 'vitest';
import { Rng } from '../../src/base/rng';
import { floatTensor, floats } from '../../src/base/tensor';
import type { TensorData } from '../../src/base/tensor';
import { GraphBuilder } from '../../src/graph/builder';
import { globalAveragePool } from '../../src/graph/ops/index';
import { DeclaringNet, FittedNet } from '../../src/nn/net';
import { regionalAttention } from '../../src/nn/regional-attention';
import { evaluate, openNodeRuntime } from '../support/node-runtime';

const runtime = openNodeRuntime();
const CHANNELS = 16;

/** First values of the layer's parameters; those of the perceptron's end are 0 where wanted. */
function parameters(silent: boolean): Record<string, TensorData> {
  const draft = new GraphBuilder();
  const net = new DeclaringNet(draft);
  regionalAttention(net, draft.placeholder('float32', [1, CHANNELS, 7, 7]), 'a');
  const tensors = net.parameters.tensors(net.parameters.start((name) => new Rng(1, name)));
  for (const name of silent ? ['a.mlp2.weight', 'a.mlp2.bias'] : [])
    (tensors[name].data as Float32Array).fill(0);
  return tensors;
}

const attend = (x: TensorData, silent = false) =>
  evaluate(runtime, { x, ...parameters(silent) }, ({ x: input, ...values }, graph) => {
    const { map, attention, regions, pooled } = regionalAttention(
      new FittedNet(graph, values, ''),
      input,
      'a',
    );
    return { map, attention, regions, pooled, mean: globalAveragePool(map) };
  });

const noise = (height: number, width: number) => {
  const rng = new Rng(2, 'x');
  return floatTensor(
    [2, CHANNELS, height, width],
    Float32Array.from({ length: 2 * CHANNELS * height * width }, () => rng.bell()),
  );
};

describe('regional channel attention (methods.md 18.4)', () => {
  it('with a silent perceptron is ½ everywhere: the map is 1.5 times the input', async () => {
    const x = noise(7, 7);
    const found = await attend(x, true);
    expect(floats(found.attention).every((value) => value === 0.5)).toBe(true);
    floats(found.map).forEach((value, i) => expect(value).toBeCloseTo(1.5 * floats(x)[i], 5));
  });

  it('of equal regions pools the plain mean, each region a sixteenth', async () => {
    const rng = new Rng(3, 'channels');
    const channels = Array.from({ length: CHANNELS }, () => rng.bell());
    const x = floatTensor(
      [1, CHANNELS, 7, 7],
      channels.flatMap((value) => new Array<number>(49).fill(value)),
    );
    const found = await attend(x);
    floats(found.regions).forEach((share) => expect(share).toBeCloseTo(1 / 16, 6));
    floats(found.pooled).forEach((value, c) => expect(value).toBeCloseTo(floats(found.mean)[c], 5));
  });

  it.each([
    [1, 1],
    [2, 3],
    [9, 4],
  ])('takes maps of %d by %d', async (height, width) => {
    const found = await attend(noise(height, width));
    expect(found.regions.shape).toEqual([2, 1, 4, 4]);
    expect(found.attention.shape).toEqual([2, CHANNELS, 21]);
    expect([...floats(found.pooled)].every(Number.isFinite)).toBe(true);
    expect(
      floats(found.regions)
        .subarray(0, 16)
        .reduce((sum, share) => sum + share, 0),
    ).toBeCloseTo(1, 5);
  });
});
