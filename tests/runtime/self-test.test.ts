import * as ort from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { nodeBackend } from '../../src/runtime/node';
import type { OrtModule, OrtTensor } from '../../src/runtime/ort';
import { Runtime } from '../../src/runtime/runtime';
import { EXPECTED, runFamilies, selfTest } from '../../src/runtime/self-test';
import { openNodeRuntime } from '../support/node-runtime';

type Results = Record<string, OrtTensor>;

/** ONNX Runtime whose results pass through `doctor`, with the sides of the first feed to tell families apart. */
function doctored(doctor: (results: Results, firstFeed: string) => Results): Runtime {
  const create = async (model: Uint8Array) => {
    const session = await ort.InferenceSession.create(model);
    return {
      run: async (feeds: Results) => doctor(await session.run(feeds), Object.values(feeds)[0].dims.join('×')),
      release: () => session.release(),
    };
  };
  const module = { Tensor: ort.Tensor, env: ort.env, InferenceSession: { create } } as unknown as OrtModule;
  return new Runtime(nodeBackend(module));
}

const scaled = ({ sum }: Results, factor: number): Results => ({
  sum: new ort.Tensor(
    'float32',
    (sum.data as Float32Array).map((value) => value * factor),
    [],
  ),
});

describe('self-test', () => {
  it('the stored numbers are those of the CPU provider', async () => {
    const found = await runFamilies(openNodeRuntime());
    expect(Object.keys(found).sort()).toEqual(Object.keys(EXPECTED).sort());
    for (const [family, value] of Object.entries(found))
      expect(Math.abs(value / EXPECTED[family] - 1), family).toBeLessThan(1e-5);
  });

  it('passes a sound device and tells how far each family is off', async () => {
    const errors = await selfTest(openNodeRuntime());
    expect(Object.keys(errors)).toEqual(Object.keys(EXPECTED));
    for (const error of Object.values(errors)) expect(error).toBeLessThan(1e-5);
  });

  it('names the family that is wrong', async () => {
    const runtime = doctored((results, feed) => (feed === '2×9×12×10' ? scaled(results, 1.001) : results));
    await expect(selfTest(runtime)).rejects.toMatchObject({
      code: 'gpu/self-test',
      message: 'this device computes depthwise wrongly',
      hint: 'WebAssembly is used instead. A newer graphics driver may help.',
    });
  });

  it('names all of them', async () => {
    const wrong = new Set(['3×40×70', '12×64']);
    const runtime = doctored((results, feed) => (wrong.has(feed) ? scaled(results, -1) : results));
    await expect(selfTest(runtime)).rejects.toThrow('this device computes product, selection wrongly');
  });

  it('overlooks what differs by rounding', async () => {
    await expect(selfTest(doctored((results) => scaled(results, 1 + 1e-4)))).resolves.toBeDefined();
  });

  it('counts a result that is no number as wrong', async () => {
    const runtime = doctored((results, feed) => (feed === '2×9×12×10' ? scaled(results, NaN) : results));
    await expect(selfTest(runtime)).rejects.toMatchObject({
      code: 'gpu/self-test',
      message: 'this device computes depthwise wrongly',
    });
  });
});
