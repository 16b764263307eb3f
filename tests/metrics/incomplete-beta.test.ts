import { describe, expect, it } from 'vitest';
import { incompleteBeta, incompleteBetaInverse } from '../../src/metrics/incomplete-beta';

describe('incompleteBeta', () => {
  it('is the sum of binomial probabilities for whole numbers', () => {
    // I_x(k, n − k + 1) = P(at least k of n), n = 7, x = 0.3.
    const choose = [1, 7, 21, 35, 35, 21, 7, 1];
    for (let k = 1; k <= 7; k++) {
      const tail = choose.reduce((sum, ways, i) => (i < k ? sum : sum + ways * 0.3 ** i * 0.7 ** (7 - i)), 0);
      expect(incompleteBeta(0.3, k, 8 - k)).toBeCloseTo(tail, 14);
    }
  });

  it('is the arcsine law for halves and a power for a second parameter of 1', () => {
    for (const x of [0.001, 0.2, 0.5, 0.9, 0.9999]) {
      expect(incompleteBeta(x, 0.5, 0.5)).toBeCloseTo((2 / Math.PI) * Math.asin(Math.sqrt(x)), 12);
      expect(incompleteBeta(x, 3.7, 1)).toBeCloseTo(x ** 3.7, 13);
    }
  });

  it.each([
    [2, 3, 0.4, 0.5247999999999999],
    [10.5, 2.25, 0.9, 0.7424256809372303],
    [1000, 20, 0.98, 0.4356425645357233],
    [1e5, 1, 0.99999, 0.3678776017682466],
    [1.5, 800, 0.001, 0.3409050493697482],
  ])('scipy has for %d, %d at %d: %d', (a, b, x, expected) => {
    expect(Math.abs(incompleteBeta(x, a, b) - expected)).toBeLessThan(1e-9);
  });

  it('runs from 0 to 1 and is mirrored', () => {
    expect([incompleteBeta(0, 2, 3), incompleteBeta(1, 2, 3)]).toEqual([0, 1]);
    expect(incompleteBeta(0.3, 4, 9) + incompleteBeta(0.7, 9, 4)).toBeCloseTo(1, 14);
  });

  it('is undone by its inverse', () => {
    for (const [a, b] of [
      [0.5, 3],
      [12, 1.25],
      [300, 700],
    ])
      for (const x of [0.01, 0.3, 0.7])
        expect(incompleteBeta(incompleteBetaInverse(x, a, b), a, b)).toBeCloseTo(x, 11);
  });

  it('is undone by its inverse where all or none of few or many are right', () => {
    for (const n of [1, 2, 30, 5000, 1e5])
      for (const k of [1, Math.ceil(n / 2), n])
        for (const share of [1e-6, 0.025, 0.5, 0.975, 1 - 1e-6]) {
          const x = incompleteBetaInverse(share, k, n - k + 1);
          expect(Math.abs(incompleteBeta(x, k, n - k + 1) - share)).toBeLessThan(1e-9);
        }
  });

  it('refuses what is outside its range', () => {
    expect(() => incompleteBeta(1.1, 2, 3)).toThrow(
      expect.objectContaining({ code: 'internal', message: 'incomplete beta of 1.1 with 2, 3' }) as Error,
    );
  });
});
