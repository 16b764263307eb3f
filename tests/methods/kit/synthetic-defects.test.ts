import { describe, expect, it } from 'vitest';
import { Rng } from '../../../src/base/rng';
import { withDefect } from '../../../src/methods/kit/synthetic-defects';

const SIDE = 64;

/** Upright lines with noise, shifted by a phase. */
function lines(phase: number): Float32Array {
  const rng = new Rng(phase, 'lines');
  return Float32Array.from(
    { length: SIDE * SIDE },
    (_, i) => ((((i % SIDE) + phase) >> 2) % 2 ? 0.7 : 0.3) + 0.02 * rng.bell(),
  );
}

const drawn = (seed: number) => withDefect(lines(0), lines(3), SIDE, new Rng(seed, 'defects'));

describe('synthetic defects', () => {
  it('are the same for the same seed, and leave the image they were given alone', () => {
    const image = lines(0);
    const copy = image.slice();
    expect(withDefect(image, lines(3), SIDE, new Rng(5, 'defects'))).toEqual(drawn(5));
    expect(image).toEqual(copy);
    expect(drawn(6)).not.toEqual(drawn(5));
  });

  it('are marked where they are, one pixel wider, and nowhere else', () => {
    const image = lines(0);
    let largest = 0;
    for (let seed = 0; seed < 60; seed++) {
      const { image: changed, mask } = drawn(seed);
      let area = 0;
      for (let y = 0; y < SIDE; y++)
        for (let x = 0; x < SIDE; x++) {
          const near = [-1, 0, 1].flatMap((dy) =>
            [-1, 0, 1].flatMap((dx) => {
              const [ny, nx] = [y + dy, x + dx];
              return ny < 0 || nx < 0 || ny >= SIDE || nx >= SIDE ? [] : [ny * SIDE + nx];
            }),
          );
          const touched = near.some((p) => changed[p] !== image[p]);
          expect(mask[y * SIDE + x]).toBe(Number(touched));
          area += mask[y * SIDE + x];
        }
      expect(area).toBeGreaterThan(0);
      largest = Math.max(largest, area);
      for (let p = 0; p < changed.length; p++)
        if (changed[p] !== image[p]) expect(Math.abs(changed[p] - image[p])).toBeGreaterThan(0.02);
      expect(changed.every((value) => value >= 0 && value <= 1)).toBe(true);
    }
    expect(largest).toBeLessThan(0.9 * SIDE * SIDE);
  });
});
