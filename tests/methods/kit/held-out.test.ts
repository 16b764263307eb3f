import { expect, it } from 'vitest';
import { Rng } from '../../../src/base/rng';
import { classParts } from '../../../src/methods/kit/held-out';

const world = (seed: number) => ({ rng: (stream: string) => new Rng(seed, stream) });
const classOf = [...new Array<number>(9).fill(0), ...new Array<number>(6).fill(1), 2, 2, 3];

it('every image of a class that has enough is in exactly one part, of each class about as many', () => {
  const parts = classParts(classOf, world(0), 2, 3);
  const all = parts.flatMap((part) => [...part]).sort((a, b) => a - b);
  // The class of a single image is trained on always.
  expect(all).toEqual(Array.from({ length: 17 }, (_, i) => i));
  for (const part of parts) {
    expect([...part].filter((i) => classOf[i] === 0)).toHaveLength(3);
    expect([...part].filter((i) => classOf[i] === 1)).toHaveLength(2);
    expect([...part].filter((i) => classOf[i] === 2).length).toBeLessThanOrEqual(1);
  }
});

it('is drawn by the seed, and leaves small classes whole', () => {
  expect(classParts(classOf, world(3), 2, 3)).toEqual(classParts(classOf, world(3), 2, 3));
  expect(classParts(classOf, world(3), 2, 3)).not.toEqual(classParts(classOf, world(4), 2, 3));
  const [first] = classParts(classOf, world(0), 9, 5);
  expect([...first].every((i) => classOf[i] === 0)).toBe(true);
  expect(classParts(classOf, world(0), 10, 5)).toEqual([]);
});
