import { describe, expect, it } from 'vitest';
import { Rng } from '../../src/base/rng';
import { ascendingKey, assertFinite, bitsOf, floatOfKey, rankDescending } from '../../src/metrics/order';

/** Every float32 that sorts in an unusual way. */
const EDGES = [
  0, -0, 1e-45, -1e-45, 1.1754943508222875e-38, 3.4028234663852886e38, -3.4028234663852886e38, 1, -1,
];

describe('rankDescending', () => {
  it.each([0, 1, 2, 17, 5000])('sorts %i float32 scores as a comparison does', (n) => {
    const rng = new Rng(n, 'order');
    const scores = Float32Array.from({ length: n }, () =>
      rng.uniform() < 0.2 ? rng.pick(EDGES) : rng.normal() * 10 ** rng.between(-20, 20),
    );
    const { order, ends } = rankDescending(scores);
    expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: n }, (_, i) => i));
    const sorted = Array.from(order, (i) => scores[i] + 0);
    expect(sorted).toEqual(Array.from(scores, (score) => score + 0).sort((a, b) => b - a));
    expect(ends.length).toBe(new Set(sorted).size);
    for (const end of ends) expect(sorted[end - 1]).not.toBe(sorted[end]);
  });

  it('takes number arrays by the same rule', () => {
    const { order, ends } = rankDescending([0.5, 2, -1, 2, 0.5, 0.5]);
    expect([...ends]).toEqual([2, 5, 6]);
    expect([...order.slice(0, 2)].sort()).toEqual([1, 3]);
    expect(order[5]).toBe(2);
  });

  it('sees 0 and −0 as a tie', () => {
    expect([...rankDescending(Float32Array.of(0, -0, 0, -0)).ends]).toEqual([4]);
    expect([...rankDescending([0, -0, 0, -0]).ends]).toEqual([4]);
  });

  it('sorts a part of a larger buffer', () => {
    const whole = Float32Array.of(9, 1, 3, 2, 9);
    expect([...rankDescending(whole.subarray(1, 4)).order]).toEqual([1, 2, 0]);
  });

  it.each([
    [Float32Array.of(1, 2, NaN), 'scores[2] of 3 is NaN'],
    [[1, Infinity], 'scores[1] of 2 is Infinity'],
    [[-Infinity], 'scores[0] of 1 is -Infinity'],
  ])('names a score that is not finite', (scores, message) => {
    expect(() => rankDescending(scores)).toThrow(
      expect.objectContaining({ code: 'run/not-finite', message }) as Error,
    );
  });
});

describe('ascendingKey', () => {
  it('grows with the value and comes back', () => {
    const rng = new Rng(1, 'keys');
    const values = Float32Array.from([
      ...EDGES,
      ...Array.from({ length: 2000 }, () => rng.normal() * 1e3),
    ]).sort();
    const keys = Array.from(bitsOf(values), ascendingKey);
    for (let i = 1; i < keys.length; i++) {
      if (values[i] > values[i - 1]) expect(keys[i]).toBeGreaterThan(keys[i - 1]);
      else expect(keys[i]).toBe(keys[i - 1]);
    }
    expect(keys.map((key) => floatOfKey(key) + 0)).toEqual(Array.from(values, (value) => value + 0));
  });
});

it('assertFinite passes finite numbers', () => {
  expect(() => assertFinite([0, -1e300], 'scores')).not.toThrow();
});
