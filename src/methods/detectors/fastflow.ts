import { intTensor, sizeOf } from '../../base/tensor';
import type { Shape, TensorData } from '../../base/tensor';
import {
  add,
  concat,
  conv,
  div,
  exp,
  gather,
  layerNorm,
  log,
  mul,
  neg,
  reduceMax,
  reduceMean,
  reduceSum,
  relu,
  reshape,
  resizeBilinear,
  slice,
  softplus,
  sub,
  tanh,
} from '../../graph/ops/index';
import type { Value } from '../../graph/value';
import type { TapRole } from '../../nn/backbones/backbone';
import { filledWith, uniformBy, uniformFanIn } from '../../nn/initialisers';
import { FittedNet } from '../../nn/net';
import type { Net } from '../../nn/net';
import { constantRate, cosine } from '../../nn/schedules';
import type { Detector, FitContext, FitSize, Inputs } from '../contract';
import { SCALE_OPTION, channelScales, scaled, wantsScale } from '../kit/channel-scale';
import { cacheBytes } from '../kit/feature-cache';
import { fitByGradient } from '../kit/gradient-fit';
import { splitGood } from '../kit/held-out';
import { packMaps, packedWidth, tapShapesOf, unpackMaps } from '../kit/packed-taps';
import { BatchSampler, ofBatches } from '../kit/sampling';
import { netBytes, trainingBytes } from '../kit/training-graph';
import type { StepSpec } from '../kit/training-graph';
import { batchOption, rateOption, stepsOption } from '../kit/training-options';
import { MIRRORS_OPTION, cacheMirrored, mirroredPictures } from '../kit/view-cache';

export type FastFlowOptions = {
  readonly steps: number;
  readonly batch: number;
  readonly learningRate: number;
  readonly likelihood: string;
  readonly conv3x3Only: boolean;
  readonly hiddenRatio: number;
  readonly flips: boolean;
  readonly featureScale: string;
};

const LEVELS = ['level1', 'level2', 'level3'] as const satisfies readonly TapRole[];

/** Coupling steps of each level's flow. */
const FLOW_STEPS = 8;
const NORM_EPSILON = 1e-5;

/** The subnet's output is damped before it becomes log-scales, which stay within ±SCALE_LIMIT. */
const DAMPING = 0.1;
const SCALE_LIMIT = 2;

/** softplus's β of the global scale, its factor, and the raw value at which the scale is 1. @source methods.md 10.2 */
const BETA = 0.5;
const GLOBAL_FACTOR = 0.1;
const GLOBAL_START = Math.log(Math.exp(BETA / GLOBAL_FACTOR) - 1) / BETA;

/** Iterations between two looks at the held-out images, and looks without a new best after which training ends. */
const LOOK_EVERY = 20;
const PATIENCE = 6;

/** The kernel of a step, and its subnet's width over its input's. */
export interface FlowShape {
  readonly conv3x3Only: boolean;
  readonly hiddenRatio: number;
}

/** What one coupling step makes of [B,C,H,W]. */
interface Coupled {
  readonly y: Value;
  /** Log-scales of the second half, [B,⌊C/2⌋,H,W]. */
  readonly logScales: Value;
  /** Global scales, [C]. */
  readonly globalScale: Value;
}

/** A convolution that keeps the size, with PyTorch's first values. */
function sameConv(net: Net, name: string, x: Value, channels: number, kernel: number, factor = 1): Value {
  const shape = [channels, x.shape[1], kernel, kernel];
  const weight = net.parameter(`${name}.weight`, shape, uniformFanIn);
  const bias = net.parameter(`${name}.bias`, [channels], uniformBy(sizeOf(shape.slice(1))));
  const side = (kernel - 1) / 2;
  return conv(x, mul(weight, factor), mul(bias, factor), { pads: [side, side, side, side] });
}

/**
 * One affine coupling: the first half of the channels says how the second is scaled and shifted; then a global scale
 * and shift for each channel, and a fixed order of the channels.
 * @param x [B,C,H,W]
 * @param permutation output channel c takes channel permutation[c]
 * @source methods.md 10.2
 */
export function coupling(
  net: Net,
  name: string,
  x: Value,
  permutation: Value | ArrayLike<number>,
  { kernel, hiddenRatio }: { readonly kernel: number; readonly hiddenRatio: number },
): Coupled {
  const [, channels] = x.shape;
  const moved = Math.floor(channels / 2);
  const kept = channels - moved;
  const [first, second] = [slice(x, 1, 0, kept), slice(x, 1, kept, channels)];
  const hidden = relu(
    sameConv(net, `${name}.conv1`, first, Math.max(1, Math.floor(kept * hiddenRatio)), kernel),
  );
  // The damping goes into the weights: a few numbers instead of a whole map.
  const affine = sameConv(net, `${name}.conv2`, hidden, 2 * moved, kernel, DAMPING);
  const logScales = mul(tanh(slice(affine, 1, 0, moved)), SCALE_LIMIT);
  const shifted = add(mul(second, exp(logScales)), slice(affine, 1, moved, 2 * moved));
  const raw = net.parameter(`${name}.global_scale`, [channels], filledWith(GLOBAL_START));
  const globalScale = mul(softplus(mul(raw, BETA)), GLOBAL_FACTOR / BETA);
  const offset = net.parameter(`${name}.global_offset`, [channels], filledWith(0));
  const perChannel = (values: Value) => reshape(values, [1, -1, 1, 1]);
  const y = add(mul(concat([first, shifted], 1), perChannel(globalScale)), perChannel(offset));
  return { y: gather(y, permutation, 1), logScales, globalScale };
}

/** Trainable layer norm over channels and positions, before the flow. */
export function flowNorm(net: Net, name: string, x: Value): Value {
  const shape = x.shape.slice(1);
  const weight = net.parameter(`${name}.weight`, shape, filledWith(1));
  return layerNorm(x, weight, net.parameter(`${name}.bias`, shape, filledWith(0)), NORM_EPSILON, 1);
}

/**
 * One level: layer norm, then a coupling step for every permutation.
 * @param x features [B,C,H,W]
 * @returns z of the same shape, and what makes its log-determinant
 */
export function flow(
  net: Net,
  level: string,
  x: Value,
  permutations: readonly (Value | ArrayLike<number>)[],
  { conv3x3Only, hiddenRatio }: FlowShape,
): { z: Value; steps: readonly Coupled[] } {
  let z = flowNorm(net, `${level}.norm`, x);
  const steps = permutations.map((permutation, i) => {
    const kernel = conv3x3Only || i % 2 === 0 ? 3 : 1;
    const step = coupling(net, `${level}.step${i}`, z, permutation, { kernel, hiddenRatio });
    z = step.y;
    return step;
  });
  return { z, steps };
}

/**
 * Mean over the batch of ½Σz² − log|det J|, of one level. Values are large and become negative.
 * @source methods.md 10.3
 */
export function flowLoss({ z, steps }: { z: Value; steps: readonly Coupled[] }): Value {
  const [batch, , height, width] = z.shape;
  const ofImages = steps
    .map(({ logScales }) => reduceSum(logScales))
    .reduce((sum, value) => sub(sum, value), mul(reduceSum(mul(z, z)), 0.5));
  const ofAll = steps
    .map(({ globalScale }) => reduceSum(log(globalScale)))
    .reduce((sum, value) => add(sum, value));
  return sub(div(ofImages, batch), mul(ofAll, height * width));
}

/**
 * ln |det| of the norm's scale. The published loss leaves it out: shrinking the scale and stretching the flow then gains
 * likelihood without bound, and held-out images say nothing. Counted, the loss is the likelihood of normalised features.
 */
export const normLogDet = (scale: Value): Value => mul(reduceSum(log(mul(scale, scale))), 0.5);

/** −exp(−½ mean_c z²): −1 where the flow finds what it knows, towards 0 where it doesn't. [B,1,h,w] @source methods.md 10.4 */
export const flowMap = (z: Value): Value => neg(exp(mul(reduceMean(mul(z, z), [1], true), -0.5)));

/** The mean of the levels' maps, each enlarged. */
export function flowMaps(levels: readonly Value[], height: number, width: number): Value {
  const maps = levels.map((z) => resizeBilinear(flowMap(z), height, width));
  return div(
    maps.reduce((sum, map) => add(sum, map)),
    maps.length,
  );
}

const shapesOf = (size: FitSize): Shape[] => tapShapesOf(size, LEVELS);

/** Where step i of a level finds its permutation in the state. */
const permutationName = (level: string, step: number): string => `permutation.${level}.${step}`;

/** Orders of the channels, for each level and step, drawn by the fit's seed. */
const drawPermutations = (context: Pick<FitContext, 'rng'>, shapes: readonly Shape[]): Int32Array[][] =>
  LEVELS.map((level, i) =>
    Array.from({ length: FLOW_STEPS }, (_, step) =>
      context.rng(permutationName(level, step)).permutation(shapes[i][0]),
    ),
  );

function stepOf(
  size: FitSize,
  batch: number,
  o: FastFlowOptions,
  permutations: readonly (readonly ArrayLike<number>[])[],
  scales?: readonly TensorData[],
): StepSpec {
  const shapes = shapesOf(size);
  const dimensions = packedWidth(shapes);
  return {
    nets: {
      // The loss is taken per dimension; the published numbers that its size matters to follow.
      flow: { optimiser: { kind: 'adam', weightDecay: 1e-5 / dimensions, epsilon: 1e-8 / dimensions } },
    },
    build({ graph, net, input }) {
      const maps = unpackMaps(input('packed', [batch, dimensions]), shapes);
      const losses = LEVELS.map((level, i) => {
        const x = scales ? scaled(maps[i], graph.constant(scales[i])) : maps[i];
        const loss = flowLoss(flow(net('flow'), level, x, permutations[i], o));
        const scale = net('flow').parameter(`${level}.norm.weight`, shapes[i]);
        return div(o.likelihood === 'published' ? loss : sub(loss, normLogDet(scale)), dimensions);
      });
      return {
        loss: losses.reduce((sum, loss) => add(sum, loss)),
        terms: Object.fromEntries(LEVELS.map((level, i) => [level, losses[i]])),
      };
    },
  };
}

/** Learns to turn good features into white noise; what doesn't become white noise is strange. */
export const fastflow: Detector<FastFlowOptions> = {
  title: 'FastFlow',
  source: {
    authors: 'Yu, Zheng, Wang, Li, Wu, Zhao, Wu',
    title: 'FastFlow: Unsupervised Anomaly Detection and Localization via 2D Normalizing Flows',
    where: 'arXiv 2111.07677, 2021',
    reference:
      "gathierry's and anomalib's code: a trainable layer norm before each flow, which the paper lacks; its scale is " +
      'counted in the likelihood here and the rate falls along half a cosine, unless the published one is chosen. ' +
      'Training on mirrored images is ours; an option turns it off. ' +
      'Training ends by held-out good images, not by the best on test images.',
  },
  about: {
    summary: 'Learns the density of good features at every place; what is improbable is strange.',
    assumes:
      'Good images are many enough to learn a density from; defects are improbable at one of three depths.',
    fails:
      'Learnt on few images the density is narrow and good images that differ a little are improbable too. The input ' +
      'size is fixed by the fit.',
    cost: 'Some hundred steps through eight small convolution pairs a level; inspecting costs little.',
  },
  options: {
    steps: stepsOption(400),
    batch: batchOption(8),
    learningRate: rateOption(3e-3),
    likelihood: {
      kind: 'choice',
      default: 'normalised',
      choices: [
        { value: 'normalised', label: 'of normalised features' },
        { value: 'published', label: 'as published' },
      ],
      label: 'Likelihood',
      help: 'The published one leaves out the scale of the norm; held-out images then say nothing and training runs its whole length. Its rate is 0.001 and stays.',
    },
    conv3x3Only: {
      kind: 'flag',
      default: false,
      label: '3×3 kernels only',
      help: 'Every step looks at its neighbours, not every other one. Slower; published for small backbones.',
    },
    hiddenRatio: {
      kind: 'number',
      default: 1,
      min: 0.05,
      max: 4,
      integer: false,
      unit: '',
      label: 'Subnet width',
      help: "Width of each step's inner layer over its input's.",
    },
    flips: MIRRORS_OPTION,
    featureScale: SCALE_OPTION,
  },
  needs: { taps: LEVELS, leastGoodImages: 2, defects: 'none' },
  leavesOut: false,
  pictures: mirroredPictures,

  memory(size, o) {
    const shapes = shapesOf(size);
    const orders = shapes.map(([channels]) =>
      Array.from({ length: FLOW_STEPS }, () => Int32Array.from({ length: channels }, (_, i) => i)),
    );
    const step = stepOf(size, Math.min(o.batch, size.goodImages), o, orders);
    return {
      fitBytes: cacheBytes(mirroredPictures(size, o), packedWidth(shapes)) + trainingBytes([step]),
      stateBytes: netBytes([step]),
    };
  },

  async *fit(context, o) {
    const { trained, heldOut } = splitGood(context.goodImages, context);
    const shapes = shapesOf(context);
    const levels = ({ taps }: Inputs) => packMaps(LEVELS.map((level) => taps[level]!));
    const cache = yield* cacheMirrored(context, levels, packedWidth(shapes), o.flips);
    const scales = await channelScales(
      cache.store,
      shapes,
      trained,
      wantsScale(o.featureScale, context.backbone),
    );
    const permutations = drawPermutations(context, shapes);
    const sampler = new BatchSampler(context, trained, o.batch);
    const schedule =
      o.likelihood === 'published' ? constantRate(o.learningRate) : cosine(o.learningRate, o.steps);
    const feedsOf = async (places: ArrayLike<number>) => ({ packed: await cache.store.batch(places) });
    const state = yield* fitByGradient(context, {
      key: 'flow',
      steps: { likelihood: stepOf(context, sampler.batch, o, permutations, scales) },
      iterations: o.steps,
      rate: (_net, iteration) => schedule(iteration),
      feeds: (_step, iteration) =>
        feedsOf(cache.drawn(sampler.at(iteration), context.rng(`mirrors.${iteration}`))),
      heldOut: {
        images: o.likelihood === 'published' ? new Int32Array() : heldOut,
        step: 'likelihood',
        every: LOOK_EVERY,
        patience: PATIENCE,
        feeds: () => ofBatches(heldOut, sampler.batch, feedsOf),
      },
      divergence: 'the learning rate is too high: the scales of eight steps multiply',
    });
    const kept = LEVELS.flatMap((level, i) => [
      [`scale.${level}`, scales[i]] as const,
      ...permutations[i].map(
        (order, step) => [permutationName(level, step), intTensor([order.length], order)] as const,
      ),
    ]);
    return { ...state, ...Object.fromEntries(kept) };
  },

  score(graph, { taps, image }, state, o) {
    const [, , height, width] = image.shape;
    const net = new FittedNet(graph, state, 'flow.');
    const levels = LEVELS.map((level) => {
      const orders = Array.from({ length: FLOW_STEPS }, (_, step) => state[permutationName(level, step)]);
      return flow(net, level, scaled(taps[level]!, state[`scale.${level}`]), orders, o).z;
    });
    const map = flowMaps(levels, height, width);
    return { map, score: reduceMax(map, [1, 2, 3]) };
  },
};
