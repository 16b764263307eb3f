import { describe, expect, it } from 'vitest';
import { Rng } from '../../src/base/rng';
import { quantile } from '../../src/metrics/statistics';
import {
  calibrate,
  calibration,
  f1AdaptiveThreshold,
  goodOnlyThreshold,
  normaliseMinMax,
  uncalibrate,
} from '../../src/metrics/threshold';

const notFinite = (message: string) => expect.objectContaining({ code: 'run/not-finite', message }) as Error;

describe('f1AdaptiveThreshold', () => {
  it('the case of methods 20.7', () => {
    expect(f1AdaptiveThreshold([2.3, 1.6, 2.6, 7.9, 3.3], [0, 0, 0, 1, 1])).toBe(3.3);
  });

  it('all good: the highest; all anomalous: the lowest; nothing: null', () => {
    expect(f1AdaptiveThreshold([3, 1, 2], [0, 0, 0])).toBe(3);
    expect(f1AdaptiveThreshold([3, 1, 2], [1, 1, 1])).toBe(1);
    expect(f1AdaptiveThreshold([], [])).toBeNull();
  });
});

describe('normaliseMinMax', () => {
  it('the example of methods 20.6', () => {
    const range = { min: 2, max: 10, threshold: 5 };
    expect([2, 5, 6, 9, 10, 12, -9].map((s) => normaliseMinMax(s, range))).toEqual([
      0.125, 0.5, 0.625, 1, 1, 1, 0,
    ]);
  });

  it('takes the middle for an unknown threshold', () => {
    expect(normaliseMinMax(6, { min: 2, max: 10 })).toBe(0.5);
  });

  it('without a range tells only the side of the threshold', () => {
    expect([1, 2, 3].map((s) => normaliseMinMax(s, { min: 2, max: 2, threshold: 2 }))).toEqual([0, 0.5, 1]);
    expect(() => normaliseMinMax(NaN, { min: 0, max: 1 })).toThrow(notFinite('the score is NaN'));
  });
});

describe('goodOnlyThreshold', () => {
  it('mean + 3 sample standard deviations below 200 scores', () => {
    expect(goodOnlyThreshold([1, 2, 3])).toBeCloseTo(2 + 3, 14);
    const scores = Array.from({ length: 199 }, (_, i) => i);
    expect(goodOnlyThreshold(scores)).toBeCloseTo(99 + 3 * Math.sqrt((199 * 200) / 12), 9);
  });

  it('the 0.995 quantile from 200 on', () => {
    const scores = Array.from({ length: 200 }, (_, i) => i);
    expect(goodOnlyThreshold(scores)).toBeCloseTo(0.995 * 199, 12);
  });

  it('is null without a spread', () => {
    expect([[], [4], [0.1, 0.1, 0.1], new Float32Array(300).fill(0.7)].map(goodOnlyThreshold)).toEqual([
      null,
      null,
      null,
      null,
    ]);
  });

  it('names a score that is NaN', () => {
    expect(() => goodOnlyThreshold([1, NaN])).toThrow(notFinite('values[1] of 2 is NaN'));
  });
});

describe('calibration', () => {
  const good = [1, 4, 2, 3, 10];
  const by = calibration(good, 7)!;

  it('is plain data: threshold, median, number', () => {
    expect(by).toEqual({ threshold: 7, median: 3, n: 5 });
  });

  it('0.05 at the median, 0.5 at the threshold, 0.95 as far above', () => {
    expect(calibrate(by, 3)).toBeCloseTo(0.05, 14);
    expect(calibrate(by, 7)).toBe(0.5);
    expect(calibrate(by, 11)).toBeCloseTo(0.95, 14);
  });

  it('rises strictly up to twelve distances, stays in 0 … 1 beyond, and comes back', () => {
    const rng = new Rng(1, 'calibration');
    const scores = Float64Array.from({ length: 2000 }, () => rng.between(-200, 7 + 4 * 12)).sort();
    const values = Array.from(scores, (score) => calibrate(by, score));
    for (let i = 1; i < values.length; i++)
      if (scores[i] - scores[i - 1] > 1e-3) expect(values[i]).toBeGreaterThanOrEqual(values[i - 1]);
    expect(new Set(values.filter((_, i) => scores[i] < 40)).size).toBe(
      new Set(scores.filter((score) => score < 40)).size,
    );
    expect([-1e308, 1e308, -Infinity, Infinity].map((score) => calibrate(by, score))).toEqual([0, 1, 0, 1]);
    for (let score = -50; score < 30; score += 0.37)
      expect(uncalibrate(by, calibrate(by, score))).toBeCloseTo(score, 6);
    expect([uncalibrate(by, 0), uncalibrate(by, 1)]).toEqual([-Infinity, Infinity]);
  });

  it.each([
    ['the threshold at the median', { threshold: 3, median: 3, n: 5 }],
    ['the threshold below the median', { threshold: -2, median: 3, n: 5 }],
    ['everything at zero', { threshold: 0, median: 0, n: 5 }],
    ['tiny scores', { threshold: 1e-9, median: 1e-9, n: 5 }],
  ])('stays a step without NaN: %s', (_, step) => {
    const { threshold } = step;
    const distance = Math.abs(threshold) || 1;
    expect(calibrate(step, threshold)).toBe(0.5);
    expect(calibrate(step, threshold - distance)).toBeLessThan(1e-6);
    expect(calibrate(step, threshold + distance)).toBeGreaterThan(1 - 1e-6);
    expect(uncalibrate(step, 0.5)).toBe(threshold);
    expect(uncalibrate(step, 0.6)).toBeGreaterThan(threshold);
    expect(calibrate(step, uncalibrate(step, 0.6))).toBeCloseTo(0.6, 4);
  });

  it('means the same for every unit of the score', () => {
    const scores = Array.from({ length: 30 }, (_, i) => (i * 7) % 11);
    const threshold = goodOnlyThreshold(scores)!;
    const scaled = scores.map((score) => score * 250 - 40);
    const original = calibration(scores, threshold)!;
    const other = calibration(scaled, goodOnlyThreshold(scaled)!)!;
    expect(original.median).toBe(quantile(scores, 0.5));
    for (const score of [-3, 0, 5, 9, 20])
      expect(calibrate(other, score * 250 - 40)).toBeCloseTo(calibrate(original, score), 9);
  });

  it('is null without scores and refuses what is no number', () => {
    expect(calibration([], 1)).toBeNull();
    expect(() => calibration([1, 2], NaN)).toThrow(notFinite('the threshold is NaN'));
    expect(() => calibration([1, NaN], 2)).toThrow(notFinite('values[1] of 2 is NaN'));
    expect(() => calibrate(by, NaN)).toThrow(notFinite('the score is NaN'));
    for (const value of [-0.1, 1.1, NaN])
      expect(() => uncalibrate(by, value)).toThrow(
        expect.objectContaining({
          code: 'internal',
          message: `calibrated value ${value} is not in 0 … 1`,
        }) as Error,
      );
  });
});
