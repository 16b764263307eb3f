import { describe, expect, it } from 'vitest';
import { Rng } from '../../src/base/rng';
import { kendallTauB, spearman } from '../../src/metrics/rank-agreement';

/** All pairs, by the definition of tau-b. */
function tauByPairs(a: readonly number[], b: readonly number[]): number | null {
  let surplus = 0;
  let untiedA = 0;
  let untiedB = 0;
  for (let i = 0; i < a.length; i++)
    for (let j = 0; j < i; j++) {
      surplus += Math.sign(a[i] - a[j]) * Math.sign(b[i] - b[j]);
      if (a[i] !== a[j]) untiedA++;
      if (b[i] !== b[j]) untiedB++;
    }
  return untiedA && untiedB ? surplus / Math.sqrt(untiedA * untiedB) : null;
}

/** Pearson's correlation of ranks counted one by one. */
function rhoByCounting(a: readonly number[], b: readonly number[]): number | null {
  const rank = (values: readonly number[]) =>
    values.map((v) => values.filter((w) => w < v).length + (values.filter((w) => w === v).length + 1) / 2);
  const centred = (values: readonly number[]) => rank(values).map((r) => r - (values.length + 1) / 2);
  const dot = (x: readonly number[], y: readonly number[]) =>
    x.reduce((sum, value, i) => sum + value * y[i], 0);
  const [x, y] = [centred(a), centred(b)];
  return dot(x, x) && dot(y, y) ? dot(x, y) / Math.sqrt(dot(x, x) * dot(y, y)) : null;
}

describe('rank agreement', () => {
  it("scipy's documented values", () => {
    expect(spearman([1, 2, 3, 4, 5], [5, 6, 7, 8, 7])).toBeCloseTo(0.82078268166812329, 12);
    expect(kendallTauB([12, 2, 1, 12, 2], [1, 4, 7, 1, 0])).toBeCloseTo(-0.47140452079103173, 12);
  });

  it('follows the definitions on random lists with ties', () => {
    const rng = new Rng(1, 'agreement');
    for (let round = 0; round < 200; round++) {
      const n = rng.integer(30);
      const levels = 1 + rng.integer(20);
      const [a, b] = [0, 1].map(() => Array.from({ length: n }, () => rng.integer(levels) - 5));
      for (const [actual, expected] of [
        [kendallTauB(a, b), tauByPairs(a, b)],
        [spearman(a, b), rhoByCounting(a, b)],
      ])
        if (expected === null) expect(actual).toBeNull();
        else expect(actual).toBeCloseTo(expected, 12);
    }
  });

  it('is 1 for the same order, −1 for the opposite, whatever the scale', () => {
    const scores = Float32Array.from({ length: 500 }, (_, i) => Math.sin(i));
    const stretched = scores.map((score) => Math.exp(5 * score));
    for (const agreement of [spearman, kendallTauB]) {
      expect(agreement(scores, stretched)).toBeCloseTo(1, 12);
      expect(agreement(scores, scores.map((score) => -score))).toBeCloseTo(-1, 12); // prettier-ignore
    }
  });

  it.each(Object.entries({ spearman, kendallTauB }))('%s: null and refusals', (_, agreement) => {
    expect([agreement([], []), agreement([1], [2]), agreement([1, 1], [1, 2])]).toEqual([null, null, null]);
    expect(() => agreement([1, 2], [1])).toThrow(
      expect.objectContaining({ code: 'internal', message: '2 scores against 1' }) as Error,
    );
    expect(() => agreement([1, 2], [1, NaN])).toThrow(
      expect.objectContaining({ code: 'run/not-finite', message: 'scores[1] of 2 is NaN' }) as Error,
    );
  });
});
