import { beforeAll, describe, expect, it } from 'vitest';
import { floats } from '../../../src/base/tensor';
import { GraphBuilder } from '../../../src/graph/builder';
import type { ClassifierContext } from '../../../src/methods/classifier';
import { recame } from '../../../src/methods/classifiers/recame';
import { ensembleLosses, minedCount } from '../../../src/methods/classifiers/recame-losses';
import { expertsOf } from '../../../src/methods/classifiers/recame-network';
import type { RecameOptions } from '../../../src/methods/classifiers/recame-options';
import type { FitProgress, MethodState, StepCost } from '../../../src/methods/contract';
import { defaultOptions } from '../../../src/methods/options';
import { DeclaringNet, FittedNet } from '../../../src/nn/net';
import { fitToEnd } from '../../support/fixed-taps';
import {
  accuracyOf,
  classesOf,
  classifyTaps,
  fitFor,
  labelledContext,
  labelsOf,
  spotMaps,
} from '../../support/labelled-world';
import { evaluate, openNodeRuntime } from '../../support/node-runtime';

const runtime = openNodeRuntime();
const SIDE = 32;
const SHAPE = [12, 6, 6] as const;
const COUNTS = [40, 16, 8, 4, 2];
const CLASS_OF = classesOf(COUNTS);
const MAPS = spotMaps(CLASS_OF, [...SHAPE]);
const QUERY_OF = classesOf([12, 12, 12, 12, 12]);
const QUERIES = { level3: spotMaps(QUERY_OF, [...SHAPE], 'queries') };

const small: RecameOptions = {
  ...(defaultOptions(recame.options) as RecameOptions),
  width: 16,
  views: 1,
  epochs: 1,
  batch: 16,
};

const world = (rest: Partial<ClassifierContext> = {}, seed = 0): ClassifierContext =>
  labelledContext(runtime, { level3: MAPS }, labelsOf(CLASS_OF), { side: SIDE, seed, world: rest });

const fit = (o = small, rest: Partial<ClassifierContext> = {}): Promise<MethodState> =>
  fitToEnd(recame, world(rest), o);

/** A fit that is ended by hand after so many steps, and the losses until then. */
async function begun(o: RecameOptions, steps: number, rest: Partial<ClassifierContext> = {}, seed = 0) {
  const losses: number[] = [];
  const state = await fitFor(steps, recame, world(rest, seed), o, ({ loss }) => {
    if (loss !== undefined) losses.push(loss);
  });
  return { state, losses };
}
const tell = (state: MethodState, o = small) => classifyTaps(runtime, recame, state, o, QUERIES, SIDE);

const closeTo = (found: Float32Array, expected: Float32Array, digits: number): void => {
  expect(found.length).toBe(expected.length);
  found.forEach((value, i) => expect(value).toBeCloseTo(expected[i], digits));
};

describe('a fit', () => {
  let state: MethodState;
  const phases = new Map<string, FitProgress[]>();
  beforeAll(async () => {
    const fitting = recame.fit(world(), small);
    let step = await fitting.next();
    for (; !step.done; step = await fitting.next())
      phases.set(step.value.phase, [...(phases.get(step.value.phase) ?? []), step.value]);
    state = step.value;
  }, 60_000);

  it('learns classes of a long tail, the rare ones too', async () => {
    const { logits } = await tell(state);
    expect(accuracyOf(logits, QUERY_OF)).toBeGreaterThan(0.9);
    const rare = logits.subarray(48 * 5);
    expect(accuracyOf(rare, QUERY_OF.slice(48))).toBeGreaterThan(0.7);
  });

  it('reports its phases; a handful of images gets 200 steps, its student two thirds, both 25 for the running statistics', () => {
    expect([...phases.keys()]).toEqual([
      'features',
      'training of the experts',
      "the experts' answers",
      'training of the student',
    ]);
    expect(phases.get('training of the experts')!.length).toBe(200 + 25);
    expect(phases.get('training of the student')!.length).toBe(134 + 25);
    const losses = phases
      .get('training of the experts')!
      .flatMap(({ loss }) => (loss === undefined ? [] : [loss]));
    expect(losses.at(-1)).toBeLessThan(0.5 * losses[0]);
  });

  it('answers with the mean of the experts, in whatever order they stand', async () => {
    const found = await tell(state);
    expect(found.experts.length).toBe(3);
    const mean = found.logits.map((_, i) => found.experts.reduce((sum, own) => sum + own[i] / 3, 0));
    closeTo(found.logits, mean, 4);
    const turned = Object.fromEntries(
      Object.entries(state).map(([name, tensor]) => [
        name.replace(/^experts\.expert(\d)/, (_, e: string) => `experts.expert${(Number(e) + 1) % 3}`),
        tensor,
      ]),
    );
    const other = await tell(turned);
    closeTo(other.logits, found.logits, 4);
    closeTo(other.experts[1], found.experts[0], 6);
  });

  it.each(['ensemble', 'student'])('%s: leans to classes that were taught more often', async (answer) => {
    const leaning = (lean: number, from = state) => tell(from, { ...small, answer, lean });
    const level = (await leaning(0)).logits;
    const expected = level.map((own, i) => own + (0.5 * COUNTS[i % 5]) / COUNTS[0]);
    closeTo((await leaning(0.5)).logits, expected, 4);
    const { frequencies: _, ...earlier } = state;
    closeTo((await leaning(0.5, earlier)).logits, level, 6);
  });

  it('does not lean twice: cross entropy leans by itself', async () => {
    const plain = { ...small, expertLoss: 'plain' };
    closeTo(
      (await tell(state, { ...plain, lean: 1 })).logits,
      (await tell(state, { ...plain, lean: 0 })).logits,
      6,
    );
  });

  it('tells how much each region counted', async () => {
    const { attention } = await tell(state);
    expect(attention!.shape).toEqual([QUERY_OF.length, 1, 4, 4]);
    const shares = floats(attention!);
    for (let i = 0; i < shares.length; i += 16)
      expect(shares.subarray(i, i + 16).reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 4);
  });

  it('has a student that answers like the experts, alone where it is asked to', async () => {
    const found = await tell(state);
    const best = (logits: Float32Array) =>
      QUERY_OF.map((_, i) => {
        const row = logits.subarray(5 * i, 5 * i + 5);
        return row.indexOf(Math.max(...row));
      });
    const own = best(found.student!);
    const agreed = best(found.logits).filter((c, i) => c === own[i]).length / QUERY_OF.length;
    expect(agreed).toBeGreaterThan(0.93);
    const alone = await tell(state, { ...small, answer: 'student' });
    expect(alone.logits).toEqual(found.student);
    expect(alone.experts).toEqual([]);
  });

  it('is the same for the same seed, another for another', async () => {
    const [{ state: one }, { state: again }, { state: other }] = [
      await begun(small, 20),
      await begun(small, 20),
      await begun(small, 20, {}, 1),
    ];
    for (const [name, tensor] of Object.entries(again)) closeTo(floats(tensor), floats(one[name]), 5);
    const weight = 'experts.expert0.classifier.weight';
    expect(floats(other[weight])).not.toEqual(floats(one[weight]));
  });
});

it('takes odd maps inside; states of earlier versions, which padded them, go on to', async () => {
  const odd = (classOf: readonly number[], stream?: string) => spotMaps(classOf, [12, 7, 7], stream);
  const o = { ...small, experts: '1', lean: 0 };
  const taps = { level3: odd(CLASS_OF) };
  const labels = labelsOf(CLASS_OF);
  const state = await fitFor(20, recame, labelledContext(runtime, taps, labels, { side: SIDE }), o);
  const queries = { level3: odd(QUERY_OF, 'queries') };
  const { inside: _, ...earlier } = state;
  for (const [from, inside] of [
    [state, true],
    [earlier, false],
  ] as const) {
    const { logits } = await classifyTaps(runtime, recame, from, o, queries, SIDE);
    const { expected } = await evaluate(
      runtime,
      { ...state, x: queries.level3 },
      ({ x, ...values }, graph) => {
        const net = new FittedNet(graph, values, 'experts.');
        const [alone] = expertsOf(net, x, 1, { classes: 5, width: 16, attention: true, inside });
        return { expected: alone.logits };
      },
    );
    closeTo(logits, floats(expected), 4);
  }
});

describe('training on the given images alone', () => {
  it('others, whatever they are labelled, change nothing', async () => {
    const trained = CLASS_OF.flatMap((_, i) => (i % 8 === 1 ? [] : [i]));
    const one = { ...small, experts: '1' };
    const of = (classOf: readonly number[]) => begun(one, 30, { labels: labelsOf(classOf, trained) });
    const relabelled = CLASS_OF.map((own, i) => (i % 8 === 1 ? (own + 1) % 5 : own));
    const [{ state }, { state: other }] = [await of(CLASS_OF), await of(relabelled)];
    for (const [name, tensor] of Object.entries(state)) closeTo(floats(other[name]), floats(tensor), 5);
  });
});

describe('options', () => {
  const namesOf = (state: MethodState) => Object.keys(state).join(' ');

  it.each<[string, Partial<RecameOptions>, RegExp, number]>([
    ['one expert', { experts: '1' }, /expert1|student/, 0],
    ['no attention', { attention: false }, /attention/, 3],
    ['no student', { distillation: false }, /student/, 3],
  ])('%s leaves its tensors out', async (_title, changes, absent, experts) => {
    const o = { ...small, ...changes };
    // One that is not ended by hand would have its student.
    const { state } = o.experts === '1' || !o.distillation ? { state: await fit(o) } : await begun(o, 60);
    expect(namesOf(state)).not.toMatch(absent);
    const found = await tell(state, o);
    expect(found.experts.length).toBe(experts);
    expect(found.attention === undefined).toBe(!o.attention);
    expect(accuracyOf(found.logits, QUERY_OF)).toBeGreaterThan(0.8);
  });

  /** Names of the losses, and whether their graph asks for centres. */
  function lossesOf(changes: Partial<RecameOptions>, experts = 3) {
    const o = { ...small, ...changes };
    const graph = new GraphBuilder();
    const net = new DeclaringNet(graph);
    const input = (...shape: number[]) => graph.placeholder('float32', shape);
    const found = expertsOf(net, input(8, ...SHAPE), experts, {
      classes: 5,
      width: 16,
      attention: true,
      inside: true,
    });
    const lesson = { labels: input(8, 5), drawn: input(1, 5) };
    const { terms } = ensembleLosses(net, found, lesson, COUNTS, input(), o);
    return {
      terms: Object.keys(terms),
      centres: net.parameters.slots.some(({ name }) => name.endsWith('centres')),
    };
  }

  it.each<[string, Partial<RecameOptions>, string[]]>([
    ['the usual ones', {}, ['classes', 'hard', 'mutual', 'centres']],
    ['no mining', { mining: false }, ['classes', 'mutual', 'centres']],
    ['no mutual distillation', { mutual: false }, ['classes', 'hard', 'centres']],
    ['triplets', { metric: 'triplet' }, ['classes', 'hard', 'mutual', 'centres', 'pairs']],
    ['contrast', { metric: 'contrastive' }, ['classes', 'hard', 'mutual', 'centres', 'pairs']],
    ['no metric losses', { metric: 'none' }, ['classes', 'hard', 'mutual']],
  ])('%s: the losses', (_title, changes, terms) => {
    const found = lossesOf(changes);
    expect(found.terms).toEqual(terms);
    expect(found.centres).toBe(changes.metric !== 'none');
  });

  it('one expert has nobody to learn from', () => {
    expect(lossesOf({}, 1).terms).not.toContain('mutual');
  });

  it.each(['balanced', 'plain', 'ldam', 'focal', 'weighted', 'smoothed'])(
    'loss %s falls',
    async (expertLoss) => {
      const o = { ...small, experts: '1', expertLoss, mining: false, metric: 'none' };
      const { losses } = await begun(o, 30);
      expect(losses.at(-1)).toBeLessThan(0.6 * losses[0]);
    },
  );

  it('mines a third of the classes, two at least', () => {
    expect([2, 3, 7, 14, 60].map(minedCount)).toEqual([2, 2, 3, 5, 18]);
  });

  it('a student that is not trained is said to be absent', async () => {
    const remarks: string[] = [];
    const o = { ...small, distillation: false, answer: 'student' };
    const { state } = await begun(o, 10, { remark: (text) => void remarks.push(text) });
    expect(remarks).toContain('There is no student: the experts answer.');
    expect((await tell(state, o)).logits.length).toBe(5 * QUERY_OF.length);
  });
});

describe('ends', () => {
  it('by hand with the experts it has', async () => {
    const remarks: string[] = [];
    const { state } = await begun(small, 20, { remark: (text) => void remarks.push(text) });
    expect(Object.keys(state).some((name) => name.startsWith('student'))).toBe(false);
    expect(remarks.at(-1)).toBe('Ended by hand before the student: the experts answer.');
    expect((await tell(state, { ...small, answer: 'student' })).student).toBeUndefined();
  });

  it('by hand while the student waits for answers with the experts it has', async () => {
    const remarks: string[] = [];
    let ending = false;
    const context = world({ remark: (text) => void remarks.push(text) });
    const fitting = recame.fit(Object.defineProperty(context, 'ending', { get: () => ending }), small);
    let step = await fitting.next();
    for (; !step.done; step = await fitting.next()) ending ||= step.value.phase === "the experts' answers";
    expect(Object.keys(step.value).some((name) => name.startsWith('student'))).toBe(false);
    expect(remarks).toEqual(['Ended by hand before the student: the experts answer.']);
    expect((await tell(step.value)).experts.length).toBe(3);
  });

  it('by a cancel with nothing left on the device, and the same memory at every step until then', async () => {
    const before = runtime.ledger.liveBytes;
    const fitting = recame.fit(world(), small);
    const live: number[] = [];
    while (live.length < 30) {
      const { value } = await fitting.next();
      if ((value as FitProgress).unit === 'steps') live.push(runtime.ledger.liveBytes);
    }
    await fitting.return({});
    expect(new Set(live.slice(5)).size).toBe(1);
    expect(runtime.ledger.liveBytes).toBe(before);
  });

  it('measures the cost of a step, and counts the steps of a student by what they are of one', async () => {
    let cost: StepCost | undefined;
    const state = await fit(small, { trial: { report: (found) => void (cost = found) } });
    expect(state).toEqual({});
    expect(cost!.iterations).toBe(225 + 45);
    expect(cost!.stepMs).toBeGreaterThan(0);
    await fit({ ...small, dropout: 0 }, { trial: { report: (found) => void (cost = found) } });
    expect(cost!.iterations).toBe(200 + 45);
    await fit(
      { ...small, dropout: 0, metric: 'triplet' },
      { trial: { report: (found) => void (cost = found) } },
    );
    expect(cost!.iterations).toBe(225 + 45);
    await fit({ ...small, distillation: false }, { trial: { report: (found) => void (cost = found) } });
    expect(cost!.iterations).toBe(225);
  });

  it('states its memory, more of it for more views and classes', () => {
    const size = { ...world(), images: 70, classes: 5 };
    const { fitBytes, stateBytes } = recame.memory(size, small);
    expect(stateBytes).toBeGreaterThan(3 * 4 * 16 * 16 * 9);
    expect(recame.memory(size, { ...small, views: 4 }).fitBytes - fitBytes).toBe(
      3 * 70 * 4 * (12 * 36 + 5 + 128),
    );
    expect(recame.memory({ ...size, classes: 14 }, small).stateBytes).toBeGreaterThan(stateBytes);
  });
});
