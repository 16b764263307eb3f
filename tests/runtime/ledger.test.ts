import { describe, expect, it } from 'vitest';
import { floatTensor, zeros } from '../../src/base/tensor';
import { Ledger } from '../../src/runtime/ledger';
import { Runtime } from '../../src/runtime/runtime';
import { FakeGpu } from '../support/fake-gpu';
import { openNodeRuntime } from '../support/node-runtime';

const state = ({ liveBytes, liveTensors, peakBytes }: Ledger) => [liveBytes, liveTensors, peakBytes];

describe('Ledger', () => {
  it('counts bytes and tensors, and keeps the peak', () => {
    const ledger = new Ledger();
    expect(state(ledger)).toEqual([0, 0, 0]);
    ledger.enter(100);
    ledger.enter(20);
    expect(state(ledger)).toEqual([120, 2, 120]);
    ledger.strike(100);
    ledger.enter(10);
    expect(state(ledger)).toEqual([30, 2, 120]);
  });

  it('never goes below zero', () => {
    const below = expect.objectContaining({
      code: 'internal',
      message: 'the ledger of device memory went below zero',
    }) as Error;
    expect(() => new Ledger().strike(0)).toThrow(below);
    const ledger = new Ledger();
    ledger.enter(4);
    expect(() => ledger.strike(8)).toThrow(below);
  });
});

describe.each([
  ['the CPU', openNodeRuntime],
  ['a GPU', () => new Runtime(new FakeGpu().backend)],
])('device tensors on %s', (_, open) => {
  it('are entered when made and struck when disposed, once', () => {
    const runtime = open();
    const [a, b] = [runtime.upload(zeros([3, 5])), runtime.upload(zeros([7], 'int32'))];
    expect(state(runtime.ledger)).toEqual([88, 2, 88]);
    a.dispose();
    a.dispose();
    expect(state(runtime.ledger)).toEqual([28, 1, 88]);
    b.dispose();
    expect(state(runtime.ledger)).toEqual([0, 0, 88]);
  });

  it('know their type, shape and size', () => {
    const there = open().upload(floatTensor([2, 3], [1, 2, 3, 4, 5, 6]));
    expect([there.dtype, there.shape, there.bytes]).toEqual(['float32', [2, 3], 24]);
  });

  it('are of no use afterwards', async () => {
    const runtime = open();
    const tensor = runtime.upload(zeros([2]));
    tensor.dispose();
    await expect(runtime.read(tensor)).rejects.toThrow('a device tensor is used after it was disposed');
  });
});

it('a buffer of a GPU is destroyed with its tensor', () => {
  const gpu = new FakeGpu();
  const runtime = new Runtime(gpu.backend);
  const tensor = runtime.upload(zeros([5]));
  // Rounded up to what can be bound.
  expect(gpu.liveBytes).toBe(32);
  tensor.dispose();
  expect(gpu.liveBytes).toBe(0);
});
