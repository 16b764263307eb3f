import { describe, expect, it } from 'vitest';
import { binomialInterval, bootstrapIntervals, imagesForBound } from '../../src/metrics/intervals';
import { mean } from '../../src/metrics/statistics';

describe('binomialInterval', () => {
  it.each([1, 2, 10, 140, 5000])('of none and of all of %i is a closed form', (n) => {
    const end = 0.025 ** (1 / n);
    const none = binomialInterval(0, n)!;
    const all = binomialInterval(n, n)!;
    expect([none.low, all.high]).toEqual([0, 1]);
    expect(none.high).toBeCloseTo(1 - end, 12);
    expect(all.low).toBeCloseTo(end, 12);
  });

  it.each([
    [1, 10, 0.95, 0.0025285785444625728, 0.44501611702819543],
    [9, 10, 0.95, 0.5549838829718047, 0.9974714214555375],
    [24, 29, 0.95, 0.6422524455850773, 0.9415439170273658],
    [7, 1000, 0.95, 0.0028188587596180135, 0.014369194979269567],
    [50, 100, 0.99, 0.36886143735890525, 0.6311385626410948],
    [1056, 1262, 0.95, 0.8152011190873968, 0.8567506790081989],
    [99999, 100000, 0.95, 0.9999442848396557, 0.9999997468215721],
  ])('scipy has for %i of %i at %d: %d to %d', (k, n, level, low, high) => {
    const found = binomialInterval(k, n, level)!;
    expect(Math.abs(found.low - low)).toBeLessThan(1e-9);
    expect(Math.abs(found.high - high)).toBeLessThan(1e-9);
  });

  it('is mirrored', () => {
    const [some, others] = [binomialInterval(3, 17)!, binomialInterval(14, 17)!];
    expect(some.low).toBeCloseTo(1 - others.high, 12);
    expect(some.high).toBeCloseTo(1 - others.low, 12);
  });

  it('is null of nothing and refuses more than all', () => {
    expect(binomialInterval(0, 0)).toBeNull();
    expect(() => binomialInterval(4, 3)).toThrow(
      expect.objectContaining({ code: 'internal', message: '4 of 3' }) as Error,
    );
  });
});

describe('imagesForBound', () => {
  it('of a class that is always right is a closed form: (1 − 0.025^(1/n)) / 2 ≤ 0.1', () => {
    expect(imagesForBound(1)).toBe(Math.ceil(Math.log(0.025) / Math.log(0.8)));
    expect(imagesForBound(0)).toBe(imagesForBound(1));
  });

  it.each([
    [0.9, 0.1, 44],
    [0.5, 0.1, 104],
    [0.75, 0.05, 306],
    [24 / 29, 0.1, 63],
  ])('counted up with scipy, %d within ±%d takes %i', (rate, halfWidth, expected) => {
    expect(imagesForBound(rate, halfWidth)).toBe(expected);
  });

  it('takes 0.9 for a class that was not seen', () => {
    expect(imagesForBound(null)).toBe(imagesForBound(0.9));
  });

  it('asks for no more once the interval of what was seen is narrow enough', () => {
    const { low, high } = binomialInterval(45, 50)!;
    expect((high - low) / 2).toBeLessThan(0.1);
    expect(imagesForBound(45 / 50)).toBeLessThanOrEqual(50);
  });
});

describe('bootstrapIntervals', () => {
  const values = Array.from({ length: 200 }, (_, i) => Math.sin(i * 12.9898) * 3 + 5);
  const figures = (drawn: Int32Array) => ({
    mean: mean(Array.from(drawn, (i) => values[i])),
    constant: 7,
    undefined: null,
  });

  it('of a mean is near the normal one', () => {
    const { mean: found } = bootstrapIntervals(values.length, figures, 3, { rounds: 4000 });
    const centre = mean(values)!;
    const error = Math.sqrt(mean(values.map((value) => (value - centre) ** 2))! / values.length);
    expect(found!.low).toBeGreaterThan(centre - 2.15 * error);
    expect(found!.low).toBeLessThan(centre - 1.8 * error);
    expect(found!.high).toBeGreaterThan(centre + 1.8 * error);
    expect(found!.high).toBeLessThan(centre + 2.15 * error);
  });

  it('is narrower at a lower level', () => {
    const [wide, narrow] = [0.95, 0.5].map((level) => bootstrapIntervals(200, figures, 3, { level }).mean!);
    expect(narrow.low).toBeGreaterThan(wide.low);
    expect(narrow.high).toBeLessThan(wide.high);
  });

  it('follows its seed', () => {
    const [a, b, c] = [1, 1, 2].map((seed) => bootstrapIntervals(200, figures, seed).mean);
    expect(a).toEqual(b);
    expect(a).not.toEqual(c);
  });

  it('says nothing where the draws agree or there are none', () => {
    const found = bootstrapIntervals(200, figures, 1, { rounds: 20 });
    expect([found.constant, found.undefined]).toEqual([null, null]);
    expect(bootstrapIntervals(1, figures, 1, { rounds: 20 }).mean).toBeNull();
    expect(bootstrapIntervals(0, figures, 1, { rounds: 20 }).mean).toBeNull();
  });
});
