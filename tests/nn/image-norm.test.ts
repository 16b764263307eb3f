import { expect, it } from 'vitest';
import { Rng } from '../../src/base/rng';
import { floatTensor, floats } from '../../src/base/tensor';
import { FittedNet } from '../../src/nn/net';
import { imageNorm } from '../../src/nn/image-norm';
import { relativeError } from '../support/golden';
import { evaluate, openNodeRuntime } from '../support/node-runtime';

it('an image is normalised over channels and positions, then scaled and shifted by channel', async () => {
  const rng = new Rng(4, 'image norm');
  const [b, c, plane] = [2, 3, 20];
  const x = Float32Array.from({ length: b * c * plane }, (_, i) => 5 + (i % 7) + rng.normal());
  const [scale, shift] = [Float32Array.of(1, -2, 0.5), Float32Array.of(0, 1, -3)];
  const feeds = {
    x: floatTensor([b, c, 4, 5], x),
    weight: floatTensor([c], scale),
    bias: floatTensor([c], shift),
  };
  const { y } = await evaluate(openNodeRuntime(), feeds, ({ x, weight, bias }, graph) => ({
    y: imageNorm(new FittedNet(graph, { 'n.weight': weight, 'n.bias': bias }, ''), x, 'n'),
  }));
  const expected = Float32Array.from(x, (value, i) => {
    const own = x.subarray(Math.floor(i / (c * plane)) * c * plane).subarray(0, c * plane);
    const mean = own.reduce((sum, v) => sum + v, 0) / own.length;
    const variance = own.reduce((sum, v) => sum + (v - mean) ** 2, 0) / own.length;
    const channel = Math.floor(i / plane) % c;
    return ((value - mean) / Math.sqrt(variance + 1e-5)) * scale[channel] + shift[channel];
  });
  expect(relativeError(floats(y), expected)).toBeLessThan(1e-5);
});
