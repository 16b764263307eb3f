import { describe, expect, it } from 'vitest';
import { floatTensor, floats, sizeOf } from '../../../src/base/tensor';
import type { TensorData } from '../../../src/base/tensor';
import type { FitContext, MethodState } from '../../../src/methods/contract';
import { visualAssociation } from '../../../src/methods/clip/references';
import { classScores, harmonicMap, winclip } from '../../../src/methods/clip/win-clip';
import type { WinClipOptions } from '../../../src/methods/clip/win-clip';
import { defaultOptions } from '../../../src/methods/options';
import { fitToEnd, scoreTaps, someOf } from '../../support/fixed-taps';
import type { Taps } from '../../support/fixed-taps';
import { evaluate, openNodeRuntime } from '../../support/node-runtime';
import { fitOnSemEncoder } from '../../support/taught-engine';
import { WORLD, picturesOf, supportContext, worldTexts } from '../../support/support-world';

const runtime = openNodeRuntime();
const { side: SIDE } = WORLD;
const AREA = SIDE * SIDE;
const defaults = defaultOptions(winclip.options) as WinClipOptions;
const FORMS = ['full', 'fast', 'patches'];

const score = (state: MethodState, o: WinClipOptions, taps: Taps) =>
  scoreTaps(runtime, winclip, state, o, taps, SIDE);

/** A fit with what it remarked. */
async function fitted(o: WinClipOptions, good: number, world: Partial<FitContext> = {}) {
  const remarks: string[] = [];
  const context = supportContext(runtime, good, [1, 2], {
    world: { remark: (text) => void remarks.push(text), ...world },
  });
  return { state: await fitToEnd(winclip, context, o), remarks, context };
}

/** Mean of a map where a mask has this value. */
function meanWhere(map: Float32Array, mask: Uint8Array, value: number): number {
  const some = map.filter((_, i) => mask[i] === value);
  return some.reduce((a, b) => a + b) / some.length;
}

/** @source methods.md 12.8 */
describe('parts', () => {
  it('a patch gets the harmonic mean of the windows that cover it', async () => {
    const scores = floatTensor([1, 4], [1, 0.75, 0.5, 0.25]);
    const { map } = await evaluate(runtime, { scores }, (values) => ({
      map: harmonicMap(values.scores, [3, 3], 2),
    }));
    const expected = [1, 0.8571, 0.75, 0.6667, 0.48, 0.375, 0.5, 0.3333, 0.25];
    floats(map).forEach((value, i) => expect(value).toBeCloseTo(expected[i], 4));
  });

  it('a window without any strangeness takes its patches to nothing, not to infinity', async () => {
    const scores = floatTensor([1, 4], [0, 1, 1, 1]);
    const { map } = await evaluate(runtime, { scores }, (values) => ({
      map: harmonicMap(values.scores, [3, 3], 2),
    }));
    const found = floats(map);
    for (const patch of [0, 1, 3, 4]) expect(found[patch]).toBeLessThan(1e-11);
    for (const patch of [2, 5, 6, 7, 8]) expect(found[patch]).toBeCloseTo(1, 6);
  });

  it('probabilities by words', async () => {
    const feeds = {
      images: floatTensor([1, 2, 2], [1, 0, 0, 1]),
      two: floatTensor([2, 2], [0, 1, Math.SQRT1_2, Math.SQRT1_2]),
    };
    const { found } = await evaluate(runtime, feeds, ({ images, two }) => ({
      found: classScores(images, two, 1),
    }));
    [0.6698, 0.4273].forEach((value, i) => expect(floats(found)[i]).toBeCloseTo(value, 4));
  });

  it('distances from good images', async () => {
    const feeds = {
      tokens: floatTensor([1, 2, 2], [1, 0, 0, 1]),
      references: floatTensor([2, 2], [0, 1, Math.SQRT1_2, Math.SQRT1_2]),
    };
    const { found } = await evaluate(runtime, feeds, ({ tokens, references }) => ({
      found: visualAssociation(tokens, references),
    }));
    [0.1464, 0].forEach((value, i) => expect(floats(found)[i]).toBeCloseTo(value, 4));
  });
});

describe('a few good images', () => {
  it.each(FORMS)('%s: defects are stranger, and so is their place', async (form) => {
    const o = { ...defaults, form };
    const { state, remarks } = await fitted(o, 3);
    expect(remarks).toEqual([]);
    const good = await score(state, o, picturesOf([0, 0, 0], 'queries').taps);
    const { taps, masks } = picturesOf([1, 2, 1, 2], 'defects');
    const defects = await score(state, o, taps);
    expect(Math.min(...defects.score)).toBeGreaterThan(Math.max(...good.score));
    masks.forEach((mask, i) => {
      const map = defects.map.slice(i * AREA, (i + 1) * AREA);
      expect(map.every((value) => value >= 0 && value <= 1)).toBe(true);
      expect(meanWhere(map, mask, 1)).toBeGreaterThan(meanWhere(map, mask, 0));
      // Only patches are as fine as the mask: nearly every window of so small a grid sees the defect.
      if (form === 'patches') expect(mask[map.indexOf(Math.max(...map))]).toBe(1);
    });
  });

  it('of its own references, all that is left is what words say', async () => {
    const { state } = await fitted(defaults, 3);
    const { taps } = picturesOf([0, 0, 0], 'good');
    const byBoth = await score(state, defaults, taps);
    const byWords = await score({ two: state.two }, defaults, taps);
    byBoth.score.forEach((value, i) => expect(value).toBeCloseTo(byWords.score[i] / 2, 5));
    byBoth.map.forEach((value, i) => expect(value).toBeCloseTo(byWords.map[i] / 2, 5));
  });

  it('more of them make nothing stranger', async () => {
    const [few, many] = [await fitted(defaults, 1), await fitted(defaults, 5)];
    const { taps } = picturesOf([1, 2], 'queries');
    const [a, b] = [await score(few.state, defaults, taps), await score(many.state, defaults, taps)];
    b.map.forEach((value, i) => expect(value).toBeLessThanOrEqual(a.map[i] + 1e-6));
    b.score.forEach((value, i) => expect(value).toBeLessThanOrEqual(a.score[i] + 1e-6));
  });

  it('scored together or one by one, the same', async () => {
    const { state } = await fitted(defaults, 2);
    const { taps } = picturesOf([0, 1, 2], 'queries');
    const together = await score(state, defaults, taps);
    for (let i = 0; i < 3; i++) {
      const alone = await score(state, defaults, someOf(taps, i, i + 1));
      expect(alone.score[0]).toBeCloseTo(together.score[i], 6);
      alone.map.forEach((value, p) => expect(value).toBeCloseTo(together.map[i * AREA + p], 6));
    }
  });
});

describe('words alone', () => {
  it('without good images it is WinCLIP, and says so', async () => {
    const { state, remarks } = await fitted(defaults, 0);
    expect(remarks).toEqual(['Text only: without good images this is WinCLIP.']);
    expect(state).toEqual({ two: worldTexts().general });
    const { taps, masks } = picturesOf([0, 1], 'queries');
    const { map, score: scores } = await score(state, defaults, taps);
    expect(scores[1]).toBeGreaterThan(scores[0]);
    const own = map.slice(AREA);
    expect(meanWhere(own, masks[1], 1)).toBeGreaterThan(meanWhere(own, masks[1], 0));
  });

  it('without windows either, the map is the score everywhere, and it says so', async () => {
    const o = { ...defaults, form: 'patches' };
    const { state, remarks } = await fitted(o, 0);
    expect(remarks).toContain('Neither windows nor good images: the map is the same everywhere.');
    const { map, score: scores } = await score(state, o, picturesOf([1], 'queries').taps);
    map.forEach((value) => expect(value).toBeCloseTo(scores[0], 6));
  });

  it('a lower temperature is harder', async () => {
    const { taps } = picturesOf([0, 2], 'queries');
    const { state } = await fitted(defaults, 0);
    const usual = await score(state, defaults, taps);
    const hard = await score(state, { ...defaults, temperature: 0.01 }, taps);
    expect(hard.score[0]).toBeLessThan(usual.score[0]);
    expect(hard.score[1]).toBeGreaterThan(usual.score[1]);
  });

  it('words of the classes take the place of those in general', async () => {
    const { state } = await fitted({ ...defaults, words: 'classes' }, 0);
    const { embed } = WORLD;
    const [two, { classes, general }] = [floats(state.two), worldTexts()];
    expect(two.slice(0, embed)).toEqual(floats(classes).slice(0, embed));
    expect(two.slice(embed)).not.toEqual(floats(general).slice(embed));
    // Both kinds of defect weigh the same.
    expect(two[embed + 1]).toBeCloseTo(two[embed + 2], 6);
  });
});

describe('forms and costs', () => {
  it('each form taps and keeps what it looks at, and memory says so', async () => {
    const rows: Record<string, TensorData['shape']> = {
      finalPatches: [3 * 16, WORLD.width],
      windows2: [3 * 9, WORLD.embed],
      windows3: [3 * 4, WORLD.embed],
    };
    const parts: Record<string, string[]> = {
      full: ['finalPatches', 'windows2', 'windows3'],
      fast: ['finalPatches', 'windows2'],
      patches: ['finalPatches'],
    };
    expect(winclip.taps!(defaults)).toEqual(winclip.needs.taps);
    for (const form of FORMS) {
      const o = { ...defaults, form };
      const { state, context } = await fitted(o, 3);
      expect(winclip.taps!(o)).toEqual(['classes', ...parts[form]]);
      const shapes = Object.fromEntries(Object.entries(state).map(([name, { shape }]) => [name, shape]));
      const kept = Object.fromEntries(parts[form].map((part) => [part, rows[part]]));
      expect(shapes).toEqual({ two: [2, WORLD.embed], ...kept });
      const bytes = Object.values(state).reduce((sum, { shape }) => sum + 4 * sizeOf(shape), 0);
      const { fitBytes, stateBytes } = winclip.memory(context, o);
      expect(stateBytes).toBe(bytes);
      expect(fitBytes).toBeGreaterThan(stateBytes);
    }
  });

  it('on the built-in encoder: a defect makes a fitted image stranger, where it is', async () => {
    const { good, defects, summary } = await fitOnSemEncoder('winclip', { form: 'fast' }, 2, ['particle']);
    expect([summary.calibration.heldOut, summary.remarks]).toEqual(['others', []]);
    for (const { score: own, map, mask } of defects) {
      expect(own).toBeGreaterThan(good.score);
      expect(meanWhere(map, mask, 1)).toBeGreaterThan(2 * meanWhere(good.map, mask, 1));
    }
  });

  it('a trial has nothing to measure', async () => {
    const world: Partial<FitContext> = { support: undefined, trial: { report: () => expect.fail() } };
    expect((await fitted(defaults, 3, world)).state).toEqual({});
  });
});
