import { describe, expect, it } from 'vitest';
import { Rng, fnv1a32 } from '../../src/base/rng';

const MASK = 0xffffffffn;
const multiply = (a: bigint, b: bigint) => (a * b) & MASK;
const rotate = (x: bigint, k: bigint) => ((x << k) | (x >> (32n - k))) & MASK;

/** xoshiro128** in plain BigInt arithmetic. */
function* xoshiro(state: readonly bigint[]): Generator<number, never> {
  let [a, b, c, d] = state;
  for (;;) {
    yield Number(multiply(rotate(multiply(b, 5n), 7n), 9n));
    const shifted = (b << 9n) & MASK;
    [a, b, c, d] = [a ^ d ^ b, b ^ c ^ a, c ^ a ^ shifted, rotate(d ^ b, 11n)];
  }
}

/** FNV-1a and the seeding, in plain BigInt arithmetic. */
function seeded(seed: number, stream: string): bigint[] {
  let hash = 0x811c9dc5n;
  for (const byte of new TextEncoder().encode(stream)) hash = multiply(hash ^ BigInt(byte), 0x01000193n);
  let x = hash ^ multiply(BigInt(seed) & MASK, 0x9e3779b9n);
  return Array.from({ length: 4 }, () => {
    x = (x + 0x9e3779b9n) & MASK;
    let z = multiply(x ^ (x >> 16n), 0x85ebca6bn);
    z = multiply(z ^ (z >> 13n), 0xc2b2ae35n);
    return z ^ (z >> 16n);
  });
}

const take = (numbers: Generator<number>, n: number) =>
  Array.from({ length: n }, () => numbers.next().value as number);

describe('Rng', () => {
  it('the reference of this test gives the published sequence for state 1, 2, 3, 4', () => {
    expect(take(xoshiro([1n, 2n, 3n, 4n]), 10)).toEqual([
      11520, 0, 5927040, 70819200, 2031721883, 1637235492, 1287239034, 3734860849, 3729100597, 4258142804,
    ]);
  });

  it.each([
    [0, ''],
    [1, 'split'],
    [-7, 'noise'],
    [2147483647, 'augment'],
  ])('is xoshiro128** for seed %i, stream "%s"', (seed, stream) => {
    const rng = new Rng(seed, stream);
    expect(Array.from({ length: 2000 }, () => rng.uint32())).toEqual(
      take(xoshiro(seeded(seed, stream)), 2000),
    );
  });

  it('uniform, between and integer are the same numbers, scaled', () => {
    const [raw, u, b, i] = Array.from({ length: 4 }, () => new Rng(3, 'scaled'));
    for (let k = 0; k < 500; k++) {
      const share = raw.uint32() / 2 ** 32;
      expect([u.uniform(), b.between(-2, 6), i.integer(10)]).toEqual([
        share,
        -2 + 8 * share,
        Math.floor(10 * share),
      ]);
    }
  });

  it('streams and forks have sequences of their own', () => {
    const first = (rng: Rng) => rng.uint32();
    const parent = new Rng(1, 'a');
    const values = [
      first(new Rng(1, 'b')),
      first(new Rng(2, 'a')),
      first(parent.fork('a')),
      first(parent.fork('a')),
      first(new Rng(1, 'a').fork('b')),
      first(new Rng(1, 'a')),
    ];
    expect(new Set(values).size).toBe(values.length);
    expect(first(new Rng(1, 'a').fork('x'))).toBe(first(new Rng(1, 'a').fork('x')));
  });

  it.each(['bell', 'normal'] as const)('%s has mean 0 and variance 1', (kind) => {
    const rng = new Rng(5, kind);
    const n = 40_000;
    const values = Array.from({ length: n }, () => rng[kind]());
    const mean = values.reduce((sum, value) => sum + value, 0) / n;
    const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / n;
    // Four standard errors.
    expect(Math.abs(mean)).toBeLessThan(4 / Math.sqrt(n));
    expect(Math.abs(variance - 1)).toBeLessThan(4 * Math.sqrt(2 / n));
    const largest = Math.max(...values.map(Math.abs));
    if (kind === 'bell') expect(largest).toBeLessThanOrEqual(2 * Math.sqrt(3));
    else expect(largest).toBeGreaterThan(3.5);
  });

  it('integers and uniform numbers fill their range evenly', () => {
    const rng = new Rng(6, 'even');
    const counts = new Array<number>(10).fill(0);
    for (let i = 0; i < 20_000; i++) counts[rng.integer(10)]++;
    // Chi-square with 9 degrees of freedom: 33.7 is passed once in 10,000.
    expect(counts.reduce((sum, count) => sum + (count - 2000) ** 2 / 2000, 0)).toBeLessThan(33.7);
  });

  it('permutation has every number once and treats all orders alike', () => {
    const rng = new Rng(7, 'orders');
    expect([...rng.permutation(100)].sort((a, b) => a - b)).toEqual(Array.from({ length: 100 }, (_, i) => i));
    expect([...rng.permutation(0)]).toEqual([]);
    const counts = new Map<string, number>();
    for (let i = 0; i < 12_000; i++) {
      const order = rng.permutation(4).join('');
      counts.set(order, (counts.get(order) ?? 0) + 1);
    }
    expect(counts.size).toBe(24);
    // Chi-square with 23 degrees of freedom: 56 is passed once in 10,000.
    expect([...counts.values()].reduce((sum, count) => sum + (count - 500) ** 2 / 500, 0)).toBeLessThan(56);
  });

  it('choose gives different numbers, ascending; pick gives members', () => {
    const rng = new Rng(8, 'choice');
    for (let k = 0; k <= 12; k++) {
      const chosen = [...rng.choose(12, k)];
      expect(new Set(chosen).size).toBe(k);
      expect(chosen).toEqual([...chosen].sort((a, b) => a - b));
      expect(chosen.every((value) => value >= 0 && value < 12)).toBe(true);
    }
    const picked = new Set(Array.from({ length: 100 }, () => rng.pick(['a', 'b', 'c'])));
    expect(picked).toEqual(new Set(['a', 'b', 'c']));
  });
});

it.each([
  ['', 0x811c9dc5],
  ['a', 0xe40c292c],
  ['foobar', 0xbf9cf968],
])('fnv1a32 of "%s" is the published value', (text, hash) => {
  expect(fnv1a32(text)).toBe(hash);
});
