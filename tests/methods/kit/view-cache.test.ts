import { expect, it } from 'vitest';
import { Rng } from '../../../src/base/rng';
import { floatTensor, floats } from '../../../src/base/tensor';
import type { EmbeddedBatch, FitContext, FitProgress, Portion, View } from '../../../src/methods/contract';
import { cacheMirrored, mirroredPictures } from '../../../src/methods/kit/view-cache';

const SIDE = 2;
const IMAGES = [
  [1, 2, 3, 4],
  [5, 6, 7, 8],
];

/** A fit on two good images whose features are their pixels. */
const context = {
  side: SIDE,
  goodImages: IMAGES.length,
  count: () => IMAGES.length,
  async *embed(_key: string, _build: unknown, of?: Portion, view?: View): AsyncGenerator<EmbeddedBatch> {
    expect(of).toBe('good');
    for (const [first, image] of IMAGES.entries()) {
      const plane = Float32Array.from(image);
      const seen = view ? await view(plane, first, () => Promise.resolve(plane)) : plane;
      yield { first, count: 1, values: floatTensor([1, 4], seen) };
    }
  },
} as Partial<FitContext> as FitContext;

async function cached(flips: boolean) {
  const steps: FitProgress[] = [];
  const caching = cacheMirrored(context, () => expect.fail('features are made up'), SIDE * SIDE, flips);
  let step = await caching.next();
  for (; !step.done; step = await caching.next()) steps.push(step.value);
  return { cache: step.value, steps };
}

it('keeps good images as they are at their own places, and mirrored in three ways', async () => {
  const { cache, steps } = await cached(true);
  expect([...(await cache.store.of(1))]).toEqual(IMAGES[1]);
  const drawn = await cache.store.batch(cache.drawn(new Array<number>(40).fill(0), new Rng(1, 'mirrors')));
  const rows = Array.from({ length: 40 }, (_, i) =>
    floats(drawn)
      .slice(4 * i, 4 * i + 4)
      .join(' '),
  );
  expect([...new Set(rows)].sort()).toEqual(['1 2 3 4', '2 1 4 3', '3 4 1 2', '4 3 2 1']);
  expect(steps.map(({ done, total }) => [done, total])).toEqual(
    Array.from({ length: 8 }, (_, i) => [i + 1, 8]),
  );
  expect(mirroredPictures(context, { flips: true })).toBe(cache.store.count);
});

it('keeps nothing else without mirrors', async () => {
  const { cache } = await cached(false);
  expect(cache.store.count).toBe(IMAGES.length);
  expect(cache.drawn([1, 0], new Rng(1, 'mirrors'))).toEqual([1, 0]);
});
