import { describe, expect, it } from 'vitest';
import { mcnemar } from '../../src/metrics/mcnemar';

/** Predictions of two classes: images that both, the first, the second and neither get right. */
function predictions(both: number, first: number, second: number, neither: number) {
  const actual = new Array<number>(both + first + second + neither).fill(0);
  const rights = (from: number, to: number) => (_: number, i: number) => (i >= from && i < to ? 0 : 1);
  return [
    actual,
    actual.map(rights(0, both + first)),
    actual.map((_, i) => (i < both || (i >= both + first && i < both + first + second) ? 0 : 1)),
  ] as const;
}

describe('mcnemar', () => {
  it('counts what each gets right', () => {
    // The third image is unknown to the second: not right.
    expect(mcnemar([0, 1, 2, 2, 1], [0, 1, 2, 0, 0], [0, 0, 3, 2, 2])).toEqual({
      bothRight: 1,
      onlyFirst: 2,
      onlySecond: 1,
      bothWrong: 1,
      p: expect.closeTo(1, 12) as number,
    });
  });

  it.each([
    [10, 2, 2 * ((1 + 12 + 66) / 2 ** 12)],
    [0, 5, 2 / 2 ** 5],
    [1, 0, 1],
    [3, 3, 1],
    [0, 0, 1],
    [59, 6, 4.964650327128616e-12],
    [101, 121, 0.20213432065995843],
  ])('%i against %i: p = %d, by hand and by scipy', (first, second, expected) => {
    const { p } = mcnemar(...predictions(4, first, second, 3));
    expect(Math.abs(p - expected)).toBeLessThan(1e-9 * expected);
    expect(mcnemar(...predictions(4, second, first, 3)).p).toBe(p);
  });

  it('refuses predictions for other images', () => {
    expect(() => mcnemar([0, 1], [0, 1], [0])).toThrow(
      expect.objectContaining({ code: 'internal', message: '2 and 1 predictions for 2' }) as Error,
    );
  });
});
