import { describe, expect, it } from 'vitest';
import { mean, quantile, standardDeviation } from '../../src/metrics/statistics';

describe('mean and standard deviation', () => {
  it('of 2, 4, 4, 4, 5, 5, 7, 9: 5 and 2', () => {
    const values = [2, 4, 4, 4, 5, 5, 7, 9];
    expect(mean(values)).toBe(5);
    expect(standardDeviation(values, 'population')).toBe(2);
    expect(standardDeviation(values, 'sample')).toBeCloseTo(Math.sqrt(32 / 7), 14);
  });

  it('keep a small spread on a large offset', () => {
    expect(standardDeviation([1e9 + 1, 1e9 + 2, 1e9 + 3], 'sample')).toBe(1);
  });

  it('are null where they are not defined', () => {
    expect([mean([]), standardDeviation([], 'population'), standardDeviation([3], 'sample')]).toEqual([
      null,
      null,
      null,
    ]);
    expect(standardDeviation([3], 'population')).toBe(0);
  });
});

describe('quantile', () => {
  it.each([
    [0, 1],
    [0.25, 1.75],
    [0.4, 2.2],
    [0.5, 2.5],
    [1, 4],
  ])('%d of 4, 1, 3, 2 is %d', (q, expected) => {
    expect(quantile(Float32Array.of(4, 1, 3, 2), q)).toBeCloseTo(expected, 14);
  });

  it('is null of nothing and leaves its input alone', () => {
    const values = [3, 1, 2];
    expect([quantile([], 0.5), quantile(values, 0.5)]).toEqual([null, 2]);
    expect(values).toEqual([3, 1, 2]);
  });
});

it.each([
  ['mean', () => mean([1, NaN])],
  ['standardDeviation', () => standardDeviation([1, NaN], 'sample')],
  ['quantile', () => quantile([1, NaN], 0.5)],
])('%s names a value that is NaN', (_, run) => {
  expect(run).toThrow(
    expect.objectContaining({ code: 'run/not-finite', message: 'values[1] of 2 is NaN' }) as Error,
  );
});
