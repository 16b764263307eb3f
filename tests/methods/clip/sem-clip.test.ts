import { describe, expect, it } from 'vitest';
import { floatTensor, floats, sizeOf } from '../../../src/base/tensor';
import type { TensorData } from '../../../src/base/tensor';
import type { SemClipOptions } from '../../../src/methods/clip/options';
import { semclip } from '../../../src/methods/clip/sem-clip';
import { trustRemark } from '../../../src/methods/clip/trust';
import type { FitContext, FitProgress, MethodState, StepCost, Support } from '../../../src/methods/contract';
import { defaultOptions } from '../../../src/methods/options';
import { brokenOff, checkpointIn } from '../../support/broken-off';
import { SHARES, fitToEnd, scoreTaps, someOf } from '../../support/fixed-taps';
import { openNodeRuntime } from '../../support/node-runtime';
import { CLASSES, WORLD, picturesOf, supportContext, worldTexts } from '../../support/support-world';

const runtime = openNodeRuntime();
const { side: SIDE } = WORLD;
const defaults = defaultOptions(semclip.options) as SemClipOptions;
/** Long enough for what is made up here. */
const options: SemClipOptions = { ...defaults, steps: 60, learningRate: 0.01, headSteps: 100 };
const short: SemClipOptions = { ...options, steps: 2, headSteps: 2 };
const DEFECTS = [1, 1, 1, 2, 2, 2];

const fewShot = (rest: Parameters<typeof supportContext>[3] = {}) =>
  supportContext(runtime, 3, DEFECTS, rest);

const score = (state: MethodState, o: SemClipOptions, taps = picturesOf([0, 1, 2], 'queries').taps) =>
  scoreTaps(runtime, semclip, state, o, taps, SIDE);

const chosen = (shares: Float32Array): number[] =>
  Array.from({ length: shares.length / CLASSES.length }, (_, i) => {
    const row = shares.slice(i * CLASSES.length, (i + 1) * CLASSES.length);
    return row.indexOf(Math.max(...row));
  });

const bytesOf = (state: MethodState): number =>
  Object.values(state).reduce((sum, { shape }) => sum + 4 * sizeOf(shape), 0);

describe('a few shots', () => {
  it.each([
    ['projection', false, 1],
    ['projection', true, 0.8],
    ['random', true, 0.8],
  ])('start %s, encoder blind %s: learns places and classes', async (start, blind, share) => {
    const losses: number[] = [];
    const own = { ...options, start, textMap: 0 };
    const fit = semclip.fit(fewShot({ blind }), own);
    let step = await fit.next();
    while (!step.done) {
      const { loss, phase }: FitProgress = step.value;
      if (loss !== undefined && phase === 'training') losses.push(loss);
      step = await fit.next();
    }
    expect(losses.at(-1)).toBeLessThan(share * losses[0]);

    const classOf = [0, 0, 0, ...DEFECTS];
    const pictures = [picturesOf([0, 0, 0], 'good', blind), picturesOf(DEFECTS, 'defects', blind)];
    const found = await Promise.all(pictures.map(({ taps }) => score(step.value, own, taps)));
    const right = found
      .flatMap(({ classes }) => chosen(classes!.fused))
      .filter((own, i) => own === classOf[i]).length;
    expect(right / classOf.length).toBeGreaterThanOrEqual(0.95);

    const [good, defects] = found;
    expect(Math.min(...defects.score)).toBeGreaterThan(Math.max(...good.score));
    for (const value of [...good.map, ...defects.map]) expect(value >= 0 && value <= 8.0001).toBe(true);
    const area = SIDE * SIDE;
    pictures[1].masks.forEach((mask, i) => {
      const map = defects.map.subarray(i * area, (i + 1) * area);
      expect(mask[map.indexOf(Math.max(...map))]).toBe(1);
    });
  });

  it('the same for the same seed, another for another', async () => {
    const state = await fitToEnd(semclip, fewShot(), short);
    expect(await fitToEnd(semclip, fewShot(), short)).toEqual(state);
    const other = await fitToEnd(semclip, fewShot({ seed: 1 }), short);
    expect(floats(other['head.weight'])).not.toEqual(floats(state['head.weight']));
    expect(Object.keys(state).sort()).toEqual(
      [
        'texts',
        'two',
        'words',
        ...['weight', 'bias', 'mean', 'std', 'present'].map((part) => `head.${part}`),
        ...[1, 2, 3, 4].flatMap((j) => [`transformation.level${j}.weight`, `transformation.level${j}.bias`]),
      ].sort(),
    );
  });

  it('scored together or one by one, the same; shares add up to 1', async () => {
    const state = await fitToEnd(semclip, fewShot(), short);
    const { taps } = picturesOf([0, 1, 2], 'queries');
    const together = await score(state, short, taps);
    for (let i = 0; i < 3; i++) {
      const alone = await score(state, short, someOf(taps, i, i + 1));
      expect(alone.score[0]).toBeCloseTo(together.score[i], 5);
      alone.classes!.fused.forEach((share, c) =>
        expect(share).toBeCloseTo(together.classes!.fused[i * CLASSES.length + c], 5),
      );
    }
    for (const source of SHARES)
      for (let i = 0; i < 3; i++) {
        const shares = together.classes![source].slice(3 * i, 3 * i + 3);
        expect(shares.reduce((a, b) => a + b)).toBeCloseTo(1, 5);
      }
  });

  it('classes in another order, shares in that order', async () => {
    const state = await fitToEnd(semclip, fewShot(), short);
    const order = [2, 0, 1];
    const permuted = (tensor: TensorData): TensorData => {
      const width = floats(tensor).length / order.length;
      const rows = order.map((c) => floats(tensor).slice(c * width, (c + 1) * width));
      return { ...tensor, data: Float32Array.from(rows.flatMap((row) => [...row])) };
    };
    const moved = Object.fromEntries(
      Object.entries(state).map(([name, tensor]) => [
        name,
        ['texts', 'head.weight', 'head.bias', 'head.present'].includes(name) ? permuted(tensor) : tensor,
      ]),
    );
    const [before, after] = [await score(state, short), await score(moved, short)];
    for (const source of SHARES)
      after.classes![source].forEach((share, i) => {
        const [image, c] = [Math.floor(i / 3), i % 3];
        expect(share).toBeCloseTo(before.classes![source][image * 3 + order[c]], 6);
      });
    expect(after.map).toEqual(before.map);
  });

  it('a class without images is never chosen by the head, and named', async () => {
    const remarks: string[] = [];
    const world = { remark: (text: string) => void remarks.push(text) };
    const state = await fitToEnd(semclip, supportContext(runtime, 3, [1, 1], { world }), short);
    expect([...floats(state['head.present'])]).toEqual([1, 1, 0]);
    const { classes } = await score(state, short);
    for (let i = 0; i < 3; i++) expect(classes!.head[3 * i + 2]).toBe(0);
    expect(remarks).toContain('Without images, so never chosen by the class head: spot.');
  });

  it('without masks learns classes alone', async () => {
    const remarks: string[] = [];
    const masked = DEFECTS.map(() => false);
    const world = { remark: (text: string) => void remarks.push(text) };
    const state = await fitToEnd(semclip, fewShot({ masked, world }), short);
    expect(Object.keys(state).some((name) => name.startsWith('transformation'))).toBe(false);
    expect(remarks).toEqual([
      'No defect has a mask: maps are by texts; classes are learnt.',
      trustRemark(floatTensor([2], [1, 1])),
    ]);
    const { map, score: scores } = await score(state, short);
    expect([map.every(Number.isFinite), scores.every(Number.isFinite)]).toEqual([true, true]);
  });

  it('a fit of an earlier version, which keeps trust itself, answers as it did', async () => {
    const { words, ...rest } = await fitToEnd(semclip, fewShot(), short);
    const { taps } = picturesOf([0, 1, 2], 'queries');
    const trusted = (defects: number) =>
      score({ ...rest, trust: floatTensor([2], [defects, 0.7]) }, short, taps);
    const [none, half, whole] = [await trusted(0), await trusted(0.5), await trusted(1)];
    const { fused, text, head } = half.classes!;
    fused.forEach((share, i) => expect(share).toBeCloseTo(0.7 * text[i] + 0.3 * head[i], 5));
    half.score.forEach((value, i) => expect(value).toBeCloseTo((none.score[i] + whole.score[i]) / 2, 4));
    expect(half.score).not.toEqual(none.score);
    expect(whole.score).toEqual((await score({ ...rest, words }, short, taps)).score);
  });

  it('words count where they are right on the support set, and only there', async () => {
    const queries = picturesOf([0, 1, 2], 'queries');
    const right = await fitToEnd(semclip, fewShot(), short);
    expect([...floats(right.words)]).toEqual([1, 1]);
    const { classes } = await score(right, short, queries.taps);
    expect(classes!.fused).toEqual(classes!.text);

    // Each class by the words of the next.
    const { support } = fewShot();
    const texts: Support['texts'] = async function* () {
      const { classes: words, ...rest } = yield* support!.texts();
      const [count, width] = words.shape;
      const data = floats(words).map((_, i, all) => all[(i + width) % (count * width)]);
      return { ...rest, classes: { ...words, data } };
    };
    const wrong = await fitToEnd(semclip, fewShot({ world: { support: { ...support!, texts } } }), short);
    expect(floats(wrong.words)[1]).toBe(0);
    const told = (await score(wrong, short, queries.taps)).classes!;
    expect(told.fused).toEqual(told.head);
  });

  it('an empty mask is none, and said to be', async () => {
    const remarks: string[] = [];
    const plain = fewShot();
    const world: Partial<FitContext> = {
      remark: (text) => void remarks.push(text),
      defectMask: async (index) => (index ? plain.defectMask(index) : new Uint8Array(SIDE * SIDE)),
    };
    await fitToEnd(semclip, fewShot({ world }), short);
    expect(remarks).toContain('The masks of 1 of 6 images with defects are empty: no maps from those.');
  });

  it('one class with masks: places are learnt, classes are told by texts', async () => {
    const state = await fitToEnd(semclip, supportContext(runtime, 0, [1, 1]), short);
    expect('head.weight' in state).toBe(false);
    const { classes } = await score(state, short);
    expect(chosen(classes!.fused)).toEqual([0, 1, 2]);
    expect(classes!.head).toEqual(classes!.fused);
  });

  it('broken off and taken up again, the same', async () => {
    const long = { ...short, steps: 12 };
    const whole = await fitToEnd(semclip, fewShot(), long);
    const { kept, first, state } = await brokenOff(
      (pieces) => semclip.fit(fewShot({ world: { checkpoint: checkpointIn(pieces) } }), long),
      7,
    );
    expect(kept).toContain('training.transformation');
    expect(first).toBeGreaterThan(5);
    expect(state).toEqual(whole);
  });

  it('ended by hand while it learns classes: kept without transformation layers', async () => {
    const world: Partial<FitContext> = { ending: true };
    const state = await fitToEnd(semclip, fewShot({ world }), short);
    expect('head.weight' in state).toBe(true);
    expect('transformation.level4.weight' in state).toBe(false);
  });
});

describe('texts alone', () => {
  const none = (world: Partial<FitContext> = {}) => supportContext(runtime, 0, [], { world });

  it('are there at once, tell defects and classes', async () => {
    const remarks: string[] = [];
    const state = await fitToEnd(semclip, none({ remark: (text) => void remarks.push(text) }), defaults);
    expect(Object.keys(state)).toEqual(['texts', 'two']);
    expect(state.texts).toEqual(worldTexts().classes);
    expect(remarks).toEqual(['Text only: the support set has no images.']);
    const { map, score: scores, classes } = await score(state, defaults);
    expect(scores[0]).toBeLessThan(Math.min(scores[1], scores[2]));
    expect(chosen(classes!.fused)).toEqual([0, 1, 2]);
    expect(classes!.head).toEqual(classes!.text);
    for (const value of [...map, ...scores]) expect(value >= 0 && value <= 1).toBe(true);
  });

  it('are all there is where good images are the only ones', async () => {
    const remarks: string[] = [];
    const world = { remark: (text: string) => void remarks.push(text) };
    const state = await fitToEnd(semclip, supportContext(runtime, 4, [], { world }), defaults);
    expect(Object.keys(state)).toEqual(['texts', 'two']);
    expect(remarks).toEqual(['Text only: images of one class, without a mask to train on, teach nothing.']);
  });
});

describe('options', () => {
  /** Most are of fixed weights. */
  const fixed = { ...short, textTrust: false };

  it.each<Partial<SemClipOptions>>([
    { valuePath: false },
    { plainPath: false },
    { valuePath: false, plainPath: false, textMap: 0 },
    { words: 'general' },
    { transformation: false },
    { multiLayer: false },
    { textSimilarity: false },
    { headInputs: 'last' },
    { flips: false },
    { lossResolution: 'full' },
    { start: 'random' },
    { patchReduce: 'mean' },
    { patchReduce: 'top5' },
    { vWeights: 'surgery', vSoftmax: false },
    { textMap: 0, textScore: 2 },
    { blurSigma: 0 },
    { textTrust: true },
    { headTemperature: 1 },
  ])('%j: fits, and scores in another way', async (changed) => {
    const own = { ...fixed, ...changed };
    const [usual, other] = [
      await score(await fitToEnd(semclip, fewShot(), fixed), fixed),
      await score(await fitToEnd(semclip, fewShot(), own), own),
    ];
    const told = SHARES.map((source) => other.classes![source]);
    for (const values of [other.map, other.score, ...told]) expect(values.every(Number.isFinite)).toBe(true);
    const all = (found: typeof usual) => [...found.score, ...found.classes!.fused];
    expect(all(other)).not.toEqual(all(usual));
  });

  it('the temperature is in the fitted head: logits of a third', async () => {
    const [asTrained, calmed] = [
      await fitToEnd(semclip, fewShot(), { ...short, headTemperature: 1 }),
      await fitToEnd(semclip, fewShot(), { ...short, headTemperature: 3 }),
    ];
    for (const name of ['head.weight', 'head.bias'])
      expect(floats(calmed[name])).toEqual(floats(asTrained[name]).map((value) => value / 3));
  });

  it('without similarity, classes are those of the head; of the last level alone, the head is a quarter as wide', async () => {
    const state = await fitToEnd(semclip, fewShot(), { ...short, multiLayer: false });
    expect(state['head.weight'].shape).toEqual([3, WORLD.width]);
    expect('transformation.level1.weight' in state).toBe(false);
    const { classes } = await score(state, { ...short, multiLayer: false, textSimilarity: false });
    expect(classes!.fused).toEqual(classes!.head);
  });
});

describe('costs', () => {
  it('memory: as much as is kept, none for texts alone', async () => {
    const context = fewShot();
    const { fitBytes, stateBytes } = semclip.memory(context, short);
    const state = await fitToEnd(semclip, context, short);
    // Four classes more than there are: the set isn't known when it is estimated.
    const spare = 4 * 4 * (WORLD.embed + 4 * WORLD.width + 2);
    expect(stateBytes - bytesOf(state)).toBe(spare);
    expect(fitBytes).toBeGreaterThan(stateBytes);
    expect(semclip.memory({ ...context, goodImages: 30 }, short).fitBytes).toBeGreaterThan(fitBytes);
    const pictures = (goodImages: number, defectImages: number, flips: boolean) =>
      semclip.pictures!({ ...context, goodImages, defectImages }, { ...short, flips });
    expect([pictures(3, 5, true), pictures(3, 5, false), pictures(3, 0, true)]).toEqual([32, 8, 0]);
    const none = semclip.memory({ ...context, goodImages: 0, defectImages: 0 }, short);
    expect(none.fitBytes).toBe(none.stateBytes);
    expect(none.stateBytes).toBe(4 * 9 * WORLD.embed);
  });

  it.each([
    [5, 1],
    [0, 0],
  ])('a trial with %d good images measures steps without texts and masks', async (good, reports) => {
    const costs: StepCost[] = [];
    const world: Partial<FitContext> = {
      support: undefined,
      trial: { report: (cost) => void costs.push(cost) },
    };
    await fitToEnd(semclip, supportContext(runtime, good, [], { world }), defaults);
    expect(costs.length).toBe(reports);
    for (const { stepMs, iterations } of costs) expect([stepMs > 0, iterations]).toEqual([true, 800]);
  });
});
