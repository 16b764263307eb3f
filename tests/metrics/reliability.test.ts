import { describe, expect, it } from 'vitest';
import { Rng } from '../../src/base/rng';
import {
  calibrationError,
  fitTemperature,
  rightWhenSure,
  topProbabilities,
} from '../../src/metrics/reliability';

/** `right` of `n` items of class 0 with logits (margin, 0). */
const twoClasses = (n: number, right: number, margin: number) => ({
  logits: Array.from({ length: n }, () => [margin, 0]).flat(),
  labels: Array.from({ length: n }, (_, i) => (i < right ? 0 : 1)),
});

describe('fitTemperature', () => {
  it.each([
    [10, 8, 3],
    [100, 99, 2],
    [7, 4, 0.9],
  ])('%i items, %i right, margin %d: σ(margin / T) is the share that is right', (n, right, margin) => {
    const { logits, labels } = twoClasses(n, right, margin);
    const share = right / n;
    const fit = fitTemperature(logits, labels)!;
    expect(fit.temperature).toBeCloseTo(margin / Math.log(share / (1 - share)), 5);
    expect(fit.nllAfter).toBeCloseTo(-share * Math.log(share) - (1 - share) * Math.log(1 - share), 10);
    expect(fit.nllBefore).toBeCloseTo(Math.log1p(Math.exp(-margin)) + (1 - share) * margin, 10);
    expect(fit.n).toBe(n);
  });

  it('finds the temperature that labels were drawn with', () => {
    const rng = new Rng(5, 'temperature');
    const [n, classes, scale] = [20_000, 5, 2.5];
    const logits = Float32Array.from({ length: n * classes }, () => 2 * rng.normal());
    const labels = Array.from({ length: n }, (_, i) => {
      const row = logits.subarray(i * classes, (i + 1) * classes);
      // The largest of logits with Gumbel noise is a draw from their softmax.
      const noisy = Array.from(row, (logit) => logit - Math.log(-Math.log(1 - rng.uniform())));
      return noisy.indexOf(Math.max(...noisy));
    });
    const sharpened = logits.map((logit) => logit * scale);
    expect(fitTemperature(logits, labels)!.temperature).toBeCloseTo(1, 1);
    expect(fitTemperature(sharpened, labels)!.temperature / scale).toBeCloseTo(1, 1);
  });

  it('ends at a bound where the best lies beyond', () => {
    const sure = twoClasses(10, 10, 1);
    expect(fitTemperature(sure.logits, sure.labels)!.temperature).toBeCloseTo(0.05, 10);
    const misled = twoClasses(10, 2, 1);
    expect(fitTemperature(misled.logits, misled.labels)!.temperature).toBeCloseTo(20, 10);
  });

  it('stays 1 where nothing is better, and is null of nothing', () => {
    expect(fitTemperature([0, 0, 0, 0], [0, 1])).toEqual({
      temperature: 1,
      nllBefore: Math.LN2,
      nllAfter: Math.LN2,
      n: 2,
    });
    expect(fitTemperature([], [])).toBeNull();
  });

  it.each([
    [[1, 2, 3], [0, 0], 'internal', '3 values for 2 labels'],
    [[1, 2, 3, 4], [0, 2], 'internal', 'item 1 has class 2 of 2'],
    [[1, NaN], [0], 'run/not-finite', 'values[1] of 2 is NaN'],
  ])('refuses %j with %j', (logits, labels, code, message) => {
    expect(() => fitTemperature(logits, labels)).toThrow(expect.objectContaining({ code, message }) as Error);
  });
});

describe('top probabilities', () => {
  const probabilities = [0.2, 0.7, 0.1, 0.4, 0.4, 0.2, 0.995, 0.005, 0, 0, 0.01, 0.99];

  it('the first of equals is taken', () => {
    const { confidence, predicted, right } = topProbabilities(probabilities, [1, 1, 0, 0]);
    expect([...confidence]).toEqual([0.7, 0.4, 0.995, 0.99]);
    expect([...predicted]).toEqual([1, 0, 0, 2]);
    expect([...right]).toEqual([1, 0, 1, 0]);
  });

  it('99 % sure includes 0.99', () => {
    expect(rightWhenSure(probabilities, [1, 1, 0, 0])).toEqual({ n: 2, right: 1 });
    expect(rightWhenSure(probabilities, [1, 1, 0, 0], 0.999)).toEqual({ n: 0, right: 0 });
  });
});

describe('calibrationError', () => {
  it('averages the gap per bin by its items', () => {
    // Bins of 1/15: 0.6 ends the ninth, 0.61 and 0.62 lie in the tenth, 0.95 in the last.
    const tops = [0.6, 0.61, 0.62, 0.95, 0.95];
    const probabilities = tops.flatMap((p) => [p, 1 - p]);
    const labels = [1, 0, 1, 0, 0];
    const expected = (Math.abs(0.6 - 0) + Math.abs(1.23 - 1) + Math.abs(1.9 - 2)) / 5;
    expect(calibrationError(probabilities, labels)).toBeCloseTo(expected, 12);
  });

  it('is 0 where each bin is as right as it says, 1 where all that is certain is wrong', () => {
    const tops = [0.75, 0.75, 0.75, 0.75].flatMap((p) => [p, 1 - p]);
    expect(calibrationError(tops, [0, 0, 1, 0])).toBeCloseTo(0, 12);
    expect(calibrationError([1, 0, 1, 0], [1, 1])).toBe(1);
    expect(calibrationError([], [])).toBeNull();
  });
});

it('a prior holds the temperature of items that are all told right, and hardly that of many', () => {
  const separable = (n: number) => ({
    logits: Array.from({ length: 2 * n }, (_, at) => (at % 2 ? 0 : 3)),
    labels: new Array<number>(n).fill(0),
  });
  const few = separable(7);
  expect(fitTemperature(few.logits, few.labels)!.temperature).toBeCloseTo(0.05, 6);
  const held = fitTemperature(few.logits, few.labels, 1)!.temperature;
  expect(held).toBeGreaterThan(0.5);
  expect(held).toBeLessThan(1);
  const noisy = { ...separable(4000), labels: Array.from({ length: 4000 }, (_, i) => Number(i % 10 === 0)) };
  const plain = fitTemperature(noisy.logits, noisy.labels)!.temperature;
  expect(fitTemperature(noisy.logits, noisy.labels, 1)!.temperature).toBeCloseTo(plain, 3);
});
