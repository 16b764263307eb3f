import { beforeAll, describe, expect, it } from 'vitest';
import type { BackboneId, JobId } from '../../../src/base/ids';
import { Rng } from '../../../src/base/rng';
import { floatTensor, floats, sizeOf } from '../../../src/base/tensor';
import type { TensorData } from '../../../src/base/tensor';
import { FeatureExtractor } from '../../../src/engine/features';
import { FitControl } from '../../../src/engine/world';
import { stateValues } from '../../../src/engine/scorer';
import { GraphBuilder } from '../../../src/graph/builder';
import type { Detector, FitContext, MethodState } from '../../../src/methods/contract';
import { dra } from '../../../src/methods/detectors/dra';
import type { DraOptions } from '../../../src/methods/detectors/dra';
import { gradientMap } from '../../../src/methods/kit/deviation-heads';
import { defaultOptions } from '../../../src/methods/options';
import { generateImage } from '../../../src/sample/generate';
import { brokenOff } from '../../support/broken-off';
import { TestEngine } from '../../support/engine';
import { contextOf, fitToEnd } from '../../support/fixed-taps';
import { relativeError } from '../../support/golden';
import { evaluate, openNodeRuntime } from '../../support/node-runtime';
import { TINY_VIT, scoreSmall, smallBackbone, smallContext } from '../../support/small-backbone';

const runtime = openNodeRuntime();
const detector = dra as unknown as Detector;
const SIDE = 32;
const defaults = defaultOptions(dra.options) as DraOptions;

/** Long enough for what is made up here. */
const long: DraOptions = {
  ...defaults,
  steps: 100,
  learningRate: 0.02,
  views: 2,
  pseudo: 24,
  blurSigma: 0,
};

/** Stripes with noise, all alike. */
function good(seed: number): Float32Array {
  const rng = new Rng(seed, 'good');
  return Float32Array.from({ length: SIDE * SIDE }, (_, i) => (i % 8 < 4 ? 0.3 : 0.5) + 0.03 * rng.bell());
}

const quadrantOf = (x: number, y: number): number => 2 * Number(y >= SIDE / 2) + Number(x >= SIDE / 2);

/** One with a bright square inside a quadrant, and which. */
function defective(seed: number): { plane: Float32Array; quadrant: number } {
  const plane = good(1000 + seed);
  const rng = new Rng(seed, 'place');
  const [x, y] = [0, 0].map(() => rng.pick([8, 24]) - 2 + rng.integer(5));
  for (let dy = -4; dy < 4; dy++) for (let dx = -4; dx < 4; dx++) plane[(y + dy) * SIDE + x + dx] = 1;
  return { plane, quadrant: quadrantOf(x, y) };
}

/** The quadrant with the largest sum. */
function brightest(map: Float32Array): number {
  const sums = [0, 0, 0, 0];
  map.forEach((value, i) => (sums[quadrantOf(i % SIDE, Math.floor(i / SIDE))] += value));
  return sums.indexOf(Math.max(...sums));
}

const planes = (goods: number, defects: number, from = 0) => ({
  good: Array.from({ length: goods }, (_, i) => good(from + i)),
  defects: Array.from({ length: defects }, (_, i) => defective(from + i).plane),
});

const context = (
  goods = 4,
  defects = 4,
  rest: Partial<Parameters<typeof smallContext>[3]> = {},
): FitContext => smallContext(runtime, detector, planes(goods, defects), { side: SIDE, ...rest });

const score = (state: MethodState, o: DraOptions, images: readonly Float32Array[]) =>
  scoreSmall(runtime, dra, state, o, images);

/** What a score is made of, for one image. */
async function tapsOf(plane: Float32Array): Promise<Record<string, TensorData>> {
  const extractor = await FeatureExtractor.open(runtime, smallBackbone(), dra.needs.taps, SIDE, 1, 'fit');
  const image = floatTensor([1, 1, SIDE, SIDE], plane);
  const seen: Record<string, TensorData> = { image };
  for (const [role, tap] of Object.entries(await extractor.run(image, 'fit'))) {
    seen[role] = await runtime.read(tap);
    tap.dispose();
  }
  return seen;
}

/** Scores what `tapsOf` gives, maybe changed. */
async function openScorer(state: MethodState, o: DraOptions) {
  const loaded = smallBackbone();
  const extractor = await FeatureExtractor.open(runtime, loaded, dra.needs.taps, SIDE, 1, 'fit');
  const graph = new GraphBuilder();
  const scored = dra.score(graph, extractor.inputsOf(graph), stateValues(graph, state), o);
  graph.output('map', scored.map);
  graph.output('score', scored.score);
  const program = await runtime.compile(graph.build());
  return async (seen: Record<string, TensorData>) => {
    const { values } = await program.run(seen);
    return { map: floats(values.map), score: floats(values.score)[0] };
  };
}

const bytesOf = (state: MethodState): number =>
  Object.values(state).reduce((sum, { shape }) => sum + 4 * sizeOf(shape), 0);

describe.each(['reduced', 'full'])('a %s fit', (form) => {
  const own: DraOptions = { ...long, form };
  const short: DraOptions = { ...own, steps: 4, batch: 6, pseudo: 8 };
  const trunk = form === 'full' ? 'backbone' : 'upper';
  const losses: number[] = [];
  const remarks: string[] = [];
  let state: MethodState;
  beforeAll(async () => {
    const control = new FitControl();
    const fit = dra.fit(context(4, 6, { control }), own);
    let step = await fit.next();
    while (!step.done) {
      if (step.value.loss !== undefined) losses.push(step.value.loss);
      step = await fit.next();
    }
    state = step.value;
    remarks.push(...control.remarks);
  });

  it('lowers the loss and tells unseen defects, and where they are', async () => {
    expect(losses.at(-1)).toBeLessThan(0.5 * losses[0]);
    const unseen = Array.from({ length: 6 }, (_, i) => defective(50 + i));
    const [normal, found] = [
      await score(state, own, planes(6, 0, 50).good),
      await score(
        state,
        own,
        unseen.map(({ plane }) => plane),
      ),
    ];
    const scores = (all: typeof found) => all.map((one) => one.score);
    expect(Math.min(...scores(found))).toBeGreaterThan(Math.max(...scores(normal)));
    // Maps have a position for each quadrant here.
    const right = found.filter(({ map }, i) => brightest(map) === unseen[i].quadrant);
    expect(right.length).toBeGreaterThanOrEqual(5);
    for (const { map } of found) expect(map.length).toBe(SIDE * SIDE);
  });

  it('says so; what is trained has moved, its norms have not', () => {
    expect(remarks).toEqual([
      form === 'full'
        ? 'Full form: the whole backbone was trained.'
        : 'Reduced form: only the layers of the backbone above its third level were trained.',
    ]);
    const { weights } = smallBackbone();
    const of = (name: string) => {
      const kept = state[`${trunk}.${name}`];
      return [floats(kept), floats(weights.get(name, kept.shape))];
    };
    for (const name of ['level4.conv.weight', 'level4.bn.bias']) {
      const [after, before] = of(name);
      expect(after).not.toEqual(before);
    }
    for (const part of ['running_mean', 'running_var']) {
      const [after, before] = of(`level4.bn.${part}`);
      expect(after).toEqual(before);
    }
    expect(`${trunk}.level3.conv.weight` in state).toBe(form === 'full');
    expect(dra.taps!(own)).toEqual(form === 'full' ? [] : ['level3', 'half3']);
    expect(floats(state['heads.composite.bn.running_var'])).not.toEqual(new Float32Array(10).fill(1));
  });

  it('scores together or one by one the same', async () => {
    const images = [good(70), defective(71).plane, good(72)];
    const together = await score(state, own, images);
    for (const [i, image] of images.entries()) {
      const [alone] = await score(state, own, [image]);
      expect(alone.score).toBeCloseTo(together[i].score, 4);
      expect(relativeError(alone.map, together[i].map)).toBeLessThan(1e-4);
    }
  });

  it('shows the gradient of the score when asked: that of finite differences', async () => {
    const seen = await tapsOf(defective(60).plane);
    const scorer = await openScorer(state, { ...own, map: 'gradient' });
    const parts = form === 'full' ? ['image'] : ['level3', 'half3'];
    const slopes: Record<string, TensorData> = {};
    const step = 2e-3;
    for (const part of parts) {
      const { shape, data } = seen[part];
      const gradient = new Float32Array(data.length);
      for (let i = 0; i < data.length; i++) {
        const at = async (offset: number) => {
          const moved = Float32Array.from(data as Float32Array);
          moved[i] += offset;
          return (await scorer({ ...seen, [part]: floatTensor(shape, moved) })).score;
        };
        gradient[i] = ((await at(step)) - (await at(-step))) / (2 * step);
      }
      slopes[part] = floatTensor(shape, gradient);
    }
    const { expected } = await evaluate(runtime, slopes, (values) => ({
      expected: gradientMap(
        parts.map((part) => values[part]),
        SIDE,
        0,
      ),
    }));
    const { map } = await scorer(seen);
    const off = floats(expected).map((value, i) => Math.abs(value - map[i]));
    // A step may cross a kink of the network.
    expect([...off].sort((x, y) => x - y)[Math.floor(0.97 * off.length)]).toBeLessThan(0.01);
    expect(Math.min(...map)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...map) - Math.min(...map)).toBeGreaterThan(0.5);
    expect(Math.max(...map)).toBeLessThanOrEqual(1);
  });

  it('is the same for the same seed, another for another', async () => {
    const first = await fitToEnd(dra, context(), short);
    expect(await fitToEnd(dra, context(), short)).toEqual(first);
    const other = await fitToEnd(dra, context(4, 4, { seed: 1 }), short);
    expect(floats(other['heads.seen.conv.weight'])).not.toEqual(floats(first['heads.seen.conv.weight']));
  });

  it('broken off and taken up again, the same', async () => {
    const o = { ...short, steps: 8 };
    const whole = await fitToEnd(dra, context(), o);
    const { first, state } = await brokenOff((pieces) => dra.fit(context(4, 4, { pieces }), o), 5);
    expect(first).toBeGreaterThan(3);
    expect(state).toEqual(whole);
  });

  it('one good image is its own reference, and that is said', async () => {
    const control = new FitControl();
    const found = await fitToEnd(dra, context(1, 2, { control }), short);
    expect(control.remarks).toContain(
      'One good image is its own reference: others are held against it alone.',
    );
    const [{ score: value, map }] = await score(found, short, [good(5)]);
    expect([Number.isFinite(value), map.every(Number.isFinite)]).toEqual([true, true]);
  });

  it('memory: as much as is kept, more for more images and views', async () => {
    const world = context();
    const { fitBytes, stateBytes } = dra.memory(world, short);
    expect(stateBytes).toBe(bytesOf(await fitToEnd(dra, world, short)));
    expect(fitBytes).toBeGreaterThan(stateBytes);
    const { backbone, taps } = world;
    const size = { backbone, taps, side: SIDE, goodImages: 4, defectImages: 4 };
    const of = (changed: object, o = short) => dra.memory({ ...size, ...changed }, o).fitBytes;
    const item = 4 * (form === 'full' ? SIDE * SIDE : sizeOf(taps.level3!) + sizeOf(taps.half3!));
    expect(of({})).toBe(fitBytes);
    expect(of({ defectImages: 9 }) - fitBytes).toBe(5 * 2 * item);
    expect(of({}, { ...short, pseudo: 16 }) - fitBytes).toBe(8 * item);
    expect(of({}, { ...short, views: 4 }) - fitBytes).toBe(8 * 2 * item);
    expect(of({}, { ...short, batch: 12 })).toBeGreaterThan(fitBytes);
  });
});

describe('a stage of its own', () => {
  const made = (stream: string, shape: readonly number[]) => {
    const rng = new Rng(1, stream);
    return floatTensor(
      shape,
      Float32Array.from({ length: sizeOf(shape) }, () => 5 * rng.normal()),
    );
  };
  const taps = { level3: made('level3', [2, 6, 4, 4]), half3: made('half3', [2, 6, 2, 2]) };
  const world = (rest: Partial<FitContext> = {}) =>
    contextOf(runtime, taps, { side: 32, world: { defectImages: 2, backbone: TINY_VIT, ...rest } });
  const o: DraOptions = { ...defaults, steps: 1, batch: 3, views: 1, pseudo: 2 };

  it('stands where layers above a map can’t be had; its norms are measured once and kept', async () => {
    const remarks: string[] = [];
    const state = await fitToEnd(dra, world({ remark: (text) => void remarks.push(text) }), o);
    expect(remarks).toEqual([
      'Reduced form: the backbone stayed as it is; a stage of its own was trained on its third level.',
    ]);
    const longer = await fitToEnd(dra, world(), { ...o, steps: 2 });
    for (const name of ['layer4.0.bn1', 'layer4.1.bn2']) {
      const variance = floats(state[`stage.${name}.running_var`]);
      // Features have a spread of 5.
      expect(Math.abs(Math.log(variance[0]))).toBeGreaterThan(0.01);
      expect(variance).toEqual(floats(longer[`stage.${name}.running_var`]));
    }
    expect(state['reference.1'].shape).toEqual([1, 512, 2, 2]);
    expect(state['reference.2'].shape).toEqual([1, 512, 1, 1]);
    expect(dra.memory(world(), o).stateBytes).toBe(bytesOf(state));
  });
});

it('a step is measured before there is a defect', async () => {
  const { engine } = new TestEngine(64);
  const cost = await engine.measureTraining({
    method: 'dra',
    options: { batch: 3 },
    backboneId: 'builtin:efficientnet-lite0' as BackboneId,
    side: 64,
    goodImages: 2,
    defectImages: 0,
  });
  expect(cost!.stepMs).toBeGreaterThan(cost!.forwardMs);
  expect(cost!.iterations).toBe(defaults.steps);
});

it.each([
  ['builtin:efficientnet-lite0', 'reduced', 128],
  ['builtin:efficientnet-lite0', 'full', 64],
  ['builtin:sem-encoder', 'reduced', 240],
])('stands on %s, %s', async (backboneId, form, side) => {
  const engine = new TestEngine(side);
  const draw = (name: string, className: 'good' | 'particle') => {
    const { pixels } = generateImage(new Rng(1, name), { width: side, height: side, className });
    return engine.add(
      name,
      Float32Array.from(pixels, (value) => value / 255),
    );
  };
  const spec = {
    ...engine.spec('dra', { form, steps: 2, batch: 3, views: 1, pseudo: 2, map: 'gradient' }),
    backboneId: backboneId as BackboneId,
  };
  const goods = [draw('good.0', 'good'), draw('good.1', 'good')];
  const defects = [draw('defect.0', 'particle'), draw('defect.1', 'particle')];
  const summary = await engine.engine.fit(
    {
      jobId: 'fit' as JobId,
      spec,
      good: goods,
      defects: defects.map((image) => ({ image, classIndex: 1 })),
      others: [2, 3, 4, 5].map((i) => draw(`good.${i}`, 'good')),
    },
    () => undefined,
  );
  expect(summary.calibration.heldOut).toBe('others');
  const found = await engine.inspect(spec, defects);
  for (const { score: value, map } of found) {
    expect([Number.isFinite(value), map.length]).toEqual([true, side * side]);
    expect(Math.max(...map)).toBeGreaterThan(0);
  }
});
