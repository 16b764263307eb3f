import { describe, expect, it } from 'vitest';
import { Rng } from '../../../src/base/rng';
import { floatTensor, floats } from '../../../src/base/tensor';
import type { ClassifierContext } from '../../../src/methods/classifier';
import type { EmbeddedBatch, Portion, View } from '../../../src/methods/contract';
import { augmented, augmentedViews } from '../../../src/methods/kit/augmented-views';
import { cacheViews } from '../../../src/methods/kit/view-cache';
import { labelledContext, labelsOf } from '../../support/labelled-world';
import { openNodeRuntime } from '../../support/node-runtime';

const SIDE = 32;
const runtime = openNodeRuntime();
const ramp = Float32Array.from({ length: SIDE * SIDE }, (_, i) => (i % SIDE) / (SIDE - 1));

describe('other views of an image', () => {
  it('are the same for the same numbers, others otherwise, and stay within 0 … 1', () => {
    const of = (seed: number) => augmented(ramp, SIDE, new Rng(seed, 'view'));
    expect(of(1)).toEqual(of(1));
    expect(of(1)).not.toEqual(of(2));
    for (let seed = 0; seed < 20; seed++)
      for (const value of of(seed)) expect(value >= 0 && value <= 1).toBe(true);
    expect(ramp[SIDE - 1]).toBe(1);
  });

  it('keep at least 0.7 of the area, turn images over, and change brightness by a fifth at most', () => {
    const columns = (image: Float32Array) =>
      Array.from({ length: SIDE }, (_, x) =>
        image.reduce((sum, v, i) => sum + (i % SIDE === x ? v / SIDE : 0), 0),
      );
    const slopes = Array.from({ length: 200 }, (_, seed) => {
      const means = columns(augmented(ramp, SIDE, new Rng(seed, 'view')));
      return means[24] - means[8];
    });
    expect(slopes.filter((slope) => slope < 0).length).toBeGreaterThan(60);
    // A ramp of half the image between the columns: enlarged by √0.7 to 1, scaled twice by 0.8 to 1.2.
    for (const slope of slopes) {
      expect(Math.abs(slope)).toBeGreaterThan(0.5 * Math.sqrt(0.7) * 0.64 * 0.95);
      expect(Math.abs(slope)).toBeLessThan(0.53 * 1.44);
    }
    const flat = new Float32Array(SIDE * SIDE).fill(0.5);
    const means = Array.from({ length: 50 }, (_, seed) =>
      augmented(flat, SIDE, new Rng(seed, 'view')).reduce((sum, value) => sum + value / flat.length, 0),
    );
    expect(Math.min(...means)).toBeLessThan(0.45);
    for (const mean of means) expect(Math.abs(mean - 0.5)).toBeLessThan(0.105);
  });
});

describe('cached views', () => {
  it('are of trained images alone, the image itself first', async () => {
    const labels = labelsOf([0, 0, 1, 1], [0, 3]);
    const asked: string[] = [];
    const world: Partial<ClassifierContext> = {
      async *embed(key: string, _build: unknown, of?: Portion, view?: View): AsyncGenerator<EmbeddedBatch> {
        asked.push(`${key} of ${of}${view ? ' seen' : ''}`);
        const values = floatTensor(
          [4, 1],
          [0, 1, 2, 3].map((i) => 10 * asked.length + i),
        );
        yield { first: 0, count: 4, values };
      },
    };
    const taps = { level3: floatTensor([4, 1, 1, 1], [0, 1, 2, 3]) };
    const context = labelledContext(runtime, taps, labels, { side: SIDE, world });
    const caching = cacheViews(context, (inputs) => inputs.taps.level3!, 1, augmentedViews(context, 3));
    let step = await caching.next();
    while (!step.done) step = await caching.next();
    const cache = step.value;
    const { store } = cache;
    expect(asked).toEqual(['view.0 of labelled', 'view.1 of labelled seen', 'view.2 of labelled seen']);
    expect(store.count).toBe(6);
    const kept = await store.batch([cache.at(0, 0), cache.at(3, 0), cache.at(3, 2)]);
    expect([...floats(kept)]).toEqual([10, 13, 33]);
    const drawn = floats(await store.batch(cache.drawn(new Array<number>(60).fill(3), new Rng(1, 'draw'))));
    expect([...new Set(drawn)].sort()).toEqual([13, 23, 33]);
  });
});
