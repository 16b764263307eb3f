import { describe, expect, it } from 'vitest';
import type { BackboneId } from '../../../src/base/ids';
import { Rng } from '../../../src/base/rng';
import { floatTensor, floats, sizeOf } from '../../../src/base/tensor';
import { l2Normalise, reshape } from '../../../src/graph/ops/index';
import { fused, promptad } from '../../../src/methods/clip/prompt-ad';
import { visualAssociation } from '../../../src/methods/clip/references';
import type { PromptAdOptions } from '../../../src/methods/clip/prompt-ad';
import type { FitContext, MethodState, StepCost } from '../../../src/methods/contract';
import { defaultOptions } from '../../../src/methods/options';
import { generateImage } from '../../../src/sample/generate';
import { DETAILED_PROMPTS } from '../../../src/text/prompt-presets';
import { float } from '../../graph/samples';
import { brokenOff, checkpointIn } from '../../support/broken-off';
import { TestEngine } from '../../support/engine';
import { fitToEnd, scoreTaps, someOf } from '../../support/fixed-taps';
import { evaluate, openNodeRuntime } from '../../support/node-runtime';
import { WORLD, picturesOf, supportContext, worldTower } from '../../support/support-world';

const runtime = openNodeRuntime();
const { side: SIDE, embed: EMBED } = WORLD;
const options = defaultOptions(promptad.options) as PromptAdOptions;
const short: PromptAdOptions = { ...options, steps: 3 };

const world = (rest: Partial<FitContext> = {}, good = 3, seed = 0) =>
  supportContext(runtime, good, [1, 2], { seed, world: rest });

const score = (state: MethodState, o = short, taps = picturesOf([0, 1, 2], 'queries').taps) =>
  scoreTaps(runtime, promptad, state, o, taps, SIDE);

describe('numbers of methods.md 13.6 and 13.10', () => {
  it('0.8 and 0.2 make 0.16; with 0 it is 0', async () => {
    const feeds = { a: floatTensor([3], [0.8, 0.5, 0]), b: floatTensor([3], [0.2, 0, 0]) };
    const { both } = await evaluate(runtime, feeds, ({ a, b }) => ({ both: fused(a, b) }));
    expect(floats(both)[0]).toBeCloseTo(0.16, 6);
    expect([...floats(both).subarray(1)]).toEqual([0, 0]);
  });

  it('a gallery of the own tokens is at no distance, the opposite of one token at distance 1', async () => {
    const tokens = float(new Rng(1, 'tokens'), [1, 9, 6]);
    const { own, opposite } = await evaluate(runtime, { tokens }, (values) => {
      const rows = l2Normalise(reshape(values.tokens, [9, 6]));
      const minus = reshape(values.tokens.graph.constant(floatTensor([6], [-1, 0, 0, 0, 0, 0])), [1, 6]);
      const one = values.tokens.graph.constant(floatTensor([1, 1, 6], [3, 0, 0, 0, 0, 0]));
      return { own: visualAssociation(values.tokens, rows), opposite: visualAssociation(one, minus) };
    });
    for (const distance of floats(own)) expect(distance).toBeCloseTo(0, 6);
    expect(floats(opposite)[0]).toBeCloseTo(1, 6);
  });

  it('the nearest of a large gallery is found wherever it stands', async () => {
    const rows = 5000;
    const gallery = new Float32Array(rows * 2);
    gallery.forEach((_, i) => (gallery[i] = i % 2));
    gallery.set([1, 0], 2 * (rows - 1));
    const feeds = { gallery: floatTensor([rows, 2], gallery), query: floatTensor([1, 2, 2], [5, 0, 3, 4]) };
    const { found } = await evaluate(runtime, feeds, (values) => ({
      found: visualAssociation(values.query, values.gallery),
    }));
    expect(floats(found)[0]).toBeCloseTo(0, 6);
    expect(floats(found)[1]).toBeCloseTo(0.1, 6);
  });
});

describe('a few good images', () => {
  it('teach prompts and places: defects are stranger, and where they are', async () => {
    const losses: number[] = [];
    const fit = promptad.fit(world(), { ...options, steps: 40, learningRate: 0.02 });
    let step = await fit.next();
    while (!step.done) {
      if (step.value.loss !== undefined) losses.push(step.value.loss);
      step = await fit.next();
    }
    expect(losses.length).toBeGreaterThan(5);
    expect(losses.at(-1)).toBeLessThan(0.9 * losses[0]);
    const good = await score(step.value, options, picturesOf([0, 0, 0], 'others').taps);
    const { taps, masks } = picturesOf([1, 1, 2, 2], 'strange');
    const strange = await score(step.value, options, taps);
    expect(Math.min(...strange.score)).toBeGreaterThan(Math.max(...good.score));
    const area = SIDE * SIDE;
    masks.forEach((mask, i) => {
      const map = strange.map.subarray(i * area, (i + 1) * area);
      expect(mask[map.indexOf(Math.max(...map))]).toBe(1);
    });
    for (const value of [...good.map, ...strange.map]) expect(value >= 0 && value <= 0.5).toBe(true);
    expect(strange.classes).toBeUndefined();
  });

  it('the same for the same seed, another for another; the shapes of what is kept', async () => {
    const state = await fitToEnd(promptad, world(), short);
    expect(await fitToEnd(promptad, world(), short)).toEqual(state);
    const other = await fitToEnd(promptad, world({}, 3, 1), short);
    expect(floats(other.image)).not.toEqual(floats(state.image));
    expect(other.gallery1).toEqual(state.gallery1);
    const patches = WORLD.grid ** 2;
    expect(Object.fromEntries(Object.entries(state).map(([name, { shape }]) => [name, shape]))).toEqual({
      gallery1: [3 * patches, WORLD.width],
      gallery2: [3 * patches, WORLD.width],
      image: [2, EMBED],
      patches: [2, EMBED],
      scale: [],
    });
    for (const name of ['gallery1', 'image'])
      for (let i = 0; i < 2; i++) {
        const width = state[name].shape[1];
        expect(Math.hypot(...floats(state[name]).subarray(i * width, (i + 1) * width))).toBeCloseTo(1, 5);
      }
  });

  it('scored together or one by one, the same', async () => {
    const state = await fitToEnd(promptad, world(), short);
    const { taps } = picturesOf([0, 1, 2], 'queries');
    const together = await score(state, short, taps);
    for (let i = 0; i < 3; i++) {
      const alone = await score(state, short, someOf(taps, i, i + 1));
      expect(alone.score[0]).toBeCloseTo(together.score[i], 5);
    }
  });

  it('broken off and taken up again, the same', async () => {
    const long = { ...short, steps: 12 };
    const whole = await fitToEnd(promptad, world(), long);
    const { first, state } = await brokenOff(
      (pieces) => promptad.fit(world({ checkpoint: checkpointIn(pieces) }), long),
      7,
    );
    expect(first).toBeGreaterThan(5);
    expect(state).toEqual(whole);
  });

  it('ended by hand, what was learnt by then is kept', async () => {
    const remarks: string[] = [];
    const state = await fitToEnd(
      promptad,
      world({ ending: true, remark: (text) => void remarks.push(text) }),
      options,
    );
    expect(remarks).toEqual(['Ended by hand after 1 of 100 steps; kept is step 1.']);
    expect((await score(state, options)).map.every(Number.isFinite)).toBe(true);
  });

  it.each<Partial<PromptAdOptions>>([
    { logitScale: 'exponential' },
    { classPhrases: 0 },
    { learningRate: 0.1 },
    { blurSigma: 0 },
  ])('%j: fits, and scores in another way', async (changed) => {
    const own = { ...short, ...changed };
    const usual = await score(await fitToEnd(promptad, world(), short), short);
    const other = await score(await fitToEnd(promptad, world(), own), own);
    for (const values of [other.map, other.score]) expect(values.every(Number.isFinite)).toBe(true);
    expect([...other.map]).not.toEqual([...usual.map]);
  });

  it('the factor of cosines is that of the encoder, or its exponential', async () => {
    const [raw] = floats(worldTower().weights.get('logit_scale', []));
    const scale = async (logitScale: string) =>
      floats((await fitToEnd(promptad, world(), { ...short, logitScale })).scale)[0];
    expect(await scale('raw')).toBeCloseTo(raw, 6);
    expect(await scale('exponential')).toBeCloseTo(Math.exp(raw), 4);
  });
});

describe('costs', () => {
  it('memory: as much as is kept, more with more images and phrases', async () => {
    const context = world();
    const { fitBytes, stateBytes } = promptad.memory(context, short);
    const state = await fitToEnd(promptad, context, short);
    expect(stateBytes).toBe(Object.values(state).reduce((sum, { shape }) => sum + 4 * sizeOf(shape), 0));
    expect(fitBytes).toBeGreaterThan(stateBytes);
    expect(promptad.memory({ ...context, goodImages: 30 }, short).fitBytes).toBeGreaterThan(fitBytes);
    expect(promptad.memory(context, { ...short, classPhrases: 12 }).fitBytes).toBeGreaterThan(fitBytes);
  });

  it('a trial measures steps without texts', async () => {
    const costs: StepCost[] = [];
    const trial = { report: (cost: StepCost) => void costs.push(cost) };
    await fitToEnd(promptad, world({ support: undefined, trial }), options);
    expect(costs).toHaveLength(1);
    expect([costs[0].stepMs > 0, costs[0].iterations]).toEqual([true, 100]);
  });
});

describe('with the built-in encoder', () => {
  it('fits on two images, and a bright square is where the map is highest', async () => {
    const side = 128;
    const square = 24;
    const [x, y] = [80, 48];
    const engine = new TestEngine(side);
    const planes = [0, 1].map((i) => {
      const spec = { width: side, height: side, className: 'good' } as const;
      const { pixels } = generateImage(new Rng(i, 'promptad'), spec);
      return Float32Array.from(pixels, (value) => value / 255);
    });
    const marked = planes[0].slice();
    for (let row = 0; row < square; row++)
      marked.fill(1, (y + row) * side + x, (y + row) * side + x + square);
    const good = planes.map((plane, i) => engine.add(`good ${i}`, plane));
    const spec = {
      ...engine.spec('promptad', { steps: 2 }),
      backboneId: 'builtin:sem-encoder' as BackboneId,
      support: {
        prompts: DETAILED_PROMPTS,
        normal: DETAILED_PROMPTS.classes.findIndex(({ name }) => name === 'good'),
      },
    };
    const { remarks, steps } = await engine.fit(spec, good);
    expect(steps).toBe(2);
    expect(remarks).toEqual([
      'Prompts with words that the encoder never learnt, or too many, are left out: "flawed SEM image.", ' +
        '"imperfect SEM image.".',
    ]);
    const [before, after] = await engine.inspect(spec, [good[0], engine.add('marked', marked)]);
    expect(after.score).toBeGreaterThan(before.score);
    const at = after.map.indexOf(after.map.reduce((most, value) => Math.max(most, value)));
    expect(Math.abs((at % side) - x - square / 2)).toBeLessThan(square);
    expect(Math.abs(Math.floor(at / side) - y - square / 2)).toBeLessThan(square);
  }, 60_000);
});
