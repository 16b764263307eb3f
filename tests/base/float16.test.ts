import { describe, expect, it } from 'vitest';
import {
  bfloatsToFloats,
  floatToHalf,
  floatsToHalves,
  halfToFloat,
  halvesToFloats,
} from '../../src/base/float16';
import { Rng } from '../../src/base/rng';

const PATTERNS = Array.from({ length: 65536 }, (_, bits) => bits);

/** The value of a pattern as the standard spells it: (−1)^s · 2^(e−25) · whole number, subnormals with e = 1. */
function spelled(bits: number): number {
  const [, sign, exponent, fraction] = /^(.)(.{5})(.{10})$/.exec(bits.toString(2).padStart(16, '0'))!;
  const e = parseInt(exponent, 2);
  const f = parseInt(fraction, 2);
  const magnitude = e === 31 ? (f ? NaN : Infinity) : (f + (e ? 1024 : 0)) * 2 ** (Math.max(e, 1) - 25);
  return sign === '1' ? -magnitude : magnitude;
}

/** Finite patterns from 0 up; the one after the last stands for infinity at 65,536, where rounding would put it. */
const LADDER = PATTERNS.slice(0, 0x7c01).map((bits) => (bits === 0x7c00 ? 65536 : spelled(bits)));

/** The nearest pattern by search; half-way the even one. */
function nearest(value: number): number {
  const magnitude = Math.abs(value);
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  if (magnitude >= 65536) return sign | 0x7c00;
  let low = 0;
  let high = LADDER.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (LADDER[middle] <= magnitude) low = middle;
    else high = middle;
  }
  const [below, above] = [magnitude - LADDER[low], LADDER[high] - magnitude];
  return sign | (below < above || (below === above && low % 2 === 0) ? low : high);
}

describe('half precision', () => {
  it('decodes all 65,536 patterns', () => {
    for (const bits of PATTERNS)
      if (!Object.is(halfToFloat(bits), spelled(bits))) expect.fail(`pattern ${bits}`);
    expect([0x3c00, 0xc000, 0x7bff, 0x0001, 0x0400, 0x3555].map(halfToFloat)).toEqual([
      1,
      -2,
      65504,
      2 ** -24,
      2 ** -14,
      0.333251953125,
    ]);
  });

  it('round-trips all patterns; every NaN stays one', () => {
    for (const bits of PATTERNS) {
      const back = floatToHalf(halfToFloat(bits));
      const same = Number.isNaN(spelled(bits))
        ? (back & 0x7c00) === 0x7c00 && (back & 0x3ff) !== 0
        : back === bits;
      if (!same) expect.fail(`pattern ${bits} became ${back}`);
    }
  });

  it('rounds every float32 to the nearest pattern, half-way to the even one', () => {
    const rng = new Rng(1, 'halves');
    const fround = Math.fround;
    const values = LADDER.slice(1).flatMap((value, i) => {
      const half = (value + LADDER[i]) / 2;
      // The middle between neighbours and the float32 on either side of it.
      return [half, half * (1 + 2 ** -23), half * (1 - 2 ** -23)].map(fround);
    });
    for (let i = 0; i < 50_000; i++) values.push(fround(rng.normal() * 2 ** rng.between(-30, 20)));
    for (const value of values)
      for (const signed of [value, -value])
        if (floatToHalf(signed) !== nearest(signed)) expect.fail(`${signed} became ${floatToHalf(signed)}`);
  });

  it.each([
    [65504, 0x7bff],
    [65519.996, 0x7bff],
    [65520, 0x7c00],
    [1e30, 0x7c00],
    [-Infinity, 0xfc00],
    [-0, 0x8000],
    [2 ** -25, 0],
    [2 ** -25 * 1.0001, 1],
    [NaN, 0x7e00],
  ])('%d becomes %i', (value, bits) => {
    expect(floatToHalf(value)).toBe(bits);
  });

  it('converts arrays both ways', () => {
    const halves = Uint16Array.from(PATTERNS);
    const floats = halvesToFloats(halves);
    expect(floats.every((value, i) => Object.is(value, spelled(i)))).toBe(true);
    expect(floatsToHalves(floats.slice(0, 0x7c01))).toEqual(halves.slice(0, 0x7c01));
  });
});

it('bfloat16 is the upper half of a float32', () => {
  const floats = Float32Array.of(1, -2.5, 3.140625, 0, -0, Infinity, 2 ** -126);
  const upper = Uint16Array.from(new Uint32Array(floats.buffer), (word) => word >>> 16);
  expect(bfloatsToFloats(upper)).toEqual(floats);
  expect(bfloatsToFloats(Uint16Array.of(0x7fc0))[0]).toBeNaN();
});
