/** The browser's providers: WebAssembly, and WebGPU on Chromium's software adapter. */
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { Rng } from '../../src/base/rng';
import { openWebBackend } from '../../src/runtime/web';
import { Runtime } from '../../src/runtime/runtime';
import { selfTest } from '../../src/runtime/self-test';
import { floats } from '../../src/base/tensor';
import type { TensorData } from '../../src/base/tensor';
import { GraphBuilder } from '../../src/graph/builder';
import { conv, neg } from '../../src/graph/ops/index';
import { COMPOSITES } from '../graph/composites';
import { SAMPLES, float } from '../graph/samples';
import { gradientError } from '../support/finite-differences';
import { train } from '../support/training';

/** Gradient rules whose graphs differ most from each other; the whole table runs in Node. */
const SAMPLED = [
  'Conv',
  'ConvTranspose',
  'MaxPool',
  'AveragePool',
  'MatMul',
  'Softmax',
  'LayerNormalization',
  'Gather',
  'TopK',
  'ReduceMax',
  'Slice',
  'Clip',
] as const;

/** Channels, output channels, groups, side: each was wrong on the GPU before `conv` took care of it. */
const ODD_CHANNELS = [
  [6, 4, 1, 7],
  [9, 8, 1, 5],
  [18, 12, 1, 6],
  [30, 16, 1, 5],
  [10, 20, 2, 6],
  [8, 12, 2, 5],
  [4, 20, 4, 5],
] as const;

/** Largest difference from the sum that defines a convolution, written out. */
function convolutionError(found: Float32Array, x: TensorData, weight: TensorData, group: number): number {
  const [batch, channels, h, w] = x.shape;
  const [out, perGroup] = weight.shape;
  const [xs, ws] = [floats(x), floats(weight)];
  let worst = 0;
  let at = 0;
  for (let b = 0; b < batch; b++)
    for (let k = 0; k < out; k++)
      for (let i = 0; i + 3 <= h; i++)
        for (let j = 0; j + 3 <= w; j++) {
          let sum = 0;
          for (let c = 0; c < perGroup; c++) {
            const channel = Math.floor((k * group) / out) * perGroup + c;
            for (let tap = 0; tap < 9; tap++) {
              const pixel = ((b * channels + channel) * h + i + Math.floor(tap / 3)) * w + j + (tap % 3);
              sum += xs[pixel] * ws[(k * perGroup + c) * 9 + tap];
            }
          }
          worst = Math.max(worst, Math.abs(sum - found[at++]));
        }
  return worst;
}

describe.each(['wasm', 'webgpu'] as const)('%s', (kind) => {
  let runtime: Runtime;
  beforeAll(async () => {
    runtime = new Runtime(await openWebBackend(kind));
  });
  afterAll(() => runtime.close());

  it('says which provider it is and why', () => {
    expect(runtime.report.kind).toBe(kind);
    expect(runtime.report.detail).toMatch(kind === 'wasm' ? /^\d+ threads?$/ : /./);
    expect(runtime.report.reason).toMatch(/\.$/);
  });

  it('passes the self-test', async () => {
    const errors = await selfTest(runtime);
    expect(Object.keys(errors).length).toBeGreaterThan(10);
    for (const error of Object.values(errors)) expect(error).toBeLessThan(2e-4);
  });

  it.each(SAMPLED)('gradient rule of %s', async (name) => {
    const rng = new Rng(5, `browser.${name}`);
    expect(await gradientError(runtime, SAMPLES[name][0](rng), rng)).toBeLessThan(2e-3);
  });

  it.each(['batchNormTraining', 'gelu', 'resizeBilinearCorners', 'l2Normalise'])(
    'gradient of %s',
    async (name) => {
      const rng = new Rng(6, `browser.${name}`);
      expect(await gradientError(runtime, COMPOSITES[name](rng), rng)).toBeLessThan(2e-3);
    },
  );

  it('convolves odd numbers of channels and groups as the definition says', async () => {
    for (const [channels, out, group, side] of ODD_CHANNELS) {
      const rng = new Rng(7, `odd.${channels}.${out}.${group}`);
      const x = float(rng, [2, channels, side, side + 1]);
      const weight = float(rng, [out, channels / group, 3, 3]);
      const graph = new GraphBuilder();
      const y = conv(graph.input('x', x.shape), graph.input('weight', weight.shape), undefined, { group });
      graph.output('y', y);
      const { values } = await (await runtime.compile(graph.build())).run({ x, weight });
      const error = convolutionError(floats(values.y), x, weight, group);
      expect(error, `${channels} to ${out} channels in ${group} groups`).toBeLessThan(1e-4);
    }
  });

  it('reads what was uploaded and what a run left on the device, which stays there', async () => {
    const before = runtime.ledger.liveBytes;
    const x = float(new Rng(8, 'read'), [5]);
    const uploaded = runtime.upload(x);
    expect(await runtime.read(uploaded)).toEqual(x);
    const graph = new GraphBuilder();
    graph.output('y', neg(graph.input('x', [5])));
    const program = await runtime.compile(graph.build(), { resident: ['y'] });
    const first = (await program.run({ x: uploaded })).resident.y;
    const expected = { ...x, data: floats(x).map((value) => -value) };
    for (let i = 0; i < 2; i++) expect(await runtime.read(first)).toEqual(expected);
    const second = (await program.run({ x: first })).resident.y;
    expect(await runtime.read(second)).toEqual(x);
    for (const tensor of [uploaded, first, second]) tensor.dispose();
    expect(runtime.ledger.liveBytes).toBe(before);
  });

  it('trains with the losses of the CPU provider, memory flat', async () => {
    const expected = inject('losses');
    await train(runtime, 2);
    const before = runtime.ledger.liveBytes;
    const losses = await train(runtime, expected.length);
    expect(runtime.ledger.liveBytes).toBe(before);
    expect(losses.at(-1)).toBeLessThan(0.3 * losses[0]);
    losses.forEach((loss, step) =>
      expect(Math.abs(loss - expected[step])).toBeLessThan(1e-3 * Math.max(1, expected[step])),
    );
  });
});
