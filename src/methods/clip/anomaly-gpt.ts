import { assert } from '../../base/errors';
import { floats } from '../../base/tensor';
import type { TensorData } from '../../base/tensor';
import {
  add,
  averagePool,
  concat,
  div,
  gaussianBlur,
  mul,
  reduceMax,
  reshape,
  resizeBilinear,
  slice,
  sub,
} from '../../graph/ops/index';
import type { Value } from '../../graph/value';
import type { Level, TapRole } from '../../nn/backbones/backbone';
import { FittedNet } from '../../nn/net';
import type { OptimiserSpec } from '../../nn/optimisers';
import type {
  Detector,
  FitContext,
  FitProgress,
  FitSize,
  Inputs,
  MethodState,
  StateValues,
  View,
} from '../contract';
import { FeatureStore, cacheBytes } from '../kit/feature-cache';
import { fitByGradient } from '../kit/gradient-fit';
import { withNaturalAnomaly } from '../kit/poisson-paste';
import { BatchSampler } from '../kit/sampling';
import { netBytes, trainingBytes } from '../kit/training-graph';
import { blurOption, rateOption, stepsOption } from '../kit/training-options';
import { plainMap, sumOf, toGrid } from './maps';
import { nearestCosine, referenceBytes, rememberReferences } from './references';
import type { Reference } from './references';
import { madeUpPair } from './text-pair';
import {
  TRANSFORMATION,
  denseFeatures,
  denseWidth,
  lossSide,
  stackMasks,
  transformationStep,
  transformedLevels,
} from './transformation';
import type { LayerOptions } from './transformation';

export type AnomalyGptOptions = {
  readonly textShare: number;
  readonly steps: number;
  readonly learningRate: number;
  readonly blurSigma: number;
};

const LEVELS: readonly Level[] = [1, 2, 3, 4];
const TOKENS = LEVELS.map((level): TapRole => `tokens${level}`);

/** The text decoder is SEM-CLIP's transformation layers from a random start. @source methods.md 15.3 */
const DECODER: LayerOptions = {
  start: 'random',
  lossResolution: 'reduced',
  focalCut: true,
  multiLayer: true,
};
const OPTIMISER: OptimiserSpec = { kind: 'adam', betas: [0.9, 0.95] };
const BATCH = 8;
/** Simulated anomalies of each good image, beside the image as it is. */
const SIMULATED = 7;
/** Least change of the mean over a pixel of the loss that makes it a part of an anomaly. */
const VISIBLE = 0.05;

const pictureCount = ({ goodImages }: FitSize, { textShare }: AnomalyGptOptions): number =>
  goodImages * (textShare ? 1 + SIMULATED : 1);

/** Patches against those of good images, level by level, and a text decoder beside it. */
export const anomalygpt: Detector<AnomalyGptOptions> = {
  title: 'AnomalyGPT localisation branch',
  source: {
    authors: 'Gu, Zhu, Zhu, Chen, Tang, Wang',
    title: 'AnomalyGPT: Detecting Industrial Anomalies Using Large Vision-Language Models',
    where: 'AAAI 2024',
    reference:
      "CASIA-IVA-Lab's code, its localisation branch on the features of a CLIP instead of ImageBind; the language model " +
      'is replaced by a sentence made by rules. As published, the few-shot map is that of the memory alone: the text ' +
      'map is discarded. It can be blended in here; its decoder is then trained on simulated anomalies of the good ' +
      'images instead of a large collection, without the loss of the language model, at a quarter of the side.',
  },
  about: {
    summary:
      'Compares each patch with those of a few good images at four levels of a CLIP; a rule-made sentence says what it found.',
    assumes:
      'Good images alone are taken, one at least; together they show every good local pattern. Texts take no part ' +
      'unless the text map is given a share.',
    fails:
      'A good pattern that the good images lack is reported, and position does not count. The score is the one highest ' +
      'pixel, so noise moves it. No language model runs: the sentence says only what the map shows.',
    cost:
      'One pass over the good images; nothing is trained. Inspection costs one pass of the encoder and a comparison ' +
      'that grows with the number of good images. With a share of the text map a training of a minute or more comes first.',
  },
  options: {
    textShare: {
      kind: 'number',
      default: 0,
      min: 0,
      max: 1,
      integer: false,
      unit: '',
      label: 'Share of the text map',
      help: 'What the text decoder weighs in the map. 0, as published, discards it and trains nothing.',
    },
    steps: {
      ...stepsOption(400, 'fixed'),
      help: 'Length of the training of the text decoder, where it has a share.',
    },
    learningRate: rateOption(1e-3),
    blurSigma: blurOption(0),
  },
  needs: { taps: TOKENS, leastGoodImages: 1, defects: 'none', support: true },
  leavesOut: false,
  sentence: true,

  // The class tokens tell how long texts are.
  taps: ({ textShare }) => (textShare ? [...TOKENS, 'classes'] : TOKENS),

  pictures: pictureCount,
  memory(size, o) {
    const { kept, passing } = referenceBytes(size.goodImages, memories(size));
    if (!o.textShare) return { fitBytes: kept + passing, stateBytes: kept };
    const items = pictureCount(size, o);
    const batch = Math.min(BATCH, items);
    const step = decoderStep(size, batch);
    const width = denseWidth(size, DECODER);
    const training = trainingBytes([step]) + 2 * 4 * batch * width;
    const masks = items * lossSide(size.side, DECODER) ** 2;
    return {
      fitBytes: kept + Math.max(passing, cacheBytes(items, width) + masks + training),
      stateBytes: kept + netBytes([step]) + 4 * 2 * size.taps.classes![1],
    };
  },

  async *fit(context, o) {
    if (context.trial) return yield* trial(context, o);
    const memory = yield* rememberReferences(context, memories(context));
    if (!o.textShare) return memory;
    assert(context.support, 'the text decoder is taught by texts');
    const { general: two } = yield* context.support.texts();
    const anomalies = yield* simulatedAnomalies(context);
    if (!anomalies.masks.some((mask) => mask.includes(1)))
      context.remark('No simulated anomaly shows in these images: the text decoder saw good ones alone.');
    return { ...memory, two, ...(yield* fitDecoder(context, anomalies, two, o)) };
  },

  score(_graph, inputs, state, { textShare, blurSigma }) {
    const side = inputs.image.shape[2];
    const levels = LEVELS.map((level) => patchesOf(inputs, level));
    const patches = memoryMap(
      levels,
      LEVELS.map((level) => state[memoryName(level)]),
    );
    const byImages = resizeBilinear(toGrid(patches), side, side, 'corners');
    const blended = textShare
      ? add(mul(byImages, 1 - textShare), mul(decoderMap(inputs, state), textShare))
      : byImages;
    const map = gaussianBlur(blended, blurSigma);
    return { map, score: reduceMax(map, [1, 2, 3]) };
  },
};

const memoryName = (level: Level): string => `memory${level}`;

/** A level's tokens without the class token: [B,T,w]. */
const patchesOf = ({ taps }: Pick<Inputs, 'taps'>, level: Level): Value =>
  slice(taps[`tokens${level}`]!, 1, 1);

const memories = ({ taps }: Pick<FitSize, 'taps'>): Reference[] =>
  LEVELS.map((level) => {
    const [tokens, width] = taps[`tokens${level}`]!;
    return {
      name: memoryName(level),
      shape: [tokens - 1, width],
      tokens: (inputs) => patchesOf(inputs, level),
    };
  });

/**
 * One less the cosine with the most similar patch of good images, the mean over levels.
 * @param levels patches, [B,T,w] each
 * @param memory unit rows [M,w] of each level
 * @returns [B,T], 0 … 2
 * @source methods.md 15.3
 */
export function memoryMap(levels: readonly Value[], memory: readonly Value[]): Value {
  const cosines = levels.map((patches, i) => nearestCosine(patches, memory[i]));
  return sub(1, div(sumOf(cosines), cosines.length));
}

/** Mean over the levels of what the text decoder finds abnormal, [B,1,S,S], 0 … 1. @source methods.md 15.3 */
function decoderMap(inputs: Inputs, state: StateValues): Value {
  const { two } = state;
  const net = new FittedNet(two.graph, state, `${TRANSFORMATION}.`);
  const side = inputs.image.shape[2];
  const maps = transformedLevels(net, inputs, DECODER).map((features) => plainMap(features, two, side));
  return div(sumOf(maps), maps.length);
}

const decoderStep = (size: Pick<FitSize, 'taps' | 'side'>, batch: number) =>
  transformationStep(size, batch, DECODER, OPTIMISER);

/** Good images as they are and with simulated anomalies. */
interface SimulatedAnomalies {
  readonly dense: FeatureStore;
  /** Where each item was changed, at the side of the loss. */
  readonly masks: readonly Uint8Array[];
}

/** Embeds the good images, then each of them with one simulated anomaly after the other. */
async function* simulatedAnomalies(context: FitContext): AsyncGenerator<FitProgress, SimulatedAnomalies> {
  const views = context.trial ? 1 : 1 + SIMULATED;
  const total = views * context.goodImages;
  const width = denseWidth(context, DECODER);
  const dense = new FeatureStore(context.checkpoint, 'simulated', width, total);
  const clean: Float32Array[] = [];
  const masks: Uint8Array[] = [];
  // The picture comes along: what a paste changed is seen in it, also where the features come from a checkpoint.
  const build = (inputs: Inputs) => concat([denseFeatures(inputs, DECODER), reducedImage(inputs.image)], 1);
  for (let v = 0; v < views; v++)
    for await (const { first, count, values } of context.embed(
      `simulated.${v}`,
      build,
      'good',
      v ? pasting(context, v) : undefined,
    )) {
      const found = floats(values);
      const size = found.length / count;
      for (let i = 0; i < count; i++) {
        const vector = found.subarray(i * size, (i + 1) * size);
        const image = vector.slice(width);
        if (!v) clean.push(image);
        await dense.add(vector.slice(0, width));
        masks.push(changed(clean[first + i], image));
      }
      yield { phase: 'simulated anomalies', done: masks.length, total, unit: 'images' };
    }
  return { dense, masks };
}

/** Pastes pieces of any good image into each, the same every time. */
const pasting =
  (context: FitContext, version: number): View =>
  async (image, index, good) => {
    const rng = context.rng(`paste.${version}.${index}`);
    const donor = await good(rng.integer(context.goodImages));
    return withNaturalAnomaly(image, donor, context.side, rng);
  };

/** The mean over each pixel of the loss, [B,1,S,S] to [B,s·s]. */
function reducedImage(image: Value): Value {
  const [batch, , side] = image.shape;
  const factor = side / lossSide(side, DECODER);
  const reduced = factor > 1 ? averagePool(image, { kernel: [factor, factor] }) : image;
  return reshape(reduced, [batch, -1]);
}

const changed = (before: Float32Array, after: Float32Array): Uint8Array =>
  Uint8Array.from(after, (value, i) => Number(Math.abs(value - before[i]) > VISIBLE));

/** @returns `transformation.level<j>.weight` [w,E] and `.bias` [E] @throws fit/diverged */
async function* fitDecoder(
  context: FitContext,
  { dense, masks }: SimulatedAnomalies,
  two: TensorData,
  { steps, learningRate }: AnomalyGptOptions,
): AsyncGenerator<FitProgress, MethodState> {
  const items = Int32Array.from({ length: dense.count }, (_, i) => i);
  const sampler = new BatchSampler(context, items, BATCH);
  const side = lossSide(context.side, DECODER);
  return yield* fitByGradient(context, {
    key: TRANSFORMATION,
    steps: { decode: decoderStep(context, sampler.batch) },
    iterations: steps,
    rate: () => learningRate,
    feeds: async (_step, iteration) => {
      const batch = sampler.at(iteration);
      const own = Array.from(batch, (i) => masks[i]);
      return { packed: await dense.batch(batch), target: stackMasks(own, side), two };
    },
  });
}

/** What a step costs does not depend on texts or anomalies: both are made up. */
async function* trial(context: FitContext, o: AnomalyGptOptions): AsyncGenerator<FitProgress, MethodState> {
  if (!o.textShare) return {};
  const two = madeUpPair(context, context.taps.classes![1]);
  return yield* fitDecoder(context, yield* simulatedAnomalies(context), two, o);
}
