/** What training draws from: splits of good images, batches, cached features. */
import { describe, expect, it } from 'vitest';
import { Rng } from '../../../src/base/rng';
import { floatTensor, floats } from '../../../src/base/tensor';
import type { TensorData } from '../../../src/base/tensor';
import { mul } from '../../../src/graph/ops/index';
import { cacheBytes, cacheFeatures } from '../../../src/methods/kit/feature-cache';
import type { FeatureCache } from '../../../src/methods/kit/feature-cache';
import { channelScales } from '../../../src/methods/kit/channel-scale';
import { splitGood } from '../../../src/methods/kit/held-out';
import { BatchSampler, ofBatches } from '../../../src/methods/kit/sampling';
import { contextOf } from '../../support/fixed-taps';
import { openNodeRuntime } from '../../support/node-runtime';

const remarks: string[] = [];
const context = {
  rng: (stream: string) => new Rng(7, stream),
  remark: (text: string) => void remarks.push(text),
};
const runtime = openNodeRuntime();

describe('good images set aside', () => {
  it.each([
    [1, 0],
    [3, 0],
    [4, 1],
    [10, 2],
    [84, 17],
  ])('%d images: %d', (count, held) => {
    const { trained, heldOut } = splitGood(count, context);
    expect(heldOut.length).toBe(held);
    expect([...trained, ...heldOut].sort((a, b) => a - b)).toEqual(
      Array.from({ length: count }, (_, i) => i),
    );
  });

  it('are the same for the same seed', () => {
    expect(splitGood(50, context)).toEqual(splitGood(50, context));
    expect(splitGood(50, context)).not.toEqual(splitGood(50, { rng: (stream) => new Rng(8, stream) }));
  });
});

describe('batches', () => {
  const items = Int32Array.from({ length: 10 }, (_, i) => i + 100);

  it('hold every image once a round, but for what fills no batch', () => {
    const sampler = new BatchSampler(context, items, 4);
    const round = [...sampler.at(0), ...sampler.at(1)];
    expect(new Set(round).size).toBe(8);
    expect(round.every((item) => items.includes(item))).toBe(true);
    expect([...sampler.at(2), ...sampler.at(3)]).not.toEqual(round);
  });

  it('depend on nothing but seed and number', () => {
    const one = new BatchSampler(context, items, 4);
    for (let i = 0; i < 9; i++) one.at(i);
    expect(new BatchSampler(context, items, 4).at(9)).toEqual(one.at(9));
  });

  it('larger than the set are the set, and the fit says so', () => {
    expect(remarks).toEqual([]);
    const sampler = new BatchSampler(context, items, 64);
    expect(remarks).toEqual([
      'A batch of 64 is more than there is to train on: each step took all 10 images.',
    ]);
    expect(sampler.batch).toBe(10);
    expect([...sampler.at(5)].sort()).toEqual([...items]);
  });

  it('of one size cover all items', async () => {
    const batches = await ofBatches(items, 4, async (batch) => batch);
    expect(batches.map((batch) => batch.length)).toEqual([4, 4, 4]);
    expect(new Set(batches.flatMap((batch) => [...batch])).size).toBe(10);
  });
});

describe('cached features', () => {
  const rng = new Rng(2, 'cache');
  const level1 = floatTensor(
    [6, 2, 3, 3],
    Float32Array.from({ length: 6 * 18 }, () => 5 * rng.normal()),
  );

  async function cache(memoryBytes?: number): Promise<{ cache: FeatureCache; pieces: number }> {
    const pieces = new Map<string, TensorData>();
    const world = {
      checkpoint: {
        get: async (key: string) => pieces.get(key),
        put: async (key: string, piece: TensorData) => void pieces.set(key, piece),
      },
    };
    const context = contextOf(runtime, { level1 }, { side: 8, world });
    const caching = cacheFeatures(
      context,
      'test',
      ({ taps }) => mul(taps.level1!, 2),
      'good',
      undefined,
      memoryBytes,
    );
    let step = await caching.next();
    while (!step.done) step = await caching.next();
    return { cache: step.value, pieces: pieces.size };
  }

  it('are drawn in any order', async () => {
    const { cache: kept, pieces } = await cache();
    const { shape, data } = await kept.batch([5, 0]);
    const doubled = floats(level1).map((value) => 2 * value);
    expect([shape, pieces, kept.count]).toEqual([[2, 18], 0, 6]);
    expect([...data]).toEqual([...doubled.slice(90), ...doubled.slice(0, 18)]);
  });

  it.each([
    ['half', 'in memory', 216, 0],
    ['less', 'in the checkpoint store', 215, 6],
  ])('that fit in memory by %s are kept at half precision %s', async (_share, _where, bytes, stored) => {
    const { cache: exact } = await cache(432);
    const { cache: halves, pieces } = await cache(bytes);
    expect(pieces).toBe(stored);
    const [a, b] = [await exact.of(3), await halves.of(3)];
    a.forEach((value, i) => expect(Math.abs(b[i] - value)).toBeLessThanOrEqual(Math.abs(value) * 2 ** -11));
    expect(b).not.toEqual(a);
    expect([...floats(await halves.batch([5, 3]))]).toEqual([...(await halves.of(5)), ...b]);
  });

  it('are told the memory that they take', () => {
    const most = 384 * 2 ** 20;
    expect(cacheBytes(10, 1000)).toBe(40_000);
    expect(cacheBytes(96, 2 ** 20)).toBe(most);
    expect(cacheBytes(97, 2 ** 20)).toBe(97 * 2 ** 21);
    expect(cacheBytes(1000, 2 ** 20)).toBe(most);
  });

  it('have the spread of their channels', async () => {
    const { cache: kept } = await cache();
    const [scales] = await channelScales(kept, [[2, 3, 3]], [0, 1, 2, 3, 4, 5], true);
    for (const c of [0, 1]) {
      const values = Array.from({ length: 54 }, (_, i) => {
        return 2 * floats(level1)[(Math.floor(i / 9) * 2 + c) * 9 + (i % 9)];
      });
      const mean = values.reduce((a, b) => a + b) / 54;
      const std = Math.sqrt(values.reduce((a, b) => a + (b - mean) ** 2, 0) / 54);
      expect(floats(scales)[c]).toBeCloseTo(std, 3);
    }
    expect([...floats((await channelScales(kept, [[2, 3, 3]], [0], false))[0])]).toEqual([1, 1]);
  });
});
