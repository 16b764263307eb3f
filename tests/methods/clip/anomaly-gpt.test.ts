import { describe, expect, it } from 'vitest';
import { Rng } from '../../../src/base/rng';
import { floatTensor, floats, sizeOf } from '../../../src/base/tensor';
import { anomalygpt, memoryMap } from '../../../src/methods/clip/anomaly-gpt';
import type { AnomalyGptOptions } from '../../../src/methods/clip/anomaly-gpt';
import type {
  EmbeddedBatch,
  FitContext,
  FitProgress,
  MethodState,
  StepCost,
} from '../../../src/methods/contract';
import { defaultOptions } from '../../../src/methods/options';
import type { TapRole } from '../../../src/nn/backbones/backbone';
import { contextOf, fitToEnd, scoreTaps, someOf } from '../../support/fixed-taps';
import type { Taps } from '../../support/fixed-taps';
import { evaluate, openNodeRuntime } from '../../support/node-runtime';
import { WORLD, picturesOf, supportContext, worldTexts } from '../../support/support-world';
import { fitOnSemEncoder } from '../../support/taught-engine';

const runtime = openNodeRuntime();
const { side: SIDE, grid: GRID, width: WIDTH, embed: EMBED } = WORLD;
const AREA = SIDE * SIDE;
const PATCH = SIDE / GRID;
const defaults = defaultOptions(anomalygpt.options) as AnomalyGptOptions;
const withText: AnomalyGptOptions = { ...defaults, textShare: 0.5, steps: 60, learningRate: 0.01 };

const score = (state: MethodState, o: AnomalyGptOptions, taps: Taps) =>
  scoreTaps(runtime, anomalygpt, state, o, taps, SIDE);

const fitted = (good: number, world: Partial<FitContext> = {}, o = defaults) =>
  fitToEnd(anomalygpt, supportContext(runtime, good, [1, 2], { world }), o);

const bytesOf = (state: MethodState): number =>
  Object.values(state).reduce((sum, { shape }) => sum + 4 * sizeOf(shape), 0);

/** @source methods.md 15.6 */
describe('the memory', () => {
  it('finds nothing strange in what it remembers', async () => {
    const state = await fitted(3);
    const { map, score: scores } = await score(state, defaults, picturesOf([0, 0, 0], 'good').taps);
    for (const value of [...map, ...scores]) expect(Math.abs(value)).toBeLessThan(1e-5);
  });

  it('maps from 0 to 2: opposite patches are the strangest', async () => {
    const feeds = {
      patches: floatTensor([1, 3, 2], [3, 0, 0, 2, -1, 0]),
      memory: floatTensor([1, 2], [1, 0]),
    };
    const { map } = await evaluate(runtime, feeds, ({ patches, memory }) => ({
      map: memoryMap([patches, patches], [memory, memory]),
    }));
    [0, 1, 2].forEach((value, i) => expect(floats(map)[i]).toBeCloseTo(value, 6));
  });

  it('of more images makes no pixel stranger', async () => {
    const { taps } = picturesOf([0, 1, 2], 'queries');
    const [few, many] = [
      await score(await fitted(1), defaults, taps),
      await score(await fitted(5), defaults, taps),
    ];
    many.map.forEach((value, i) => expect(value).toBeLessThanOrEqual(few.map[i] + 1e-6));
    expect(Math.max(...few.map) - Math.max(...many.map)).toBeGreaterThan(0);
  });

  it('tells defects and their places, together or one by one', async () => {
    const state = await fitted(4);
    const good = await score(state, defaults, picturesOf([0, 0, 0], 'queries').taps);
    const { taps, masks } = picturesOf([1, 2, 1], 'defects');
    const together = await score(state, defaults, taps);
    expect(Math.min(...together.score)).toBeGreaterThan(Math.max(...good.score));
    for (const [i, mask] of masks.entries()) {
      const map = together.map.slice(i * AREA, (i + 1) * AREA);
      expect(mask[map.indexOf(Math.max(...map))]).toBe(1);
      expect(together.score[i]).toBe(Math.max(...map));
      const alone = await score(state, defaults, someOf(taps, i, i + 1));
      alone.map.forEach((value, p) => expect(value).toBeCloseTo(map[p], 5));
    }
  });

  it('is all there is without a share of the text map: no texts, no training, no smoothing', async () => {
    const context = supportContext(runtime, 3, [1]);
    const silent = { ...context.support!, texts: () => expect.fail('texts are not asked for') };
    const state = await fitToEnd(anomalygpt, { ...context, support: silent }, defaults);
    expect(Object.entries(state).map(([name, { shape }]) => [name, ...shape])).toEqual(
      [1, 2, 3, 4].map((level) => [`memory${level}`, 3 * GRID * GRID, WIDTH]),
    );
    expect(anomalygpt.taps!(defaults)).toEqual(anomalygpt.needs.taps);
    expect(anomalygpt.memory(context, defaults).stateBytes).toBe(bytesOf(state));
    const { taps } = picturesOf([1], 'queries');
    const [sharp, smooth] = [
      await score(state, defaults, taps),
      await score(state, { ...defaults, blurSigma: 4 }, taps),
    ];
    expect(Math.max(...smooth.map)).toBeLessThan(Math.max(...sharp.map));
  });
});

/**
 * A world whose tokens come from pixels: a patch's are its mean and deviation, a row for each level. Good images are
 * stripes of one phase each, so that a pasted piece shows.
 */
function pixelWorld(good: number, world: Partial<FitContext> = {}) {
  const images = Array.from({ length: good }, (_, i) => {
    const rng = new Rng(i, 'stripes');
    return Float32Array.from(
      { length: AREA },
      (_own, p) => ((p + 3 * i) % 8 < 4 ? 0.3 : 0.7) + 0.01 * rng.bell(),
    );
  });
  const tapsOf = (planes: readonly Float32Array[]): Taps => {
    const roles = (['tokens1', 'tokens2', 'tokens3', 'tokens4'] as const).map((role, level) => {
      const data = planes.flatMap((plane) => [
        ...new Array<number>(WIDTH).fill(0),
        ...Array.from({ length: GRID * GRID }, (_, patch) => tokenOf(plane, patch, level)).flat(),
      ]);
      return [role, floatTensor([planes.length, 1 + GRID * GRID, WIDTH], data)] as const;
    });
    const classes = floatTensor([planes.length, 4, EMBED], new Float32Array(planes.length * 4 * EMBED));
    const taps: Partial<Record<TapRole, ReturnType<typeof floatTensor>>> = {
      ...Object.fromEntries(roles),
      classes,
    };
    return taps;
  };
  const seen: Float32Array[] = [];
  const keys: string[] = [];
  const base = supportContext(runtime, 1, []);
  const context: FitContext = {
    ...contextOf(runtime, tapsOf(images), { side: SIDE }),
    support: base.support,
    async *embed(key, build, _of, view): AsyncGenerator<EmbeddedBatch> {
      keys.push(key);
      const planes = await Promise.all(
        images.map(async (image, i) => (view ? view(image, i, async (index) => images[index]) : image)),
      );
      if (view) seen.push(...planes);
      const stacked = floatTensor(
        [good, 1, SIDE, SIDE],
        planes.flatMap((plane) => [...plane]),
      );
      yield* contextOf(runtime, tapsOf(planes), { side: SIDE, images: stacked }).embed(key, build);
    },
    ...world,
  };
  return { context, images, tapsOf, seen, keys };
}

/** Mean and deviation of a patch and some of its pixels, each level another mixture. */
function tokenOf(plane: Float32Array, patch: number, level: number): number[] {
  const [top, left] = [Math.floor(patch / GRID) * PATCH, (patch % GRID) * PATCH];
  const pixels = Array.from(
    { length: PATCH * PATCH },
    (_, i) => plane[(top + Math.floor(i / PATCH)) * SIDE + left + (i % PATCH)],
  );
  const mean = pixels.reduce((a, b) => a + b) / pixels.length;
  const deviation = Math.sqrt(pixels.reduce((sum, value) => sum + (value - mean) ** 2, 0) / pixels.length);
  return [mean - 0.5, deviation - 0.2, ...pixels.slice(level, level + WIDTH - 2).map((value) => value - 0.5)];
}

describe('a share of the text map', () => {
  it('trains the decoder on simulated anomalies until it finds them', async () => {
    const { context, images, seen, tapsOf } = pixelWorld(2);
    const losses: number[] = [];
    const fit = anomalygpt.fit(context, { ...withText, steps: 200 });
    let step = await fit.next();
    while (!step.done) {
      const { loss }: FitProgress = step.value;
      if (loss !== undefined) losses.push(loss);
      step = await fit.next();
    }
    expect(losses.at(-1)).toBeLessThan(0.7 * losses[0]);
    expect(step.value.two).toEqual(worldTexts().general);

    const textAlone = { ...withText, textShare: 1 };
    const good = await score(step.value, textAlone, tapsOf(images));
    const pasted = await score(step.value, textAlone, tapsOf(seen));
    for (const value of pasted.map) expect(value >= 0 && value <= 1).toBe(true);
    // Marked pixels of all simulated anomalies against those of their images that nothing was pasted on.
    const [marked, clean] = [
      [0, 0],
      [0, 0],
    ];
    seen.forEach((image, k) => {
      const before = images[k % 2];
      for (let p = 0; p < AREA; p++) {
        const sum = Math.abs(image[p] - before[p]) > 0.1 ? marked : clean;
        sum[0] += pasted.map[k * AREA + p];
        sum[1]++;
      }
    });
    expect(marked[0] / marked[1]).toBeGreaterThan(2 * (clean[0] / clean[1]));
    expect(Math.max(...good.score)).toBeLessThan(Math.max(...pasted.score));
  });

  it('blends both maps by it', async () => {
    const { context, seen, tapsOf } = pixelWorld(2);
    const state = await fitToEnd(anomalygpt, context, { ...withText, steps: 2 });
    const taps = tapsOf(seen.slice(0, 2));
    const at = async (textShare: number) => (await score(state, { ...withText, textShare }, taps)).map;
    const [memory, text, blended] = [await at(0), await at(1), await at(0.3)];
    blended.forEach((value, i) => expect(value).toBeCloseTo(0.3 * text[i] + 0.7 * memory[i], 5));
  });

  it('simulates the same anomalies every time, seven of each image, and keeps the good ones', async () => {
    const [first, again] = [pixelWorld(3), pixelWorld(3)];
    const state = await fitToEnd(anomalygpt, first.context, { ...withText, steps: 2 });
    expect(await fitToEnd(anomalygpt, again.context, { ...withText, steps: 2 })).toEqual(state);
    expect(first.seen).toEqual(again.seen);
    expect(first.seen.length).toBe(3 * 7);
    expect(new Set(first.keys).size).toBe(first.keys.length);
    expect(anomalygpt.taps!(withText)).toEqual([...anomalygpt.needs.taps, 'classes']);
    const { fitBytes, stateBytes } = anomalygpt.memory(first.context, withText);
    const { goodImages } = first.context;
    expect(anomalygpt.pictures!(first.context, withText)).toBe(8 * goodImages);
    expect(anomalygpt.pictures!(first.context, defaults)).toBe(goodImages);
    expect(stateBytes).toBe(bytesOf(state));
    expect(fitBytes).toBeGreaterThan(stateBytes);
  });

  it('says so where no anomaly shows', async () => {
    const remarks: string[] = [];
    const { context } = pixelWorld(2, {
      remark: (text) => void remarks.push(text),
    });
    const plain: FitContext = {
      ...context,
      embed: (key, build) => context.embed(key, build),
    };
    await fitToEnd(anomalygpt, plain, { ...withText, steps: 2 });
    expect(remarks).toContain(
      'No simulated anomaly shows in these images: the text decoder saw good ones alone.',
    );
  });

  it.each([
    [0, 0],
    [0.5, 1],
  ])('a trial at a share of %d measures %d trainings', async (textShare, count) => {
    const costs: StepCost[] = [];
    const { context } = pixelWorld(3, {
      support: undefined,
      trial: { report: (cost) => void costs.push(cost) },
    });
    await fitToEnd(anomalygpt, context, { ...defaults, textShare });
    expect(costs.map(({ iterations }) => iterations)).toEqual(new Array(count).fill(400));
  });
});

it('on the built-in encoder: a defect makes a fitted image stranger, where it is', async () => {
  const { engine, spec, good, defects, summary } = await fitOnSemEncoder('anomalygpt', {}, 2, [
    'particle',
    'bridge',
  ]);
  expect(summary.calibration.heldOut).toBe('others');
  expect(good.score).toBeLessThan(1e-4);
  const kept = async (textShare: number) => {
    const request = { ...spec, options: { textShare }, goodImages: 2, defectImages: 0 };
    return (await engine.engine.estimate(request)).stateBytes;
  };
  expect(await kept(0)).toBe(summary.stateBytes);
  // The decoder's four layers and the two texts: with a share, class tokens are tapped too.
  expect((await kept(0.5)) - summary.stateBytes).toBe(4 * (4 * (192 * 192 + 192) + 2 * 192));
  for (const { score: own, map, mask } of defects) {
    expect(own).toBeGreaterThan(0.1);
    const at = map.indexOf(Math.max(...map));
    // Within a patch of the defect.
    const near = [...mask.keys()].some(
      (i) => mask[i] && Math.hypot((i % 240) - (at % 240), Math.floor(i / 240) - Math.floor(at / 240)) < 24,
    );
    expect(near).toBe(true);
  }
});
