import { describe, expect, it } from 'vitest';
import { Rng } from '../../../src/base/rng';
import { floatTensor, floats } from '../../../src/base/tensor';
import { mul, neg } from '../../../src/graph/ops/index';
import {
  distillationLoss,
  distillationMap,
  reverseDistillation,
} from '../../../src/methods/detectors/reverse-distillation';
import type { ReverseDistillationOptions } from '../../../src/methods/detectors/reverse-distillation';
import { defaultOptions } from '../../../src/methods/options';
import { efficientNetLite0 } from '../../../src/nn/backbones/efficientnet';
import { contextOf, fitToEnd, scoreTaps, someOf } from '../../support/fixed-taps';
import { evaluate, openNodeRuntime } from '../../support/node-runtime';

const runtime = openNodeRuntime();
const rng = new Rng(1, 'reverse.taps');
const tap = (images: number, c: number, side: number) =>
  floatTensor(
    [images, c, side, side],
    Float32Array.from({ length: images * c * side * side }, () => rng.normal()),
  );

describe('loss and map (methods.md 9.6)', () => {
  const feeds = { one: tap(2, 3, 4), two: tap(2, 5, 2) };

  it.each(['image', 'position'] as const)(
    'cosine of an %s: 0 for equal, 2 a level for opposite',
    async (form) => {
      const found = await evaluate(runtime, feeds, ({ one, two }) => ({
        same: distillationLoss([one, two], [one, two], form),
        larger: distillationLoss([one, two], [mul(one, 3), mul(two, 0.2)], form),
        opposite: distillationLoss([one, two], [neg(one), neg(two)], form),
      }));
      expect(floats(found.same)[0]).toBeCloseTo(0, 5);
      expect(floats(found.larger)[0]).toBeCloseTo(0, 5);
      expect(floats(found.opposite)[0]).toBeCloseTo(4, 4);
    },
  );

  it('a map lies between 0 and 2 a level', async () => {
    const { map } = await evaluate(runtime, feeds, ({ one, two }) => ({
      map: distillationMap([one, two], [neg(one), neg(two)], 8, 8, 0),
    }));
    for (const value of floats(map)) expect(value).toBeCloseTo(4, 4);
  });
});

describe('a fit', () => {
  const taps = { level1: tap(6, 24, 16), level2: tap(6, 40, 8), level3: tap(6, 112, 4) };
  const options: ReverseDistillationOptions = {
    ...(defaultOptions(reverseDistillation.options) as ReverseDistillationOptions),
    steps: 25,
  };

  it('lowers the loss, is the same for the same seed, and gives finite maps', async () => {
    const losses: number[] = [];
    const fit = reverseDistillation.fit(contextOf(runtime, taps, { side: 64 }), options);
    let step = await fit.next();
    while (!step.done) {
      if (step.value.loss !== undefined) losses.push(step.value.loss);
      step = await fit.next();
    }
    expect(losses.at(-1)).toBeLessThan(0.8 * losses[0]);
    expect(await fitToEnd(reverseDistillation, contextOf(runtime, taps, { side: 64 }), options)).toEqual(
      step.value,
    );
    const query = someOf(taps, 0, 2);
    const { map, score } = await scoreTaps(runtime, reverseDistillation, step.value, options, query, 64);
    expect([map.length, score.length]).toEqual([2 * 64 * 64, 2]);
    expect(map.every((value) => value >= -1e-5 && value <= 6)).toBe(true);
  });

  it('with a backbone whose levels do not shrink says which can', async () => {
    const world = { backbone: { ...efficientNetLite0, title: 'ViT tiny', mirror: undefined } };
    await expect(
      fitToEnd(reverseDistillation, contextOf(runtime, taps, { side: 64, world }), options),
    ).rejects.toMatchObject({
      code: 'fit/backbone',
      message: 'reverse distillation has no decoder for ViT tiny',
      hint: 'It mirrors backbones whose levels halve in size: the EfficientNets and the ResNets.',
    });
  });
});
