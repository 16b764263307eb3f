import { expect, it } from 'vitest';
import { AVERAGE_EVERY, WeightAverage } from '../../scripts/train-clip/average';
import { IMAGES, MINUTES, phasesOf, scheduleOf } from '../../scripts/train-clip/plan';

it('a budget scales the steps of both phases', () => {
  const [coarse, fine] = phasesOf(MINUTES, IMAGES);
  const [half, halfFine] = phasesOf(MINUTES / 2, 1000);
  expect([half.steps, halfFine.steps]).toEqual([coarse.steps / 2, fine.steps / 2]);
  expect([half.images, halfFine.images]).toEqual([1000, 125]);
});

it('the rate rises along a line and falls to a hundredth along half a cosine', () => {
  const [phase] = phasesOf(MINUTES, IMAGES);
  const rate = scheduleOf({ ...phase, rate: 1, warmUp: 10, steps: 110 });
  expect(rate(0)).toBeCloseTo(0.1, 9);
  expect(rate(4)).toBeCloseTo(0.5, 9);
  expect(rate(60)).toBeCloseTo(0.51, 9);
  expect(rate(110)).toBeCloseTo(0.01, 9);
});

it('an average forgets its start, then follows slowly', () => {
  const weights = (value: number) => ({
    matrices: { parameters: Float32Array.of(value), statistics: new Float32Array() },
  });
  const average = new WeightAverage(0.5 ** (1 / AVERAGE_EVERY), weights(100));
  average.add(weights(1));
  expect(average.vectors.matrices.parameters[0]).toBe(1);
  average.add(weights(12));
  expect(average.vectors.matrices.parameters[0]).toBeCloseTo(11, 5);
  const late = new WeightAverage(0.5 ** (1 / AVERAGE_EVERY), weights(0), 1000);
  late.add(weights(8));
  expect(late.vectors.matrices.parameters[0]).toBeCloseTo(4, 5);
});
