import { floatTensor, floats } from '../../base/tensor';
import type { Shape, TensorData } from '../../base/tensor';
import { GraphBuilder } from '../../graph/builder';
import {
  add,
  concat,
  conv,
  div,
  enlargeAndBlur,
  exp,
  expand,
  gather,
  matMul,
  mul,
  neg,
  reduceMax,
  reduceMean,
  reduceSum,
  relu,
  reshape,
  slice,
  sqrt,
  stopGradient,
  sub,
  topK,
  transposeLast,
} from '../../graph/ops/index';
import type { Value } from '../../graph/value';
import type { TapRole } from '../../nn/backbones/backbone';
import { filledWith, uniformBy, uniformFanIn } from '../../nn/initialisers';
import { FittedNet } from '../../nn/net';
import type { Net } from '../../nn/net';
import type { Detector, FitContext, FitSize, Inputs, MethodState } from '../contract';
import { SCALE_OPTION, channelScales, scaled, wantsScale } from '../kit/channel-scale';
import { cacheBytes, cacheFeatures } from '../kit/feature-cache';
import type { FeatureCache } from '../kit/feature-cache';
import { fitByGradient } from '../kit/gradient-fit';
import { splitGood } from '../kit/held-out';
import { packedWidth } from '../kit/packed-taps';
import { localFeatures, toPatches } from '../kit/patch-embedding';
import { BatchSampler } from '../kit/sampling';
import { Trainer } from '../kit/trainer';
import { netBytes, trainingBytes } from '../kit/training-graph';
import type { StepSpec } from '../kit/training-graph';
import { batchOption, blurOption, rateOption, stepsOption } from '../kit/training-options';

export type CfaOptions = {
  readonly steps: number;
  readonly batch: number;
  readonly learningRate: number;
  readonly radius: string;
  readonly featureScale: string;
  readonly blurSigma: number;
};

const LEVELS = ['level1', 'level2', 'level3'] as const satisfies readonly TapRole[];

/** Nearest centres that attract, and those behind them that repel. @source methods.md 7.4 */
const NEAR = 3;
const MARGIN = 0.1;
/** 1/ν */
const LOSS_SCALE = 1000;
const FIRST_RADIUS = 1e-5;

const featureShape = ({ taps }: FitSize): Shape => {
  const [, h, w] = taps.level1!;
  return [LEVELS.reduce((sum, level) => sum + taps[level]![0], 0), h, w];
};

/** Locally averaged features of all levels, [B,D,h,w]. */
const features = ({ taps }: Inputs): Value => localFeatures(LEVELS.map((level) => taps[level]!));

/** Rows, then columns, from −1 to 1: [B,2,h,w]. */
function coordinates(like: Value): Value {
  const [b, , h, w] = like.shape;
  const along = (n: number, i: number) => (n === 1 ? 0 : -1 + (2 * i) / (n - 1));
  const data = new Float32Array(2 * h * w);
  for (let y = 0; y < h; y++)
    for (let x = 0; x < w; x++) {
      data[y * w + x] = along(h, y);
      data[(h + y) * w + x] = along(w, x);
    }
  return expand(like.graph.constant(floatTensor([1, 2, h, w], data)), [b, 2, h, w]);
}

/** The descriptor φ: a 1×1 convolution that also sees where it is. [B,D,h,w] to [B,D,h,w]. @source methods.md 7.2 */
export function describePatches(net: Net, x: Value): Value {
  const [, channels] = x.shape;
  const fan = channels + 2;
  const weight = net.parameter('weight', [channels, fan, 1, 1], uniformFanIn);
  return conv(concat([x, coordinates(x)], 1), weight, net.parameter('bias', [channels], uniformBy(fan)));
}

/**
 * |m|² − 2 q·m of vectors [B,P,D] and centres [M,D] as one product of widened vectors, [B,P,M]: in the order of the
 * distances, which is all that finding the nearest needs.
 */
function nearness(vectors: Value, centres: Value): Value {
  const [b, p] = vectors.shape;
  const ones = expand(vectors.graph.constant(1), [b, p, 1]);
  const norms = reduceSum(mul(centres, centres), [1], true);
  return matMul(concat([mul(vectors, -2), ones], 2), transposeLast(concat([centres, norms], 1)));
}

/**
 * Squared distances to the k nearest centres, ascending: [B,P,k]. Which they are is found without gradient; their
 * distances are then taken from the vectors themselves, so that the way back needs no second full product.
 */
function nearestSquared(vectors: Value, centres: Value, k: number): Value {
  const [b, p, d] = vectors.shape;
  const { indices } = topK(nearness(stopGradient(vectors), centres), k, 2, false);
  // [B,P,k,D]; the indices are int64, which the GPU gathers by but does not reshape.
  const found = gather(centres, indices, 0);
  const difference = sub(reshape(vectors, [b, p, 1, d]), found);
  return reduceSum(mul(difference, difference), [3]);
}

/**
 * (L_att + L_rep)/ν: the three nearest centres pull a descriptor into their spheres, the next three push it out.
 * @param described φ, [B,P,D]
 * @param bank centres [M,D]
 * @param radius scalar
 * @source methods.md 7.4
 */
export function sphereLoss(described: Value, bank: Value, radius: Value): Value {
  const squared = nearestSquared(described, bank, 2 * NEAR);
  const bound = mul(radius, radius);
  const attraction = reduceMean(relu(sub(slice(squared, 2, 0, NEAR), bound)));
  const repulsion = reduceMean(relu(sub(sub(bound, slice(squared, 2, NEAR, 2 * NEAR)), MARGIN)));
  return mul(add(attraction, repulsion), LOSS_SCALE);
}

/** d₁·softmin of the three nearest distances: [B,P]. @source methods.md 7.5 */
export function sphereScore(described: Value, bank: Value): Value {
  const [b, p] = described.shape;
  const distances = sqrt(nearestSquared(described, bank, Math.min(NEAR, bank.shape[0])));
  const first = slice(distances, 2, 0, 1);
  const shares = reduceSum(exp(neg(sub(distances, first))), [2], true);
  return reshape(div(first, shares), [b, p]);
}

function stepOf(
  size: FitSize,
  batch: number,
  learnsRadius: boolean,
  known?: { readonly bank: TensorData; readonly scale: TensorData },
): StepSpec {
  const shape = featureShape(size);
  const [channels, h, w] = shape;
  return {
    nets: {
      descriptor: { optimiser: { kind: 'adamw', weightDecay: 5e-4, amsgrad: true } },
    },
    build({ graph, net, input }) {
      const descriptor = net('descriptor');
      const packed = reshape(input('packed', [batch, packedWidth([shape])]), [batch, ...shape]);
      const x = known ? scaled(packed, graph.constant(known.scale)) : packed;
      const bank = known ? graph.constant(known.bank) : input('bank', [h * w, channels]);
      const radius = descriptor.parameter('radius', [1], filledWith(FIRST_RADIUS));
      const used = learnsRadius ? radius : stopGradient(radius);
      const loss = sphereLoss(toPatches(describePatches(descriptor, x)), bank, used);
      return { loss, terms: { radius } };
    },
  };
}

/** Pulls patch descriptors to a map of centres. */
export const cfa: Detector<CfaOptions> = {
  title: 'CFA',
  source: {
    authors: 'Lee, Lee, Song',
    title: 'CFA: Coupled-Hypersphere-Based Feature Adaptation for Target-Oriented Anomaly Localization',
    where: 'IEEE Access 2022',
    reference:
      "sungwool's code for the learnable radius and the batch of 4, anomalib for the map; an exact mean over images " +
      'for the bank, the last step instead of the best on test images.',
  },
  about: {
    summary: 'Pulls patch descriptors towards a map of mean good patches; what stays away is strange.',
    assumes: 'Every good patch has a counterpart among the mean patches of all positions.',
    fails:
      'Trained long, the descriptor pulls defects in as well. Views that differ much make the mean patches a blur.',
    cost: 'A product of all positions with all centres for every image, in training and inspection.',
  },
  options: {
    steps: stepsOption(60, 'fixed'),
    batch: batchOption(4),
    learningRate: rateOption(1e-3),
    radius: {
      kind: 'choice',
      default: 'learnt',
      choices: [
        { value: 'learnt', label: 'learnt' },
        { value: 'fixed', label: 'fixed at 0.00001' },
      ],
      label: 'Sphere radius',
      help: 'Fixed, spheres are points and nothing is ever pushed away; learnt is the published form.',
    },
    featureScale: SCALE_OPTION,
    blurSigma: blurOption(4),
  },
  needs: { taps: LEVELS, leastGoodImages: 1, defects: 'none' },
  leavesOut: false,

  memory(size, o) {
    const shape = featureShape(size);
    const step = stepOf(size, Math.min(o.batch, size.goodImages), true);
    const bank = packedWidth([shape]) * 4;
    return {
      fitBytes: cacheBytes(size.goodImages, packedWidth([shape])) + trainingBytes([step]) + bank,
      stateBytes: netBytes([step]) + bank,
    };
  },

  async *fit(context, o) {
    const { trained } = splitGood(context.goodImages, context);
    const cache = yield* cacheFeatures(context, 'features', features);
    const wanted = wantsScale(o.featureScale, context.backbone);
    const [scale] = await channelScales(cache, [featureShape(context)], trained, wanted);
    const sampler = new BatchSampler(context, trained, o.batch);
    const learnt = o.radius === 'learnt';
    const { start, bank } = await firstBank(
      context,
      stepOf(context, sampler.batch, learnt),
      cache,
      trained,
      scale,
    );
    const state = yield* fitByGradient(context, {
      key: 'descriptor',
      steps: { pull: stepOf(context, sampler.batch, learnt, { bank, scale }) },
      iterations: o.steps,
      rate: () => o.learningRate,
      feeds: async (_step, iteration) => ({ packed: await cache.batch(sampler.at(iteration)) }),
      start,
    });
    return { ...state, bank, scale };
  },

  score(graph, inputs, state, o) {
    const { image } = inputs;
    const [batch, , height, width] = image.shape;
    const described = describePatches(
      new FittedNet(graph, state, 'descriptor.'),
      scaled(features(inputs), state.scale),
    );
    const [, , h, w] = described.shape;
    const distances = reshape(sphereScore(toPatches(described), state.bank), [batch, 1, h, w]);
    const map = enlargeAndBlur(distances, height, width, o.blurSigma);
    return { map, score: reduceMax(map, [1, 2, 3]) };
  },
};

/**
 * The bank: the untrained descriptor's mean over the images at every position, [P,D]. It is affine, so the mean of
 * what it says is what it says of the mean. @source methods.md 7.3
 */
async function firstBank(
  context: FitContext,
  step: StepSpec,
  cache: FeatureCache,
  trained: Int32Array,
  scale: TensorData,
): Promise<{ start: MethodState; bank: TensorData }> {
  const sum = new Float64Array(cache.width);
  for (const image of trained) (await cache.of(image)).forEach((value, i) => (sum[i] += value));
  const mean = Float32Array.from(sum, (value) => value / trained.length);
  const trainer = new Trainer(context, { step });
  const start = trainer.tensors(await trainer.vectors());
  trainer.dispose();
  const graph = new GraphBuilder();
  const x = graph.input('mean', [1, ...featureShape(context)]);
  const values = Object.fromEntries(
    Object.entries(start).map(([name, tensor]) => [name, graph.constant(tensor)]),
  );
  const described = describePatches(
    new FittedNet(graph, values, 'descriptor.'),
    scaled(x, graph.constant(scale)),
  );
  graph.output('bank', reshape(toPatches(described), [-1, described.shape[1]]));
  const program = await context.compile(graph.build());
  const found = await program.run({ mean: floatTensor(x.shape, mean) });
  return { start, bank: floatTensor(found.values.bank.shape, floats(found.values.bank).slice()) };
}
