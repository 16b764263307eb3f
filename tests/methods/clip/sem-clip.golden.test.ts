import { expect, it } from 'vitest';
import { Rng } from '../../../src/base/rng';
import { floatTensor, floats } from '../../../src/base/tensor';
import type { TensorData } from '../../../src/base/tensor';
import { gradients } from '../../../src/graph/autodiff';
import {
  add,
  concat,
  gaussianBlur,
  reduceMax,
  reshape,
  resizeBilinear,
  slice,
} from '../../../src/graph/ops/index';
import type { Value } from '../../../src/graph/value';
import { fuse, patchSimilarity, textShares } from '../../../src/methods/clip/classes';
import { HEAD, headShares, headStep } from '../../../src/methods/kit/class-head';
import { standardisation } from '../../../src/methods/kit/standardise';
import { plainLogits, plainMap, sumOf, valueMap } from '../../../src/methods/clip/maps';
import { textPair } from '../../../src/methods/clip/text-pair';
import { levelLoss, transformed } from '../../../src/methods/clip/transformation';
import { Trainer } from '../../../src/methods/kit/trainer';
import type { Level } from '../../../src/nn/backbones/backbone';
import { FittedNet } from '../../../src/nn/net';
import { describeGolden, goldenJson, goldenTensors, relativeError } from '../../support/golden';
import { evaluate, openNodeRuntime } from '../../support/node-runtime';

interface Golden {
  sem_clip: {
    segmentation: {
      focal: number[];
      dice: number[];
      loss: number;
      scores_blur1: number[];
      scores_blur4: number[];
    };
    classification: {
      P_S_tau1: number[][];
      P_S_tau100: number[][];
      P_C: number[][];
      'P_alpha0.8': number[][];
      head_losses_50_steps: number[];
    };
  };
}

const LEVELS: readonly Level[] = [1, 2, 3, 4];
const [SIDE, WIDTH, EMBED] = [20, 12, 8];

describeGolden(['fewshot.json', 'sem-clip.safetensors'], 'SEM-CLIP', () => {
  const { segmentation, classification } = goldenJson<Golden>('fewshot.json').sem_clip;
  const runtime = openNodeRuntime();

  /** Everything of the file; `two` as the app has it, a text a row. */
  const inputs = async () => {
    const tensors = await goldenTensors('sem-clip.safetensors');
    const columns = floats(tensors['text.two']);
    const two = Float32Array.from(columns, (_, i) => columns[(i % EMBED) * 2 + Math.floor(i / EMBED)]);
    return { tensors, two: floatTensor([2, EMBED], two) };
  };

  const named = (tensors: Record<string, TensorData>, ...names: string[]) =>
    Object.fromEntries(names.flatMap((name) => LEVELS.map((level) => [name + level, tensors[name + level]])));

  /** The transformed patches of a level: its tokens but the first, through its layer. */
  const features = (values: Record<string, Value>, level: Level): Value => {
    const layer = {
      [`level${level}.weight`]: values[`param.W${level}`],
      [`level${level}.bias`]: values[`param.b${level}`],
    };
    const tokens = slice(values[`in.Z${level}`], 1, 1);
    return transformed(new FittedNet(tokens.graph, layer, ''), level, EMBED, { tokens, patches: undefined });
  };

  it('text vectors of classes, and of normal and abnormal', async () => {
    const { tensors, two } = await inputs();
    const general = floatTensor([2, EMBED], new Float32Array(2 * EMBED));
    const pair = textPair({ classes: tensors['text.classes'], general }, 2, 'classes');
    expect(relativeError(floats(pair), floats(two))).toBeLessThan(1e-5);
  });

  it('maps of the plain path, one for each level', async () => {
    const { tensors, two } = await inputs();
    const feeds = { ...named(tensors, 'in.Z', 'param.W', 'param.b'), two };
    const found = await evaluate(runtime, feeds, (values) => {
      const maps = LEVELS.map((level) => plainMap(features(values, level), values.two, SIDE));
      return { ...Object.fromEntries(maps.map((map, i) => [`A_Z${i + 1}`, map])), A_Z: sumOf(maps) };
    });
    for (const [name, map] of Object.entries(found))
      expect([name, relativeError(floats(map), floats(tensors[name])) < 1e-4]).toEqual([name, true]);
  });

  it.each(
    ['none', 'clipad', 'surgery'].flatMap((vWeights) => [
      { vWeights, vTemperature: 1, vSoftmax: true },
      { vWeights, vTemperature: 100, vSoftmax: true },
      { vWeights, vTemperature: 1, vSoftmax: false },
    ]),
  )('map of the V-V path, weights $vWeights, temperature $vTemperature, softmax $vSoftmax', async (o) => {
    const { tensors, two } = await inputs();
    const { found } = await evaluate(runtime, { ...named(tensors, 'in.V', 'in.cls'), two }, (values) => ({
      found: resizeBilinear(
        sumOf(LEVELS.map((j) => valueMap(values[`in.V${j}`], values[`in.cls${j}`], values.two, o))),
        SIDE,
        SIDE,
      ),
    }));
    const name = `A_V.${o.vWeights}.tau${o.vTemperature}.${o.vSoftmax ? 'softmax' : 'raw'}`;
    expect(relativeError(floats(found), floats(tensors[name]))).toBeLessThan(1e-4);
  });

  it('both maps together, smoothed, and the scores', async () => {
    const { tensors, two } = await inputs();
    const feeds = { ...named(tensors, 'in.Z', 'in.V', 'in.cls', 'param.W', 'param.b'), two };
    const plain = { vWeights: 'none', vTemperature: 1, vSoftmax: true };
    const found = await evaluate(runtime, feeds, (values) => {
      const z = sumOf(LEVELS.map((level) => plainMap(features(values, level), values.two, SIDE)));
      const v = sumOf(
        LEVELS.map((j) => valueMap(values[`in.V${j}`], values[`in.cls${j}`], values.two, plain)),
      );
      const A = add(z, resizeBilinear(v, SIDE, SIDE));
      const [blur1, blur4] = [1, 4].map((sigma) => gaussianBlur(A, sigma));
      const score = (map: Value) => reduceMax(map, [1, 2, 3]);
      return { A, 'A.blur1': blur1, 'A.blur4': blur4, score1: score(blur1), score4: score(blur4) };
    });
    for (const name of ['A', 'A.blur1', 'A.blur4'])
      expect([name, relativeError(floats(found[name]), floats(tensors[name])) < 1e-4]).toEqual([name, true]);
    expect(relativeError(floats(found.score1), segmentation.scores_blur1)).toBeLessThan(1e-4);
    expect(relativeError(floats(found.score4), segmentation.scores_blur4)).toBeLessThan(1e-4);
    for (const value of floats(found.A)) expect(value >= 0 && value <= 8).toBe(true);
  });

  it('losses and gradients of the transformation layers', async () => {
    const { tensors, two } = await inputs();
    const mask = floatTensor([2, 1, SIDE, SIDE], floats(tensors['in.mask']));
    const feeds = { ...named(tensors, 'in.Z', 'param.W', 'param.b'), two, mask };
    const found = await evaluate(runtime, feeds, (values) => {
      const losses = LEVELS.map((level) => {
        const logits = plainLogits(features(values, level), values.two);
        return levelLoss(resizeBilinear(logits, SIDE, SIDE, 'corners'), values.mask);
      });
      const loss = sumOf(losses.flatMap(({ focal, dice }) => [focal, dice]));
      const names = LEVELS.flatMap((level) => [`W${level}`, `b${level}`]);
      const by = gradients(
        loss,
        names.map((name) => values[`param.${name}`]),
      );
      return {
        loss,
        ...Object.fromEntries(
          losses.flatMap(({ focal, dice }, i) => [
            [`focal${i}`, focal],
            [`dice${i}`, dice],
          ]),
        ),
        ...Object.fromEntries(names.map((name, i) => [`grad.${name}`, by[i]])),
      };
    });
    const of = (name: string) => floats(found[name])[0];
    expect(of('loss') / segmentation.loss).toBeCloseTo(1, 4);
    segmentation.focal.forEach((focal, i) => expect(of(`focal${i}`) / focal).toBeCloseTo(1, 4));
    segmentation.dice.forEach((dice, i) => expect(of(`dice${i}`) / dice).toBeCloseTo(1, 4));
    for (const name of Object.keys(tensors).filter((own) => own.startsWith('grad.')))
      expect([name, relativeError(floats(found[name]), floats(tensors[name])) < 1e-3]).toEqual([name, true]);
  });

  it.each([
    ['max', 's_max'],
    ['mean', 's_mean'],
    ['top5', 's_top5'],
  ])('similarity of images by %s, and shares of it', async (reduce, name) => {
    const { tensors } = await inputs();
    const feeds = { ...named(tensors, 'in.Z', 'param.W', 'param.b'), texts: tensors['text.classes'] };
    const found = await evaluate(runtime, feeds, (values) => {
      const levels = LEVELS.map((level) => features(values, level));
      const similarity = patchSimilarity(levels, values.texts, reduce);
      return { similarity, tau1: textShares(similarity, 1), tau100: textShares(similarity, 100) };
    });
    expect(relativeError(floats(found.similarity), floats(tensors[`cls.${name}`]))).toBeLessThan(1e-4);
    if (reduce !== 'max') return;
    expect(relativeError(floats(found.tau1), classification.P_S_tau1.flat())).toBeLessThan(1e-4);
    expect(relativeError(floats(found.tau100), classification.P_S_tau100.flat())).toBeLessThan(1e-3);
  });

  /** The labelled rows as the head is given them. */
  const support = (tensors: Record<string, TensorData>) => {
    const all = floats(tensors['cls.support']);
    const [count, width] = tensors['cls.support'].shape;
    const rows = Array.from({ length: count }, (_, i) => all.slice(i * width, (i + 1) * width));
    const { mean, std } = standardisation(rows);
    const [m, s] = [floats(mean), floats(std)];
    const labels = new Float32Array(count * 7);
    Array.from(tensors['cls.support_label'].data, Number).forEach((own, i) => (labels[i * 7 + own] = 1));
    return {
      mean,
      std,
      feeds: {
        x: floatTensor(
          [count, width],
          all.map((value, i) => (value - m[i % width]) / s[i % width]),
        ),
        labels: floatTensor([count, 7], labels),
        present: floatTensor([7], new Float32Array(7).fill(1)),
      },
    };
  };

  it('standardisation, and the gradient of the head at its start', async () => {
    const { tensors } = await inputs();
    const { mean, std, feeds } = support(tensors);
    expect(relativeError(floats(mean), floats(tensors['cls.mean']))).toBeLessThan(1e-5);
    expect(relativeError(floats(std), floats(tensors['cls.std_population']))).toBeLessThan(1e-5);
    const start = { weight: tensors['cls.head.weight0'], bias: floatTensor([7], new Float32Array(7)) };
    const step = headStep(14, 48, 7);
    const found = await evaluate(runtime, { ...feeds, ...start }, (values, graph) => {
      const { loss } = step.build({
        graph,
        evaluating: false,
        net: () => new FittedNet(graph, values, ''),
        input: (name) => values[name],
      });
      const [weight, bias] = gradients(loss, [values.weight, values.bias]);
      return { loss, weightGradient: weight, biasGradient: bias };
    });
    const [first] = classification.head_losses_50_steps;
    expect(floats(found.loss)[0] / first).toBeCloseTo(1, 5);
    expect(relativeError(floats(found.weightGradient), floats(tensors['cls.grad.weight0']))).toBeLessThan(
      1e-3,
    );
    expect(relativeError(floats(found.biasGradient), floats(tensors['cls.grad.bias0']))).toBeLessThan(1e-3);
  });

  it('fifty steps of the head, and what it says of two images', async () => {
    const { tensors } = await inputs();
    const { mean, std, feeds } = support(tensors);
    const start = {
      [`${HEAD}.weight`]: tensors['cls.head.weight0'],
      [`${HEAD}.bias`]: floatTensor([7], new Float32Array(7)),
    };
    const trainer = new Trainer(
      {
        compile: (graph, resident) => runtime.compile(graph, { resident }),
        upload: (tensor) => runtime.upload(tensor),
        read: (tensor) => runtime.read(tensor),
        rng: (stream) => new Rng(0, stream),
      },
      { classify: headStep(14, 48, 7) },
      start,
    );
    const losses: number[] = [];
    for (let i = 0; i < 50; i++) {
      const { report } = await trainer.step('classify', feeds, () => 1e-3);
      losses.push((await trainer.read(report))[0]);
      report.dispose();
    }
    const state = trainer.tensors(await trainer.vectors());
    trainer.dispose();
    expect(relativeError(losses, classification.head_losses_50_steps)).toBeLessThan(1e-4);
    expect(relativeError(floats(state['head.weight']), floats(tensors['cls.head.weight50']))).toBeLessThan(
      1e-4,
    );
    expect(relativeError(floats(state['head.bias']), floats(tensors['cls.head.bias50']))).toBeLessThan(1e-4);

    const feedsOfTwo = {
      ...named(tensors, 'in.Z', 'param.W', 'param.b'),
      ...state,
      texts: tensors['text.classes'],
      'head.mean': mean,
      'head.std': std,
      'head.present': feeds.present,
    };
    const found = await evaluate(runtime, feedsOfTwo, (values) => {
      const rows = LEVELS.map((level) => reshape(slice(values[`in.Z${level}`], 1, 0, 1), [2, WIDTH]));
      const head = headShares(values, concat(rows, 1));
      const levels = LEVELS.map((level) => features(values, level));
      const text = textShares(patchSimilarity(levels, values.texts, 'max'), 1);
      return { head, fused: fuse(text, head, 0.8).fused };
    });
    expect(relativeError(floats(found.head), classification.P_C.flat())).toBeLessThan(1e-4);
    expect(relativeError(floats(found.fused), classification['P_alpha0.8'].flat())).toBeLessThan(1e-4);
  });
});
