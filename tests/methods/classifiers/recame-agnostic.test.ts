import { describe, expect, it } from 'vitest';
import { Rng } from '../../../src/base/rng';
import { floatTensor, floats } from '../../../src/base/tensor';
import type { TensorData } from '../../../src/base/tensor';
import type { ClassifierContext } from '../../../src/methods/classifier';
import { recame } from '../../../src/methods/classifiers/recame';
import { channelStatistics, pseudoDomains } from '../../../src/methods/classifiers/recame-agnostic';
import type { RecameOptions } from '../../../src/methods/classifiers/recame-options';
import type { MethodState } from '../../../src/methods/contract';
import { defaultOptions } from '../../../src/methods/options';
import { vectorName } from '../../../src/methods/kit/training-graph';
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
const CLASS_OF = classesOf([20, 12, 8]);
const MAPS = spotMaps(CLASS_OF, [12, 6, 6]);
/** Of every image; no class has one of its own. */
const DOMAIN_OF = CLASS_OF.map((_, i) => (i % 5) % 4);
const SIZES = 'Domains found at the first level: 4, of 16, 8, 8 and 8 images.';

/** Brightness and contrast of the first level in each domain, and of one that is none of them. */
const LOOKS = [
  [0, 0.5],
  [4, 0.5],
  [0, 3],
  [4, 3],
  [1000, 20],
] as const;
const OUTLYING = 4;

function firstLevels(domainOf: readonly number[]): TensorData {
  const rng = new Rng(4, 'first levels');
  const data = domainOf.flatMap((domain) => {
    const [mean, deviation] = LOOKS[domain];
    return Array.from({ length: 3 * 64 }, () => mean + deviation * rng.normal());
  });
  return floatTensor([domainOf.length, 3, 8, 8], data);
}

/** Third levels that say the domain too, in channels that no class has. */
function mapsWithDomains(): TensorData {
  const data = floats(MAPS).slice();
  DOMAIN_OF.forEach((domain, image) => {
    const first = (12 * image + 8 + domain) * 36;
    for (let i = first; i < first + 36; i++) data[i] += 1;
  });
  return floatTensor(MAPS.shape, data);
}

const options: RecameOptions = {
  ...(defaultOptions(recame.options) as RecameOptions),
  agnostic: true,
  distillation: false,
  width: 16,
  views: 1,
  epochs: 1,
  batch: 16,
};
const without: RecameOptions = { ...options, agnostic: false };

const world = (level1: TensorData | undefined, rest: Partial<ClassifierContext> = {}): ClassifierContext =>
  labelledContext(runtime, { level3: mapsWithDomains(), ...(level1 && { level1 }) }, labelsOf(CLASS_OF), {
    side: SIDE,
    world: rest,
  });

async function domainsOf(level1: TensorData, rest: Partial<ClassifierContext> = {}) {
  const remarks: string[] = [];
  const finding = pseudoDomains(world(level1, { ...rest, remark: (text) => void remarks.push(text) }));
  let step = await finding.next();
  while (!step.done) step = await finding.next();
  return { domains: step.value, remarks };
}

/** Whether two ways of putting things in groups are the same but for the groups' names. */
function expectSameGroups(found: readonly number[], expected: readonly number[]): void {
  const pairs = new Set(found.map((own, i) => `${own} ${expected[i]}`));
  expect(pairs.size).toBe(new Set(expected).size);
  expect(new Set(found).size).toBe(pairs.size);
}

describe('domains', () => {
  it('are told by the mean and the deviation of every channel', async () => {
    const map = floatTensor([2, 2, 1, 2], [1, 3, 5, 5, -2, 2, 0, 8]);
    const { found } = await evaluate(runtime, { map }, (values) => ({
      found: channelStatistics(values.map),
    }));
    expect(found.shape).toEqual([2, 4]);
    expect([...floats(found)]).toEqual([2, 5, 1, 0, 0, 4, 2, 4]);
  });

  it('are those that the first levels were made of, and a remark tells how many images each has', async () => {
    const { domains, remarks } = await domainsOf(firstLevels(DOMAIN_OF));
    expect(domains!.count).toBe(4);
    expectSameGroups(domains!.of, DOMAIN_OF);
    expect(remarks).toEqual([SIZES]);
  });

  it('are of the images that are trained on alone', async () => {
    const trained = CLASS_OF.flatMap((_, i) => (i % 7 === 1 ? [] : [i]));
    const labels = labelsOf(CLASS_OF, trained);
    const { domains } = await domainsOf(firstLevels(DOMAIN_OF), { labels });
    expect(Object.keys(domains!.of).map(Number)).toEqual(trained);
    const outlying = DOMAIN_OF.map((domain, i) => (i % 7 === 1 ? OUTLYING : domain));
    expect(await domainsOf(firstLevels(outlying), { labels })).toMatchObject({ domains });
  });

  it('are fewer where fewer images differ; none where all look alike', async () => {
    const same = (domain: number) => Array.from({ length: 3 * 64 }, (_, i) => domain + Math.sin(i));
    const two = floatTensor(
      [40, 3, 8, 8],
      CLASS_OF.flatMap((_, i) => same(i % 2)),
    );
    const found = await domainsOf(two);
    expect(found.domains!.count).toBe(2);
    expect(found.remarks).toEqual(['Domains found at the first level: 2, of 20 and 20 images.']);
    const { domains, remarks } = await domainsOf(
      floatTensor(
        [40, 3, 8, 8],
        CLASS_OF.flatMap(() => same(1)),
      ),
    );
    expect(domains).toBeUndefined();
    expect(remarks).toEqual([
      'All images look alike at the first level: no domains, and no class-agnostic branch.',
    ]);
  });
});

/** Steps of the experts until an end by hand: what they report, sizes of what is fed, the state. */
async function trained(o: RecameOptions, steps: number, level1 = firstLevels(DOMAIN_OF)) {
  const reports: number[][] = [];
  const inputs: Record<string, number> = {};
  const remarks: string[] = [];
  const context = world(o.agnostic ? level1 : undefined, {
    compile: (graph, resident) => {
      if (graph.outputs.has('report'))
        for (const [name, { shape }] of graph.inputs) inputs[name] = shape.reduce((a, b) => a * b, 1);
      return runtime.compile(graph, { resident });
    },
    read: async (tensor) => {
      const values = await runtime.read(tensor);
      if (values.data.length < 20) reports.push([...floats(values)]);
      return values;
    },
    remark: (text) => void remarks.push(text),
  });
  return { state: await fitFor(steps, recame, context, o), reports, inputs, remarks };
}

const sizesOf = (state: MethodState) =>
  Object.fromEntries(Object.entries(state).map(([name, { shape }]) => [name, shape.join('×')]));

describe('the class-agnostic branch', () => {
  it('adds two losses, learns the domains, and is in no state', async () => {
    const found = await trained(options, 120);
    const plain = await trained(without, 2);
    expect(found.remarks).toContain(SIZES);
    // The loss, classes, hard categories, mutual distillation and centres; then domains and decorrelation.
    expect(new Set(plain.reports.map(({ length }) => length))).toEqual(new Set([5]));
    expect(new Set(found.reports.map(({ length }) => length))).toEqual(new Set([7]));
    for (const [loss, ...terms] of found.reports)
      expect(loss).toBeCloseTo(
        terms.reduce((sum, term) => sum + term, 0),
        4,
      );
    const domains = found.reports.map((report) => report.at(-2)!);
    expect(domains[0]).toBeGreaterThan(0.1 * 3 * 1.1);
    expect(domains.at(-1)).toBeLessThan(0.7 * domains[0]);
    for (const report of found.reports) {
      expect(report.at(-1)).toBeGreaterThan(0);
      expect(report.at(-1)).toBeLessThan(0.05 * 3);
    }
    expect(sizesOf(found.state)).toEqual(sizesOf(plain.state));
    const told = await classifyTaps(
      runtime,
      recame,
      found.state,
      options,
      { level3: mapsWithDomains() },
      SIDE,
    );
    expect(accuracyOf(told.logits, CLASS_OF)).toBeGreaterThan(0.9);
  });

  it('is off by default: the step has its parameters and inputs alone, and no other level is tapped', async () => {
    const defaults = defaultOptions(recame.options) as RecameOptions;
    expect(recame.fitTaps!(defaults)).toEqual([]);
    expect(recame.passes(defaults)).toBe(defaults.views);
    const plain = await trained(without, 2);
    const found = await trained(options, 2);
    const experts = vectorName('experts', 'parameters');
    expect(found.inputs[experts]).toBe(plain.inputs[experts]);
    const added = Object.keys(found.inputs).filter((name) => !(name in plain.inputs));
    expect(added.filter((name) => !name.startsWith('agnostic.'))).toEqual(['domains']);
    expect(Object.keys(plain.inputs).some((name) => /agnostic|domains/.test(name))).toBe(false);
    // Of each expert a projection to 32, and a linear classifier of four domains on it.
    expect(found.inputs[vectorName('agnostic', 'parameters')]).toBe(3 * (32 * 16 + 4 * 32 + 4));
  });

  it('taps the first level while it is fitted, once more through the backbone', () => {
    expect(recame.fitTaps!(options)).toEqual(['level1']);
    expect(recame.passes({ ...options, views: 4 })).toBe(5);
  });

  it('is left out where all images look alike', async () => {
    const alike = floatTensor([40, 3, 8, 8], new Float32Array(40 * 3 * 64).fill(1));
    const found = await trained(options, 2, alike);
    const plain = await trained(without, 2);
    expect(found.inputs).toEqual(plain.inputs);
    for (const [name, tensor] of Object.entries(plain.state))
      floats(tensor).forEach((value, i) => expect(floats(found.state[name])[i]).toBeCloseTo(value, 5));
  });

  it('takes memory while it is fitted, and none in the fit that is kept', () => {
    const size = { ...world(firstLevels(DOMAIN_OF)), images: 40, classes: 3 };
    const [on, off] = [recame.memory(size, options), recame.memory(size, without)];
    // Mean and deviation of three channels; parameters twice and the optimiser's two slots, four bytes each.
    const least = 40 * 6 * 4 + 4 * 4 * 3 * (32 * 16 + 4 * 32 + 4);
    expect(on.fitBytes - off.fitBytes).toBeGreaterThanOrEqual(least);
    expect(on.stateBytes).toBe(off.stateBytes);
  });
});
