import { describe, expect, it } from 'vitest';
import { Rng } from '../../../src/base/rng';
import { floats } from '../../../src/base/tensor';
import { noiseBlotches } from '../../../src/methods/kit/noise-blotches';

const SHAPE = [3, 16, 16];
const AREA = 256;
const how = { threshold: 0.2, sigma: 0.5 };
const rng = (seed = 0) => new Rng(seed, 'blotches');

describe('noise in blotches (methods.md 11.9)', () => {
  it('is 0 where the target is, of the wanted size elsewhere, in every channel of the second copies alone', () => {
    const { noise, target } = noiseBlotches(rng(), SHAPE, [undefined, undefined], how);
    expect([noise.shape, target.shape]).toEqual([
      [2, 3, 16, 16],
      [4, 1, 16, 16],
    ]);
    const [values, marks] = [floats(noise), floats(target)];
    expect(marks.slice(0, 2 * AREA).every((mark) => mark === 0)).toBe(true);
    const inside: number[] = [];
    values.forEach((value, i) => {
      const [image, place] = [Math.floor(i / (3 * AREA)), i % AREA];
      if (marks[(2 + image) * AREA + place]) inside.push(value);
      else expect(value).toBe(0);
    });
    expect(inside.length).toBeGreaterThan(100);
    expect(inside.every((value) => value !== 0)).toBe(true);
    const variance = inside.reduce((sum, value) => sum + value * value, 0) / inside.length;
    expect(Math.sqrt(variance)).toBeGreaterThan(0.4);
    expect(Math.sqrt(variance)).toBeLessThan(0.6);
  });

  it('leaves real defects alone and counts them in both copies', () => {
    const defect = new Uint8Array(AREA).fill(1, 0, AREA / 2);
    const { noise, target } = noiseBlotches(rng(), SHAPE, [defect], how);
    const marks = floats(target);
    for (let p = 0; p < AREA / 2; p++) {
      expect([marks[p], marks[AREA + p]]).toEqual([1, 1]);
      for (let c = 0; c < 3; c++) expect(floats(noise)[c * AREA + p]).toBe(0);
    }
    expect(marks.slice(AREA / 2, AREA).every((mark) => mark === 0)).toBe(true);
    expect(marks.slice(AREA + AREA / 2).includes(1)).toBe(true);
  });

  it('is the same for the same seed', () => {
    const draw = (seed: number) => noiseBlotches(rng(seed), SHAPE, [undefined], how);
    expect(draw(1)).toEqual(draw(1));
    expect(draw(1)).not.toEqual(draw(2));
  });
});
