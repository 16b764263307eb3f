import { describe, expect, it } from 'vitest';
import { Rng } from '../../../src/base/rng';
import { perlinMask, perlinNoise } from '../../../src/methods/kit/perlin';

const rngOf = (seed: number) => new Rng(seed, 'perlin');

describe('Perlin noise (methods.md 11.9)', () => {
  it('is zero at the nodes of its lattice and never beyond 1', () => {
    const rng = rngOf(1);
    const angles = Float64Array.from({ length: 25 }, () => rng.between(0, 2 * Math.PI));
    const noise = perlinNoise(angles, [4, 4], 32, 32);
    for (let y = 0; y < 32; y += 8)
      for (let x = 0; x < 32; x += 8) expect(noise[y * 32 + x]).toBeCloseTo(0, 6);
    expect(noise.every((value) => Math.abs(value) <= 1)).toBe(true);
  });

  it('masks are the same for the same seed, of any size, and hold something', () => {
    for (let seed = 0; seed < 40; seed++) {
      const mask = perlinMask(28, 56, rngOf(seed));
      expect(mask).toEqual(perlinMask(28, 56, rngOf(seed)));
      expect(mask.length).toBe(28 * 56);
      expect(mask.every((value) => value === 0 || value === 1)).toBe(true);
      expect(mask.includes(1)).toBe(true);
    }
    expect(perlinMask(28, 56, rngOf(1))).not.toEqual(perlinMask(28, 56, rngOf(2)));
  });
});
