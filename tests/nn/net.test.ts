import { describe, expect, it } from 'vitest';
import { Rng } from '../../src/base/rng';
import { floatTensor, floats } from '../../src/base/tensor';
import type { TensorData } from '../../src/base/tensor';
import { gradients } from '../../src/graph/autodiff';
import { GraphBuilder } from '../../src/graph/builder';
import { concat, matMul, reduceSum, relu, reshape } from '../../src/graph/ops/index';
import type { Value } from '../../src/graph/value';
import { filledWith, kaimingNormal, uniformFanIn, xavierNormal } from '../../src/nn/initialisers';
import { DeclaringNet, FittedNet, FlatLayout, FlatNet } from '../../src/nn/net';
import type { Net } from '../../src/nn/net';
import { relativeError } from '../support/golden';
import { evaluate, openNodeRuntime } from '../support/node-runtime';

const runtime = openNodeRuntime();
const rngOf = (name: string) => new Rng(3, name);

/** Two convolutions with norms, and one norm of its own. */
function describeNet(net: Net, x: Value): Value {
  const first = relu(net.convNorm(x, 'conv1', 'bn1', { channels: 5, kernel: 3, stride: 2 }));
  return net.batchNorm(net.convNorm(first, 'conv2', 'bn2', { channels: 4, kernel: 1 }), 'last');
}

function declared(): DeclaringNet {
  const net = new DeclaringNet(new GraphBuilder());
  describeNet(net, net.graph.placeholder('float32', [2, 3, 8, 8]));
  return net;
}

const X: TensorData = (() => {
  const rng = new Rng(1, 'net.x');
  return floatTensor(
    [2, 3, 8, 8],
    Float32Array.from({ length: 2 * 3 * 64 }, () => 1 + rng.normal()),
  );
})();

describe('a flat layout', () => {
  it('gives every tensor a place, once', () => {
    const layout = new FlatLayout();
    layout.claim('a', [2, 3], filledWith(1));
    layout.claim('b', [4], filledWith(2));
    layout.claim('a', [2, 3], filledWith(9));
    expect(layout.size).toBe(10);
    expect([...layout.start(rngOf)]).toEqual([1, 1, 1, 1, 1, 1, 2, 2, 2, 2]);
    expect(() => layout.claim('a', [3, 2], filledWith(0))).toThrow('"a" is declared with two shapes');
  });

  it('packs what it unpacked', () => {
    const { parameters } = declared();
    const vector = parameters.start(rngOf);
    expect(parameters.pack(parameters.tensors(vector))).toEqual(vector);
    expect(() => parameters.pack({})).toThrow('"conv1.weight" is missing');
  });
});

describe('a network in a training graph', () => {
  const { parameters, statistics } = declared();
  const feeds = {
    x: X,
    p: floatTensor([parameters.size], parameters.start(rngOf)),
    s: floatTensor([statistics.size], statistics.start(rngOf)),
  };
  const flat = (mode: 'train' | 'evaluate', p: Value, s: Value) =>
    new FlatNet(p.graph, { parameters, statistics }, { parameters: p, statistics: s }, {}, mode);

  it('normalises by the batch and moves running statistics by a tenth, the variance unbiased', async () => {
    const { y, moved } = await evaluate(runtime, feeds, ({ x, p, s }) => {
      const net = flat('train', p, s);
      return { y: describeNet(net, x), moved: net.nextStatistics! };
    });
    const [n, c, plane] = [2, 4, 16];
    const values = floats(y);
    for (let channel = 0; channel < c; channel++) {
      const own = Array.from({ length: n * plane }, (_, i) => {
        return values[(Math.floor(i / plane) * c + channel) * plane + (i % plane)];
      });
      const mean = own.reduce((a, b) => a + b) / own.length;
      const variance = own.reduce((a, b) => a + (b - mean) ** 2, 0) / own.length;
      expect(Math.abs(mean)).toBeLessThan(1e-5);
      expect(variance).toBeCloseTo(1, 2);
    }
    // Ours is the batch norm behind another: it sees mean 0 and, unbiased, variance 32/31 of about 1.
    const named = statistics.tensors(floats(moved));
    for (const value of floats(named['last.running_mean'])) expect(Math.abs(value)).toBeLessThan(1e-5);
    for (const value of floats(named['last.running_var']))
      expect(value).toBeCloseTo(0.9 + 0.1 * (32 / 31), 3);
  });

  it('gives a parameter its gradient also where it is reshaped once more', async () => {
    const layout = new FlatLayout();
    layout.claim('a', [2, 3], filledWith(1));
    layout.claim('b', [3, 2], filledWith(1));
    const start = { p: floatTensor([12], layout.start(rngOf)) };
    const { gradient } = await evaluate(runtime, start, ({ p }) => {
      const vectors = { parameters: p, statistics: undefined };
      const net = new FlatNet(p.graph, { parameters: layout, statistics }, vectors, {}, 'train');
      const loss = reduceSum(
        matMul(reshape(net.parameter('a'), [3, 2]), reshape(net.parameter('b'), [2, 3])),
      );
      return { gradient: concat(gradients(loss, net.parameters), 0) };
    });
    expect([...floats(gradient)]).toEqual(new Array(12).fill(3));
  });

  it('after training, folded into its convolutions, gives what it gave with running statistics', async () => {
    const rng = new Rng(5, 'statistics');
    const lived = statistics.start(rngOf).map((value) => value + 0.3 + 0.2 * rng.uniform());
    const known = { ...feeds, s: floatTensor([statistics.size], lived) };
    const { y: expected } = await evaluate(runtime, known, ({ x, p, s }) => ({
      y: describeNet(flat('evaluate', p, s), x),
    }));
    const state = { ...parameters.tensors(floats(feeds.p)), ...statistics.tensors(lived) };
    const { y } = await evaluate(runtime, { x: X }, ({ x }, graph) => {
      const values = Object.fromEntries(
        Object.entries(state).map(([name, tensor]) => [`net.${name}`, graph.weight(`net.${name}`, tensor)]),
      );
      return { y: describeNet(new FittedNet(graph, values, 'net.'), x) };
    });
    expect(relativeError(floats(y), floats(expected))).toBeLessThan(1e-5);
  });
});

describe('first values (methods.md 1.8)', () => {
  const shape = [64, 32, 3, 3];
  const spread = (values: Float32Array) =>
    Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / values.length);

  it('have the spread their rule says', () => {
    expect(spread(kaimingNormal(rngOf('k'), shape))).toBeCloseTo(Math.sqrt(2 / (9 * 64)), 3);
    expect(spread(xavierNormal(rngOf('x'), shape))).toBeCloseTo(Math.sqrt(2 / (9 * 96)), 3);
    const uniform = uniformFanIn(rngOf('u'), shape);
    expect(uniform.reduce((most, value) => Math.max(most, Math.abs(value)), 0)).toBeLessThanOrEqual(
      1 / Math.sqrt(9 * 32),
    );
    expect(spread(uniform)).toBeCloseTo(1 / Math.sqrt(9 * 32 * 3), 3);
  });
});
