import { describe, expect, it } from 'vitest';
import { coverageAt, coverageRisk, riskArea } from '../../src/metrics/coverage';

describe('coverageRisk', () => {
  const confidence = [0.9, 0.5, 0.8, 0.8, 0.3];
  const right = [1, 0, 1, 0, 1];
  const points = coverageRisk(confidence, right);

  it('has one point per distinct confidence, falling', () => {
    expect(points).toEqual([
      { threshold: 0.9, coverage: 1 / 5, risk: 0 },
      { threshold: 0.8, coverage: 3 / 5, risk: 1 / 3 },
      { threshold: 0.5, coverage: 4 / 5, risk: 2 / 4 },
      { threshold: 0.3, coverage: 1, risk: 2 / 5 },
    ]);
  });

  it('finds the largest coverage within a risk, past a stretch that exceeds it', () => {
    expect(coverageAt(points, 0)).toBe(1 / 5);
    expect(coverageAt(points, 0.4)).toBe(1);
    expect(coverageAt(points, 1 / 3)).toBe(3 / 5);
  });

  it('one wrong of a hundred is 99 % right', () => {
    const one = coverageRisk(
      Array.from({ length: 120 }, (_, i) => 1 - i / 200),
      Array.from({ length: 120 }, (_, i) => Number(i !== 40 && i < 100)),
    );
    expect(coverageAt(one)).toBe(100 / 120);
  });

  it('covers nothing where the surest is wrong', () => {
    expect(coverageAt(coverageRisk([0.9, 0.8], [0, 1]))).toBe(0);
  });

  it('area is the mean of the risks at the items', () => {
    expect(riskArea(points)).toBeCloseTo((0 + 1 / 3 + 1 / 3 + 2 / 4 + 2 / 5) / 5, 14);
    // The wrong ones last: risk 0 for the first two, then 1/3 and 2/4.
    expect(riskArea(coverageRisk([4, 3, 2, 1], [1, 1, 0, 0]))).toBeCloseTo((1 / 3 + 2 / 4) / 4, 14);
    // All tied: the error rate.
    expect(riskArea(coverageRisk([1, 1, 1, 1], [1, 0, 1, 1]))).toBe(0.25);
  });

  it('is empty of nothing', () => {
    const none = coverageRisk([], []);
    expect([none, coverageAt(none), riskArea(none)]).toEqual([[], null, null]);
  });
});
