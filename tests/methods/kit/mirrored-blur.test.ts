import { expect, it } from 'vitest';
import { floatTensor, floats } from '../../../src/base/tensor';
import { enlargeAndBlurMirrored } from '../../../src/methods/kit/mirrored-blur';
import { evaluate, openNodeRuntime } from '../../support/node-runtime';

const runtime = openNodeRuntime();

it('leaves a constant as it is on maps smaller than its taps, and everything for σ = 0', async () => {
  const flat = floatTensor([1, 1, 3, 1], [2, 2, 2]);
  const steps = floatTensor([1, 1, 2, 2], [1, 2, 3, 4]);
  const found = await evaluate(runtime, { flat, steps }, (values) => ({
    blurred: enlargeAndBlurMirrored(values.flat, 3, 1, 4),
    same: enlargeAndBlurMirrored(values.steps, 2, 2, 0),
  }));
  floats(found.blurred).forEach((value) => expect(value).toBeCloseTo(2, 6));
  expect([...floats(found.same)]).toEqual([1, 2, 3, 4]);
});

it('mirrors without repeating the edge', async () => {
  const impulse = floatTensor([1, 1, 1, 5], [0, 1, 0, 0, 0]);
  const { row } = await evaluate(runtime, { impulse }, (values) => ({
    row: enlargeAndBlurMirrored(values.impulse, 1, 5, 0.3),
  }));
  // One tap to each side; the edge sees its only neighbour on both.
  const side = Math.exp(-1 / (2 * 0.3 * 0.3));
  const total = 1 + 2 * side;
  [2 * side, 1, side, 0, 0].forEach((weight, i) => expect(floats(row)[i]).toBeCloseTo(weight / total, 6));
});
