import { expect, it } from 'vitest';
import { Rng } from '../../src/base/rng';
import { floatTensor, floats } from '../../src/base/tensor';
import type { TensorData } from '../../src/base/tensor';
import { gradients } from '../../src/graph/autodiff';
import { GraphBuilder } from '../../src/graph/builder';
import { conv, mul, reduceSum } from '../../src/graph/ops/index';
import type { Value } from '../../src/graph/value';
import { DeclaringNet, FittedNet, FlatNet } from '../../src/nn/net';
import type { Net } from '../../src/nn/net';
import { pointwiseNorm } from '../../src/nn/pointwise-norm';
import { relativeError } from '../support/golden';
import { evaluate, openNodeRuntime } from '../support/node-runtime';

const runtime = openNodeRuntime();
const noise = (stream: string, shape: readonly number[]): TensorData => {
  const rng = new Rng(2, stream);
  const size = shape.reduce((a, b) => a * b, 1);
  return floatTensor(
    shape,
    Float32Array.from({ length: size }, () => 0.5 + rng.normal()),
  );
};

const CHANNELS = 12;
const folded = (net: Net, x: Value): Value => {
  const { weight, bias } = pointwiseNorm(net, x, 'conv', 'norm', CHANNELS);
  return conv(x, weight, bias);
};
/** What a description asks for: folded too where channels widen. */
const layer = (net: Net, x: Value): Value =>
  net.convNorm(x, 'conv', 'norm', { channels: CHANNELS, kernel: 1 });
const plain = (net: Net, x: Value): Value =>
  net.batchNorm(conv(x, net.parameter('conv.weight', [CHANNELS, x.shape[1], 1, 1])), 'norm');

const declared = (describeNet: (net: Net, x: Value) => Value): DeclaringNet => {
  const net = new DeclaringNet(new GraphBuilder());
  describeNet(net, net.graph.placeholder('float32', [3, 5, 4, 6]));
  return net;
};

const x = noise('x', [3, 5, 4, 6]);
const upstream = noise('upstream', [3, CHANNELS, 4, 6]);
const { parameters, statistics } = declared(plain);
const rngOf = (name: string) => new Rng(4, name);
const feeds = {
  x,
  upstream,
  p: floatTensor([parameters.size], parameters.start(rngOf)),
  s: floatTensor(
    [statistics.size],
    statistics.start(rngOf).map((value, i) => value + 0.1 * (i % 3)),
  ),
};

it.each([folded, layer])('declares what a convolution and its batch norm do: %o', (describeNet) => {
  const own = declared(describeNet);
  expect(own.parameters.slots.map(({ name, shape }) => [name, shape])).toEqual(
    parameters.slots.map(({ name, shape }) => [name, shape]),
  );
  expect(own.statistics.slots.map(({ name }) => name)).toEqual(statistics.slots.map(({ name }) => name));
});

it.each(['train', 'evaluate'] as const)('gives their values and gradients: %s', async (mode) => {
  const run = (describeNet: (net: Net, x: Value) => Value) =>
    evaluate(runtime, feeds, (values) => {
      const net = new FlatNet(
        values.p.graph,
        { parameters, statistics },
        { parameters: values.p, statistics: values.s },
        {},
        mode,
      );
      const y = describeNet(net, values.x);
      const [dx, dp] = gradients(reduceSum(mul(y, values.upstream)), [values.x, values.p]);
      return { y, dx, dp, ...(mode === 'train' && { moved: net.nextStatistics! }) };
    });
  const expected = await run(plain);
  for (const found of [await run(folded), await run(layer)])
    for (const name of Object.keys(expected))
      expect([name, relativeError(floats(found[name]), floats(expected[name])) < 1e-5]).toEqual([name, true]);
});

it('gives their values after training', async () => {
  const named = { ...parameters.tensors(floats(feeds.p)), ...statistics.tensors(floats(feeds.s)) };
  const found = await evaluate(runtime, { x, ...named }, (values, graph) => {
    const net = new FittedNet(graph, values, '');
    return { folded: folded(net, values.x), layer: layer(net, values.x), plain: plain(net, values.x) };
  });
  for (const own of [found.folded, found.layer])
    expect(relativeError(floats(own), floats(found.plain))).toBeLessThan(1e-6);
});
