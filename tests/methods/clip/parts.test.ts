import { describe, expect, it } from 'vitest';
import { Rng } from '../../../src/base/rng';
import { floatTensor, floats } from '../../../src/base/tensor';
import { gradients } from '../../../src/graph/autodiff';
import {
  add,
  l2Normalise,
  matMul,
  mul,
  resizeBilinear,
  softmax,
  transposeLast,
} from '../../../src/graph/ops/index';
import { fuse, textShares } from '../../../src/methods/clip/classes';
import { HEAD, headStep } from '../../../src/methods/kit/class-head';
import { standardisation } from '../../../src/methods/kit/standardise';
import { plainLogits, valueMap } from '../../../src/methods/clip/maps';
import type { SemClipOptions } from '../../../src/methods/clip/options';
import { semclip } from '../../../src/methods/clip/sem-clip';
import { reduceMask } from '../../../src/methods/clip/support-set';
import { mirrored } from '../../../src/methods/kit/mirror';
import { textPair } from '../../../src/methods/clip/text-pair';
import {
  TRANSFORMATION,
  levelLoss,
  rateFactor,
  stepsFor,
  transformationStep,
  transformed,
} from '../../../src/methods/clip/transformation';
import { declareNets } from '../../../src/methods/kit/training-graph';
import { defaultOptions } from '../../../src/methods/options';
import type { TapRole } from '../../../src/nn/backbones/backbone';
import { FittedNet } from '../../../src/nn/net';
import { evaluate, openNodeRuntime } from '../../support/node-runtime';

const runtime = openNodeRuntime();
const defaults = defaultOptions(semclip.options) as SemClipOptions;

describe('the V-V map (methods.md 16.10)', () => {
  const CLASS_TOKEN = [1, 0];
  const feeds = {
    values: floatTensor([1, 4, 2], [...CLASS_TOKEN, 0.6, 0.8, 0, 1, 0, 1]),
    token: floatTensor([1, 2], CLASS_TOKEN),
    two: floatTensor([2, 2], [1, 0, 0.6, 0.8]),
  };
  const found = async (vWeights: string, vSoftmax: boolean) => {
    const { map } = await evaluate(runtime, feeds, ({ values, token, two }) => ({
      map: valueMap(values, token, two, { vWeights, vSoftmax, vTemperature: 1 }),
    }));
    return [...floats(map)];
  };

  it.each<[string, boolean, number[]]>([
    ['none', false, [-0.2, 0.2, 0.4]],
    ['none', true, [0.40131, 0.59869, 0.68997]],
    ['clipad', false, [-0.3579, 0.0421, 0.32105]],
  ])('weights %s, softmax %s', async (weights, softmaxed, expected) => {
    const map = await found(weights, softmaxed);
    expected.forEach((value, i) => expect(map[i]).toBeCloseTo(value, 5));
  });

  it('without weights, taking the mean away changes nothing under a softmax', async () => {
    const { plain } = await evaluate(runtime, feeds, ({ values, two }) => ({
      plain: softmax(matMul(l2Normalise(values), transposeLast(two))),
    }));
    const abnormal = floats(plain).filter((_, i) => i % 2 === 1);
    (await found('none', true)).forEach((value, i) => expect(value).toBeCloseTo(abnormal[i], 6));
  });
});

describe('losses (methods.md 16.10)', () => {
  const lossOf = async (logits: readonly number[], target: readonly number[]) => {
    const shape = [1, 1, 1, logits.length];
    const feeds = { logits: floatTensor(shape, logits), target: floatTensor(shape, target) };
    const found = await evaluate(runtime, feeds, (values) => ({
      ...levelLoss(values.logits, values.target),
    }));
    return { focal: floats(found.focal)[0], dice: floats(found.dice)[0] };
  };

  it('of published probabilities', async () => {
    const { focal, dice } = await lossOf([Math.log(9), -Math.log(4)], [1, 0]);
    expect(focal).toBeCloseTo(0.00498967, 7);
    expect(dice).toBeCloseTo(0.0967742, 6);
  });

  it('of a map that is wrong without doubt stay finite', async () => {
    const { focal, dice } = await lossOf([200, -200], [0, 1]);
    expect(focal).toBeCloseTo(-Math.log(1e-5), 4);
    expect(dice).toBeCloseTo(1 - 1 / 3, 6);
  });

  it.each([
    [true, 0],
    [false, 1 / 2],
  ])('cut %s: what a pixel that is wrong without doubt pulls with', async (cut, pull) => {
    const feeds = { logits: floatTensor([1, 1, 1, 2], [20, 0]), target: floatTensor([1, 1, 1, 2], [0, 0]) };
    const { gradient } = await evaluate(runtime, feeds, ({ logits, target }) => ({
      gradient: gradients(levelLoss(logits, target, cut).focal, [logits])[0],
    }));
    expect(floats(gradient)[0]).toBeCloseTo(pull, 5);
  });

  it('gradient of a transformation layer, against differences in float64', async () => {
    const [tokens, width, embed, side] = [4, 3, 2, 6];
    const rng = new Rng(3, 'layer');
    const drawn = (count: number) => Float32Array.from({ length: count }, () => rng.normal());
    const [z, weight, bias] = [drawn(tokens * width), drawn(width * embed), drawn(embed)];
    const two = [1, 0, 0.96, 0.28];
    const target = Float32Array.from({ length: side * side }, (_, i) => Number(i % side < 2));
    const feeds = {
      z: floatTensor([1, tokens, width], z),
      'level1.weight': floatTensor([width, embed], weight),
      'level1.bias': floatTensor([embed], bias),
      two: floatTensor([2, 2], two),
      target: floatTensor([1, 1, side, side], target),
    };
    const found = await evaluate(runtime, feeds, (values, graph) => {
      const layer = new FittedNet(graph, values, '');
      const features = transformed(layer, 1, embed, { tokens: values.z, patches: undefined });
      const logits = resizeBilinear(plainLogits(features, values.two), side, side, 'corners');
      const { focal, dice } = levelLoss(logits, values.target);
      const loss = add(focal, dice);
      const [weightGradient] = gradients(loss, [values['level1.weight']]);
      return { loss, weightGradient };
    });
    const reference = (w: Float64Array): number => {
      const corner = Array.from({ length: tokens }, (_, t) => {
        const u = [0, 1].map((e) =>
          [0, 1, 2].reduce((sum, k) => sum + z[t * width + k] * w[k * embed + e], bias[e]),
        );
        const norm = Math.hypot(...u);
        return (100 * (u[0] * (Math.fround(0.96) - 1) + u[1] * Math.fround(0.28))) / norm;
      });
      let [focal, common, abnormal, marked] = [0, 0, 0, 0];
      for (let i = 0; i < side * side; i++) {
        const [y, x] = [Math.floor(i / side) / (side - 1), (i % side) / (side - 1)];
        const top = corner[0] * (1 - x) + corner[1] * x;
        const logit = top * (1 - y) + (corner[2] * (1 - x) + corner[3] * x) * y;
        const p = 1 / (1 + Math.exp(-logit));
        const right = target[i] ? p : 1 - p;
        focal -= (1 - right) ** 2 * Math.log(Math.max(right, 1e-5));
        [common, abnormal, marked] = [common + p * target[i], abnormal + p, marked + target[i]];
      }
      return focal / (side * side) + 1 - (2 * common + 1) / (abnormal + marked + 1);
    };
    const at = Float64Array.from(weight);
    expect(floats(found.loss)[0]).toBeCloseTo(reference(at), 4);
    const exact = floats(found.weightGradient);
    const largest = Math.max(...exact.map(Math.abs));
    exact.forEach((gradient, i) => {
      const moved = (by: number) => reference(at.map((value, k) => (k === i ? value + by : value)));
      const numeric = (moved(1e-6) - moved(-1e-6)) / 2e-6;
      expect(Math.abs(gradient - numeric)).toBeLessThan(1e-3 * largest);
    });
  });
});

describe('sizes of the published encoder (methods.md 16.10, 17.2)', () => {
  const taps = Object.fromEntries([
    ...[1, 2, 3, 4].flatMap((level): [TapRole, number[]][] => [
      [`tokens${level}` as TapRole, [226, 896]],
      [`patches${level}` as TapRole, [225, 640]],
    ]),
    ['classes', [4, 640]],
  ]);

  it.each(['projection', 'random'])('2,296,320 parameters of transformation layers, start %s', (start) => {
    const step = transformationStep({ taps, side: 240 }, 8, { ...defaults, start });
    expect(declareNets([step])[TRANSFORMATION].parameters.size).toBe(2_296_320);
  });

  it('25,095 parameters of the head', () => {
    expect(declareNets([headStep(70, 4 * 896, 7)])[HEAD].parameters.size).toBe(25_095);
  });
});

describe('shares of classes (methods.md 17.2, 17.7)', () => {
  it('by similarity at temperature 1 are nearly equal', async () => {
    const s = floatTensor([1, 7], [0.3, 0.25, 0.2, 0.2, 0.2, 0.2, 0.2]);
    const { shares } = await evaluate(runtime, { s }, (values) => ({ shares: textShares(values.s, 1) }));
    [0.15443, 0.1469, 0.13973].forEach((share, i) => expect(floats(shares)[i]).toBeCloseTo(share, 5));
    expect(floats(shares).reduce((a, b) => a + b)).toBeCloseTo(1, 6);
  });

  it('of texts and head, fused; with all weight on the head, those of the head', async () => {
    const feeds = { text: floatTensor([1, 3], [0.2, 0.5, 0.3]), head: floatTensor([1, 3], [0.7, 0.2, 0.1]) };
    const { fused, alone } = await evaluate(runtime, feeds, ({ text, head }) => ({
      fused: fuse(text, head, 0.8).fused,
      // A value of its own: the head is an input here.
      alone: mul(fuse(text, head, 1).fused, 1),
    }));
    [0.6, 0.26, 0.14].forEach((share, i) => expect(floats(fused)[i]).toBeCloseTo(share, 6));
    expect([...floats(alone)]).toEqual([...floats(feeds.head)]);
  });

  it('are of inputs whose deviation has a floor', () => {
    const { mean, std } = standardisation([Float32Array.of(1, 5), Float32Array.of(3, 5)]);
    expect([...floats(mean)]).toEqual([2, 5]);
    expect([...floats(std)]).toEqual([1, Math.fround(1e-3)]);
  });
});

describe('text vectors', () => {
  const general = floatTensor([2, 2], [1, 0, 0, 1]);
  const classes = floatTensor([3, 2], [0.6, 0.8, 1, 0, 0, 1]);

  it('abnormal is the normalised mean of the defects', () => {
    const pair = floats(textPair({ classes, general }, 0, 'classes'));
    [0.6, 0.8, Math.SQRT1_2, Math.SQRT1_2].forEach((value, i) => expect(pair[i]).toBeCloseTo(value, 6));
  });

  it('without a class of defects, abnormal is bad in general', () => {
    const good = floatTensor([1, 2], [0.6, 0.8]);
    expect([...floats(textPair({ classes: good, general }, 0, 'classes'))]).toEqual([
      ...floats(good),
      ...[0, 1],
    ]);
  });

  it('of classes and in general, alike', () => {
    const [pair, own] = [
      textPair({ classes, general }, 0, 'both'),
      textPair({ classes, general }, 0, 'classes'),
    ];
    const sum = floats(own).map((value, i) => value + floats(general)[i]);
    const lengths = [Math.hypot(sum[0], sum[1]), Math.hypot(sum[2], sum[3])];
    sum.forEach((value, i) => expect(floats(pair)[i]).toBeCloseTo(value / lengths[i >> 1], 6));
  });

  it('in general where prompts of classes are off', () => {
    expect(textPair({ classes, general }, 0, 'general')).toBe(general);
  });
});

describe('masks and steps', () => {
  it('a mask is reduced by the share that is marked', () => {
    const mask = new Uint8Array(64);
    // Two columns of four in the first quarter, one pixel of sixteen in the last.
    for (let row = 0; row < 4; row++) mask.fill(1, row * 8, row * 8 + 2);
    mask[63] = 1;
    expect([...reduceMask(mask, 8, 2)]).toEqual([1, 0, 0, 0]);
    expect(reduceMask(mask, 8, 8)).toEqual(mask);
  });

  it('a mask too fine for that keeps its places', () => {
    const mask = new Uint8Array(64);
    mask[63] = 1;
    expect([...reduceMask(mask, 8, 2)]).toEqual([0, 0, 0, 1]);
    expect(reduceMask(new Uint8Array(64), 8, 2).includes(1)).toBe(false);
  });

  it('masks are turned over as images are', () => {
    const mask = Uint8Array.of(1, 2, 3, 4);
    const turned = (x: boolean, y: boolean) => [...mirrored(mask, 2, { x, y })];
    expect(turned(false, false)).toEqual([1, 2, 3, 4]);
    expect(turned(true, false)).toEqual([2, 1, 4, 3]);
    expect(turned(false, true)).toEqual([3, 4, 1, 2]);
    expect(turned(true, true)).toEqual([4, 3, 2, 1]);
  });

  it('steps by the number of shots; the rate falls to 0 in the last half', () => {
    expect([1, 2, 5, 10, 40].map(stepsFor)).toEqual([400, 400, 800, 1000, 1000]);
    const factors = [0, 200, 300, 400].map((step) => rateFactor(step, 400));
    [1, 1, 0.5, 0].forEach((factor, i) => expect(factors[i]).toBeCloseTo(factor, 12));
  });
});
