import { describe, expect, it } from 'vitest';
import { floatTensor, floats } from '../../../src/base/tensor';
import { Batches } from '../../../src/methods/classifiers/recame-batches';
import { FeatureStore } from '../../../src/methods/kit/feature-cache';
import { ViewCache } from '../../../src/methods/kit/view-cache';
import { classesOf, labelledContext, labelsOf } from '../../support/labelled-world';
import { openNodeRuntime } from '../../support/node-runtime';

const CLASS_OF = classesOf([6, 3]);
const [CHANNELS, AREA] = [20, 4];
const MAPS = floatTensor(
  [9, CHANNELS, 2, 2],
  Float32Array.from({ length: 9 * CHANNELS * AREA }, (_, i) => 1 + i),
);
const context = labelledContext(openNodeRuntime(), { level3: MAPS }, labelsOf(CLASS_OF), { side: 32 });

async function batches(dropout: number, alternating = false): Promise<Batches> {
  const width = CHANNELS * AREA;
  const store = new FeatureStore(context.checkpoint, 'views', width, CLASS_OF.length);
  for (const i of CLASS_OF.keys()) await store.add(floats(MAPS).slice(i * width, (i + 1) * width));
  const cache = new ViewCache(store, [...CLASS_OF.keys()], 1);
  return new Batches(context, cache, [6, 3], { wanted: 8, alternating, dropout, stream: 'experts' });
}

/** Values of a batch, and how many of its channels are nothing but zeros. */
async function packed(dropout: number, iteration: number, settled = false) {
  const values = floats((await (await batches(dropout)).at(iteration, settled)).packed);
  const gone = Array.from({ length: 8 * CHANNELS }, (_, c) =>
    values.subarray(c * AREA, (c + 1) * AREA).every((value) => value === 0),
  ).filter(Boolean).length;
  return { values: [...values], gone };
}

describe('batches of ReCAME-Net', () => {
  it('lack channels where that is asked for, others in every step, the same when a fit goes on', async () => {
    const whole = await packed(0, 3);
    expect(whole.gone).toBe(0);
    const found = await packed(0.4, 3);
    expect(found.gone).toBeGreaterThan(40);
    expect(found.gone).toBeLessThan(90);
    found.values.forEach((value, i) => {
      if (value) expect(value).toBeCloseTo(whole.values[i] / 0.6, 2);
    });
    expect(await packed(0.4, 3)).toEqual(found);
    expect((await packed(0.4, 4)).values.map((value) => value === 0)).not.toEqual(
      found.values.map((value) => value === 0),
    );
  });

  it('are whole while running statistics settle, and the features that are kept stay as they are', async () => {
    const own = await batches(0.4);
    await own.at(3, false);
    expect([...floats((await own.at(3, true)).packed)]).toEqual((await packed(0, 3)).values);
  });

  it('let running statistics settle where they are others than inspection’s', async () => {
    expect((await batches(0)).settles).toBe(false);
    expect((await batches(0.2)).settles).toBe(true);
    expect((await batches(0, true)).settles).toBe(true);
  });
});
