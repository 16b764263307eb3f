import { describe, expect, it } from 'vitest';
import { AppError } from '../../../src/base/errors';
import { Rng } from '../../../src/base/rng';
import { floatTensor, floats } from '../../../src/base/tensor';
import type { FitContext, FitProgress } from '../../../src/methods/contract';
import { focal4, supersimplenet, truncatedL1 } from '../../../src/methods/detectors/supersimplenet';
import type { SuperSimpleNetOptions } from '../../../src/methods/detectors/supersimplenet';
import { defaultOptions } from '../../../src/methods/options';
import { contextOf, fitToEnd, scoreTaps, someOf } from '../../support/fixed-taps';
import { evaluate, openNodeRuntime } from '../../support/node-runtime';

const runtime = openNodeRuntime();

describe('losses (methods.md 11.9)', () => {
  const lossesOf = async (map: readonly number[], target: readonly number[]) => {
    const shape = [1, 1, 1, map.length];
    const feeds = { map: floatTensor(shape, map), target: floatTensor(shape, target) };
    const found = await evaluate(runtime, feeds, (values) => ({
      truncated: truncatedL1(values.map, values.target),
      focal: focal4(values.map, values.target),
    }));
    return [floats(found.truncated)[0], floats(found.focal)[0]];
  };

  it('of a map that says nothing', async () => {
    const [truncated, focal] = await lossesOf([0, 0, 0, 0], [0, 0, 0, 1]);
    expect(truncated).toBeCloseTo(1, 6);
    expect(focal).toBeCloseTo(0.0433217, 6);
  });

  it('of one without anomalous pixels, and of one that is right beyond the margin', async () => {
    expect((await lossesOf([0, 0], [0, 0]))[0]).toBeCloseTo(0.5, 6);
    expect((await lossesOf([-3, 0.5], [0, 1]))[0]).toBe(0);
  });

  it('stay finite for logits far off', async () => {
    const [truncated, focal] = await lossesOf([200, -200], [0, 1]);
    expect(truncated).toBeCloseTo(401, 3);
    expect(focal).toBeCloseTo(200, 3);
  });
});

describe('a fit', () => {
  const SIDE = 32;
  /** Channels that go together: noise in each channel by itself is strange. */
  const tap = (stream: string, images: number, c: number, side: number) => {
    const rng = new Rng(5, stream);
    const area = side * side;
    const data = new Float32Array(images * c * area);
    for (let image = 0; image < images; image++)
      for (let p = 0; p < area; p++) {
        const common = rng.normal();
        for (let channel = 0; channel < c; channel++)
          data[(image * c + channel) * area + p] = common * (1 + channel);
      }
    return floatTensor([images, c, side, side], data);
  };
  const taps = (stream: string, images: number) => ({
    level2: tap(`${stream}2`, images, 5, 4),
    level3: tap(`${stream}3`, images, 4, 2),
  });
  const good = taps('good', 8);
  const options: SuperSimpleNetOptions = {
    ...(defaultOptions(supersimplenet.options) as SuperSimpleNetOptions),
    steps: 40,
    noise: 3,
  };
  const supervised = { ...options, form: 'supervised' };

  const context = (world: Partial<FitContext> = {}) => contextOf(runtime, good, { side: SIDE, world });

  /** A world with three images of defects; the mask of one of them is empty. */
  const withDefects = (remarks: string[]): FitContext => {
    const defects = contextOf(runtime, taps('defects', 3), { side: SIDE });
    const mask = new Uint8Array(SIDE * SIDE).fill(1, 0, (SIDE * SIDE) / 4);
    const plain = context();
    return context({
      defectImages: 3,
      defectMask: async (index) => (index === 1 ? new Uint8Array(SIDE * SIDE) : mask),
      embed: (key, build, of) => (of === 'defects' ? defects : plain).embed(key, build),
      remark: (text) => void remarks.push(text),
    });
  };

  it('learns to tell noise, the same for the same seed, and gives finite maps', async () => {
    const [losses, heldOut]: [number[], number[]] = [[], []];
    const remarks: string[] = [];
    const fit = supersimplenet.fit(context({ remark: (text) => void remarks.push(text) }), options);
    let step = await fit.next();
    while (!step.done) {
      const { loss, heldOutLoss }: FitProgress = step.value;
      if (loss !== undefined) losses.push(loss);
      if (heldOutLoss !== undefined) heldOut.push(heldOutLoss);
      step = await fit.next();
    }
    expect(losses.at(-1)).toBeLessThan(0.8 * losses[0]);
    expect(heldOut.at(-1)).toBeLessThan(heldOut[0]);
    expect(remarks).toEqual(['Trained in the unsupervised form, on good images alone.']);
    expect(await fitToEnd(supersimplenet, context(), options)).toEqual(step.value);
    const { map, score } = await scoreTaps(
      runtime,
      supersimplenet,
      step.value,
      options,
      someOf(good, 0, 2),
      SIDE,
    );
    expect([map.length, score.length]).toEqual([2 * SIDE * SIDE, 2]);
    for (const value of [...map, ...score]) expect(value >= 0 && value <= 1).toBe(true);
  });

  it('with known defects learns their places, and says on how many', async () => {
    const remarks: string[] = [];
    const state = await fitToEnd(supersimplenet, withDefects(remarks), supervised);
    expect(remarks).toEqual([
      '1 of 3 images with defects were left out: their masks are empty.',
      'Trained in the supervised form, with 2 images of defects.',
    ]);
    const { map } = await scoreTaps(runtime, supersimplenet, state, supervised, taps('defects', 3), SIDE);
    expect(map.every(Number.isFinite)).toBe(true);
  });

  it('with known defects but without any: an error with a remedy', async () => {
    const error = await fitToEnd(supersimplenet, context(), supervised).catch((found: unknown) => found);
    expect(error).toBeInstanceOf(AppError);
    expect((error as AppError).code).toBe('fit/mask');
    expect((error as AppError).hint).toBeTruthy();
  });

  it('with adapted features to the classifier, of features as they are', async () => {
    const other = { ...options, classifierInput: 'adapted', featureScale: 'off', steps: 3 };
    const state = await fitToEnd(supersimplenet, context(), other);
    expect([...floats(state.scale)]).toEqual(new Array(9).fill(1));
    const { score } = await scoreTaps(runtime, supersimplenet, state, other, someOf(good, 0, 1), SIDE);
    expect(score.every(Number.isFinite)).toBe(true);
  });

  it('states its memory, more of it with defects', () => {
    const of = (defectImages: number) => supersimplenet.memory({ ...context(), defectImages }, supervised);
    const { fitBytes, stateBytes } = of(2);
    expect(stateBytes).toBeGreaterThan(4 * 128 * 10 * 25);
    expect(fitBytes).toBeGreaterThan(stateBytes);
    expect(of(50).fitBytes - fitBytes).toBe(48 * 4 * 9 * 8 * 8);
  });
});
