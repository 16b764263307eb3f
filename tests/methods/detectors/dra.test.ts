import { beforeAll, describe, expect, it, vi } from 'vitest';
import type { BackboneId, JobId } from '../../../src/base/ids';
import { Rng } from '../../../src/base/rng';
import { floatTensor, floats, sizeOf } from '../../../src/base/tensor';
import type { TensorData } from '../../../src/base/tensor';
import { FitControl } from '../../../src/engine/fit';
import type { Detector, FitContext, MethodState, StepCost } from '../../../src/methods/contract';
import { dra } from '../../../src/methods/detectors/dra';
import type { DraOptions } from '../../../src/methods/detectors/dra';
import { pretrained, trunkOf } from '../../../src/methods/detectors/dra-trunk';
import { defaultOptions } from '../../../src/methods/options';
import { LEVEL_ROLES, expectedTensors, tapShapes } from '../../../src/nn/backbones/backbone';
import { efficientNetLite0 } from '../../../src/nn/backbones/efficientnet';
import { RESNETS } from '../../../src/nn/backbones/resnet';
import { FrozenWeights } from '../../../src/nn/frozen-weights';
import { FrozenLayers } from '../../../src/nn/layers';
import { FittedNet } from '../../../src/nn/net';
import { generateImage } from '../../../src/sample/generate';
import { TestEngine } from '../../support/engine';
import { contextOf, fitToEnd } from '../../support/fixed-taps';
import { fitLine } from '../../support/fit-line';
import { relativeError } from '../../support/golden';
import { evaluate, openNodeRuntime } from '../../support/node-runtime';
import { scoreSmall, smallBackbone, smallContext } from '../../support/small-backbone';

const runtime = openNodeRuntime();
const detector = dra as unknown as Detector;
const SIDE = 32;
const defaults = defaultOptions(dra.options) as DraOptions;
/** The whole backbone is small here, a last stage of its own is not. */
const full: DraOptions = {
  ...defaults,
  form: 'full',
  steps: 100,
  learningRate: 0.02,
  views: 2,
  pseudo: 24,
  blurSigma: 0,
};
const short: DraOptions = { ...full, steps: 4, batch: 6, pseudo: 8 };

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

const bytesOf = (state: MethodState): number =>
  Object.values(state).reduce((sum, { shape }) => sum + 4 * sizeOf(shape), 0);

describe('a fit of the whole backbone', () => {
  const losses: number[] = [];
  const remarks: string[] = [];
  let state: MethodState;
  beforeAll(async () => {
    const control = new FitControl();
    const fit = dra.fit(context(4, 6, { control }), full);
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
      await score(state, full, planes(6, 0, 50).good),
      await score(
        state,
        full,
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

  it('says so; the backbone has moved, its norms have not', () => {
    expect(remarks).toEqual(['Full form: the whole backbone was trained.']);
    const { weights } = smallBackbone();
    const before = (name: string) => floats(weights.get(name, state[`backbone.${name}`].shape));
    expect(floats(state['backbone.level1.conv.weight'])).not.toEqual(before('level1.conv.weight'));
    expect(floats(state['backbone.level1.bn.bias'])).not.toEqual(before('level1.bn.bias'));
    for (const part of ['running_mean', 'running_var'])
      expect(floats(state[`backbone.level2.bn.${part}`])).toEqual(before(`level2.bn.${part}`));
    expect(floats(state['heads.composite.bn.running_var'])).not.toEqual(new Float32Array(10).fill(1));
  });

  it('scores together or one by one the same', async () => {
    const images = [good(70), defective(71).plane, good(72)];
    const together = await score(state, full, images);
    for (const [i, image] of images.entries()) {
      const [alone] = await score(state, full, [image]);
      expect(alone.score).toBeCloseTo(together[i].score, 4);
      expect(relativeError(alone.map, together[i].map)).toBeLessThan(1e-4);
    }
  });

  it('shows the gradient of the score by the image when asked: that of finite differences', async () => {
    const image = defective(60).plane;
    const [{ map, score: own }] = await score(state, { ...full, map: 'gradient' }, [image]);
    const pixels = Array.from({ length: 128 }, (_, i) => (i * 41) % (SIDE * SIDE));
    const step = 2e-3;
    const moved = (sign: number) =>
      score(
        state,
        full,
        pixels.map((pixel) => image.map((value, i) => (i === pixel ? value + sign * step : value))),
      );
    const [up, down] = [await moved(1), await moved(-1)];
    const slopes = pixels.map((_, i) => Math.abs(up[i].score - down[i].score) / (2 * step));
    expect(Number.isFinite(own)).toBe(true);
    // The map is a straight line of the slopes up to its cut.
    const inside = pixels.map((pixel) => map[pixel]).flatMap((value, i) => (value < 1 ? [i] : []));
    const a = inside.map((i) => slopes[i]);
    const b = inside.map((i) => map[pixels[i]]);
    const spread = Math.max(...b) - Math.min(...b);
    expect(spread).toBeGreaterThan(0.3);
    expect(Math.sqrt(fitLine(a, b).error)).toBeLessThan(0.02 * spread);
    expect([Math.min(...map), Math.max(...map)]).toEqual([0, 1]);
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
    const pieces = new Map<string, TensorData>();
    let now = 0;
    const clock = vi.spyOn(performance, 'now').mockImplementation(() => (now += 20_000));
    try {
      const broken = dra.fit(context(4, 4, { pieces }), o);
      for (let step = await broken.next(); step.value; step = await broken.next())
        if ('phase' in step.value && step.value.phase === 'training' && step.value.done === 5) break;
      await broken.return({});
      const again = dra.fit(context(4, 4, { pieces }), o);
      const done: number[] = [];
      let step = await again.next();
      for (; !step.done; step = await again.next())
        if (step.value.phase === 'training') done.push(Number(step.value.done));
      expect(done[0]).toBeGreaterThan(3);
      expect(step.value).toEqual(whole);
    } finally {
      clock.mockRestore();
    }
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
    const own = context();
    const { fitBytes, stateBytes } = dra.memory(own, short);
    expect(stateBytes).toBe(bytesOf(await fitToEnd(dra, own, short)));
    expect(fitBytes).toBeGreaterThan(stateBytes);
    const { backbone, taps } = own;
    const size = { backbone, taps, side: SIDE, goodImages: 4, defectImages: 4 };
    const of = (changed: object, o = short) => dra.memory({ ...size, ...changed }, o).fitBytes;
    expect(of({})).toBe(fitBytes);
    expect(of({ defectImages: 9 }) - fitBytes).toBe(5 * 2 * 4 * SIDE * SIDE);
    expect(of({}, { ...short, pseudo: 16 }) - fitBytes).toBe(8 * 4 * SIDE * SIDE);
    expect(of({}, { ...short, views: 4 }) - fitBytes).toBe(8 * 2 * 4 * SIDE * SIDE);
    expect(of({}, { ...short, batch: 12 })).toBeGreaterThan(fitBytes);
  });
});

describe('a last stage of its own', () => {
  const made = (stream: string, shape: readonly number[]) => {
    const rng = new Rng(1, stream);
    return floatTensor(
      shape,
      Float32Array.from({ length: sizeOf(shape) }, () => 5 * rng.normal()),
    );
  };
  const taps = { level3: made('level3', [2, 6, 4, 4]), half3: made('half3', [2, 6, 2, 2]) };
  const world = (rest: Partial<FitContext> = {}) =>
    contextOf(runtime, taps, { side: 64, world: { defectImages: 2, ...rest } });
  const o: DraOptions = { ...defaults, steps: 1, batch: 3, views: 1, pseudo: 2 };

  it('starts at random, its norms measured once and kept', async () => {
    const remarks: string[] = [];
    const state = await fitToEnd(dra, world({ remark: (text) => void remarks.push(text) }), o);
    expect(remarks).toEqual([
      'Reduced form: the backbone stayed as it is; trained was a last stage, started at random.',
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

  it('is the last stage of a ResNet-18 where there is one', async () => {
    const [resnet18] = RESNETS;
    const tensors = [
      ...expectedTensors(
        resnet18,
        LEVEL_ROLES.map((role) => resnet18.levels[role]),
      ),
    ].map(([name, shape]): [string, TensorData] => {
      const rng = new Rng(1, name);
      const spread = shape.length > 1 ? Math.sqrt(2 / sizeOf(shape.slice(1))) : 0.1;
      const centre = /(weight|var)$/.test(name) && shape.length === 1 ? 1 : 0;
      return [
        name,
        floatTensor(
          shape,
          Float32Array.from({ length: sizeOf(shape) }, () => centre + spread * (rng.uniform() - 0.5)),
        ),
      ];
    });
    const weights = new FrozenWeights(new Map(tensors));
    const size = { taps: tapShapes(resnet18, 64, ['level3', 'half3']), side: 64, backbone: resnet18 };
    const own = { ...world(), ...size, backboneWeights: () => weights };
    const state = pretrained(trunkOf('reduced'), own)!;
    const feeds = { x: made('image', [1, 3, 64, 64]), ...state };
    const found = await evaluate(runtime, feeds, ({ x, ...values }, graph) => {
      const layers = new FrozenLayers(graph, weights, resnet18.batchNormEpsilon);
      const { layer3, layer4 } = resnet18.forward(layers, x, ['layer3', 'layer4']);
      const net = new FittedNet(graph, values, 'stage.');
      return { layer4, stage: trunkOf('reduced').scales(net, [layer3], resnet18)[0] };
    });
    expect(relativeError(floats(found.stage), floats(found.layer4))).toBeLessThan(1e-5);
    expect(pretrained(trunkOf('reduced'), { ...own, backbone: efficientNetLite0 })).toBeUndefined();
  });

  it('a trial measures steps before there is a defect', async () => {
    const costs: StepCost[] = [];
    await fitToEnd(dra, world({ trial: { report: (cost) => void costs.push(cost) } }), o);
    expect(costs.length).toBe(1);
    expect(costs[0].stepMs).toBeGreaterThan(costs[0].forwardMs);
    expect(costs[0].iterations).toBe(1);
  });
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
