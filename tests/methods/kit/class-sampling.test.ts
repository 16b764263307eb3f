import { describe, expect, it } from 'vitest';
import { Rng } from '../../../src/base/rng';
import { ClassSampler } from '../../../src/methods/kit/class-sampling';
import { classesOf } from '../../support/labelled-world';

const context = (seed = 0) => ({ rng: (stream: string) => new Rng(seed, stream) });
const items = (classOf: readonly number[]) => classOf.map((_, i) => i);

describe('batches with classes alike', () => {
  it('have four images each of eight classes, none twice', () => {
    const classOf = classesOf([100, 50, 20, 10, 9, 8, 7, 6, 5, 4]);
    const batch = [...new ClassSampler(context(), items(classOf), classOf, 32).at(0)];
    const counts = new Map<number, number>();
    for (const image of batch) counts.set(classOf[image], (counts.get(classOf[image]) ?? 0) + 1);
    expect([...counts.values()]).toEqual(new Array(8).fill(4));
    expect(new Set(batch).size).toBe(32);
  });

  it('give images of small classes again, and share the batch among few classes', () => {
    const classOf = classesOf([20, 1, 2]);
    const sampler = new ClassSampler(context(), items(classOf), classOf, 12);
    const seen = [...sampler.at(3)].map((image) => classOf[image]).sort();
    expect(seen).toEqual([0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2]);
  });

  it('draw from the given images alone, every class in the long run, and the same for the same seed', () => {
    const classOf = classesOf(new Array<number>(12).fill(3));
    const given = items(classOf).filter((i) => i % 3 !== 0);
    const sampler = new ClassSampler(context(), given, classOf, 32);
    const drawn = Array.from({ length: 20 }, (_, i) => [...sampler.at(i)]);
    expect(new Set(drawn.flat())).toEqual(new Set(given));
    const again = new ClassSampler(context(), given, classOf, 32);
    expect([...again.at(7)]).toEqual(drawn[7]);
    expect([...new ClassSampler(context(1), given, classOf, 32).at(7)]).not.toEqual(drawn[7]);
  });
});
