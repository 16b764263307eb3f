import { floatTensor, floats, sizeOf } from '../../base/tensor';
import type { Shape, TensorData } from '../../base/tensor';
import {
  add,
  averagePool,
  concat,
  conv,
  div,
  globalAveragePool,
  globalMaxPool,
  linear,
  matMul,
  max,
  mul,
  reduceMax,
  reduceMean,
  reduceSum,
  relu,
  reshape,
  resizeBilinear,
  sigmoid,
  slice,
  softplus,
  stopGradient,
  sub,
} from '../../graph/ops/index';
import type { Convention } from '../../graph/ops/index';
import type { Value } from '../../graph/value';
import type { TapRole } from '../../nn/backbones/backbone';
import { uniformBy, xavierNormal } from '../../nn/initialisers';
import { FittedNet } from '../../nn/net';
import type { Net } from '../../nn/net';
import { pointwiseNorm } from '../../nn/pointwise-norm';
import { multiStep } from '../../nn/schedules';
import type { Detector, FitSize, Inputs } from '../contract';
import { SCALE_OPTION, channelScales, scaled, wantsScale } from '../kit/channel-scale';
import { cacheBytes, cacheFeatures, stackVectors } from '../kit/feature-cache';
import type { FeatureCache } from '../kit/feature-cache';
import { fitByGradient } from '../kit/gradient-fit';
import { splitGood } from '../kit/held-out';
import { knownDefects } from '../kit/known-defects';
import { enlargeAndBlurMirrored } from '../kit/mirrored-blur';
import { noiseBlotches } from '../kit/noise-blotches';
import { BatchSampler, ofBatches } from '../kit/sampling';
import { netBytes, trainingBytes } from '../kit/training-graph';
import type { StepSpec } from '../kit/training-graph';
import { batchOption, blurOption, rateOption, stepsOption } from '../kit/training-options';

export type SuperSimpleNetOptions = {
  readonly form: string;
  readonly steps: number;
  readonly batch: number;
  readonly learningRate: number;
  readonly noise: number;
  readonly classifierInput: string;
  readonly featureScale: string;
  readonly blurSigma: number;
};

const LEVELS = ['level2', 'level3'] as const satisfies readonly TapRole[];

/** Channels inside the heads, and the slope of the segmentation head's rectifier. @source methods.md 11.2 */
const SEGMENTATION_WIDTH = 1024;
const CLASSIFIER_WIDTH = 128;
const SLOPE = 0.2;

/** Distance of a map's logit from 0 beyond which the truncated L1 is content. */
const MARGIN = 0.5;

/** How much of the Perlin noise becomes a synthetic defect. @source methods.md 11.3 */
const PERLIN_THRESHOLD = { unsupervised: 0.2, supervised: 0.6 } as const;

/** Iterations between two looks at the held-out images, and looks without a new best after which training ends. */
const LOOK_EVERY = 25;
const PATIENCE = 5;

/**
 * In spreads of good features. The published 0.015 belongs to one backbone's features and thousands of steps. On good
 * images of three sets, 0.5 is learnt in the default steps: the held-out loss falls below 0.1, where a constant output
 * has 1.09; with 0.3 it stays at 0.7 and the classification head has not begun.
 */
const NOISE = 0.5;

/**
 * Levels enlarged to twice the first one's size, concatenated, averaged over 3×3 with counted padding.
 * @param taps [B,Ci,hi,wi]
 * @param convention the published code's is `corners`, anomalib's and the method's half-pixel
 * @returns [B,ΣCi,2h,2w]
 * @source methods.md 11.2
 */
export function enlargedFeatures(taps: readonly Value[], convention: Convention = 'halfPixel'): Value {
  const [height, width] = taps[0].shape.slice(2).map((side) => 2 * side);
  const enlarged = taps.map((tap) => resizeBilinear(tap, height, width, convention));
  return averagePool(concat(enlarged, 1), { kernel: [3, 3], strides: [1, 1], pads: [1, 1, 1, 1] });
}

const features = ({ taps }: Inputs): Value => enlargedFeatures(LEVELS.map((level) => taps[level]!));

function featureShape({ taps }: FitSize): Shape {
  const [, h, w] = taps.level2!;
  return [LEVELS.reduce((sum, level) => sum + taps[level]![0], 0), 2 * h, 2 * w];
}

/** The adaptor: a 1×1 convolution, [B,C,H,W] to the same. */
export function adapt(net: Net, x: Value): Value {
  const [, channels] = x.shape;
  const weight = net.parameter('projection.weight', [channels, channels, 1, 1], xavierNormal);
  return conv(x, weight, net.parameter('projection.bias', [channels], uniformBy(channels)));
}

/**
 * Segmentation head: 1×1 convolution, batch norm, leaky rectifier, 1×1 convolution to a map of logits [B,1,H,W]. The
 * rectifier is its linear part, which needs no thousand channels, and a plain one: two passes fewer each way.
 */
function segment(net: Net, x: Value): Value {
  const [, channels] = x.shape;
  const { weight, bias } = pointwiseNorm(
    net,
    x,
    'seg_head.0',
    'seg_head.1',
    SEGMENTATION_WIDTH,
    xavierNormal,
  );
  const last = net.parameter('seg_head.3.weight', [1, SEGMENTATION_WIDTH, 1, 1], xavierNormal);
  const row = mul(reshape(last, [1, SEGMENTATION_WIDTH]), SLOPE);
  const through = matMul(row, reshape(weight, [SEGMENTATION_WIDTH, channels]));
  const level = reshape(matMul(row, reshape(bias, [SEGMENTATION_WIDTH, 1])), [1]);
  return add(
    conv(relu(conv(x, weight, bias)), mul(last, 1 - SLOPE)),
    conv(x, reshape(through, [1, channels, 1, 1]), level),
  );
}

/** Classification head on features and map: a logit [B]. */
function classify(net: Net, x: Value, map: Value): Value {
  const [batch, channels] = x.shape;
  const shape = [CLASSIFIER_WIDTH, channels + 1, 5, 5];
  const weight = net.parameter('cls_conv.0.weight', shape, xavierNormal);
  const part = (input: Value, from: number) =>
    conv(input, slice(weight, 1, from, from + input.shape[1]), undefined, { pads: [2, 2, 2, 2] });
  const seen = relu(net.batchNorm(add(part(x, 0), part(map, channels)), 'cls_conv.1'));
  const pooled = concat(
    [seen, map].flatMap((value) => [globalMaxPool(value), globalAveragePool(value)]),
    1,
  );
  const inputs = pooled.shape[1];
  const logit = linear(
    pooled,
    net.parameter('cls_fc.weight', [1, inputs], xavierNormal),
    net.parameter('cls_fc.bias', [1], uniformBy(inputs)),
  );
  return reshape(logit, [batch]);
}

/**
 * Both heads. Convolutions before batch norms have no bias, which the norm would take away again.
 * @param adapted what the segmentation head sees, [B,C,H,W]
 * @param seen what the classification head sees, of the same shape
 * @param detach whether the classification head leaves the map alone in training
 * @returns logits: map [B,1,H,W] and one for each image [B]
 */
export function heads(net: Net, adapted: Value, seen: Value, detach: boolean): { map: Value; logit: Value } {
  const map = segment(net, adapted);
  return { map, logit: classify(net, seen, detach ? stopGradient(map) : map) };
}

/** Mean of max(0, M + ½) over normal pixels plus mean of max(0, ½ − M) over anomalous ones; a kind without pixels adds 0. */
export function truncatedL1(map: Value, target: Value): Value {
  const part = (beyond: Value, chosen: Value) =>
    div(reduceSum(mul(relu(beyond), chosen)), max(reduceSum(chosen), 1));
  return add(part(add(map, MARGIN), sub(1, target)), part(sub(MARGIN, map), target));
}

/** Mean of −(1−q)⁴ ln q, q the probability of what is true, from logits. @source methods.md 11.5 */
export function focal4(logits: Value, target: Value): Value {
  const against = mul(logits, sub(1, mul(target, 2)));
  const wrong = sigmoid(against);
  const squared = mul(wrong, wrong);
  return reduceMean(mul(mul(squared, squared), softplus(against)));
}

/** The parts of the loss. @param target [B,1,H,W], 1 where anomalous; an image is anomalous that holds any */
export const lossParts = ({ map, logit }: { map: Value; logit: Value }, target: Value) => ({
  truncated: truncatedL1(map, target),
  focalMap: focal4(map, target),
  focalScore: focal4(logit, reduceMax(target, [1, 2, 3])),
});

/** Good images and images with defects in one batch of training. */
function batchParts(goodImages: number, defectImages: number, { form, batch }: SuperSimpleNetOptions) {
  const defects = form === 'supervised' ? Math.min(defectImages, batch >> 1) : 0;
  return { good: Math.min(batch - defects, goodImages), defects };
}

function stepOf(size: FitSize, batch: number, o: SuperSimpleNetOptions, scale?: TensorData): StepSpec {
  const shape = featureShape(size);
  const supervised = o.form === 'supervised';
  return {
    nets: {
      adaptor: { optimiser: { kind: 'adamw', weightDecay: 0.01 } },
      segdec: { optimiser: { kind: 'adamw', weightDecay: 1e-5 } },
    },
    ...(supervised && { clipNorm: 1 }),
    build({ graph, net, input }) {
      const packed = reshape(input('packed', [batch, sizeOf(shape)]), [batch, ...shape]);
      const x = scale ? scaled(packed, graph.constant(scale)) : packed;
      const noise = input('noise', [batch, ...shape]);
      const target = input('target', [2 * batch, 1, ...shape.slice(1)]);
      const copies = (value: Value) => concat([value, add(value, noise)], 0);
      const adapted = copies(adapt(net('adaptor'), x));
      const seen = o.classifierInput === 'adapted' ? adapted : copies(x);
      const parts = lossParts(heads(net('segdec'), adapted, seen, !supervised), target);
      return { loss: Object.values(parts).reduce((sum, part) => add(sum, part)), terms: parts };
    },
  };
}

/** Learns to tell good features from the same with noise in blotches, and real defects where there are some. */
export const supersimplenet: Detector<SuperSimpleNetOptions> = {
  title: 'SuperSimpleNet',
  source: {
    authors: 'Rolih, Fučka, Skočaj',
    title:
      'SuperSimpleNet: Unifying Unsupervised and Supervised Learning for Fast and Reliable Surface Defect Detection',
    where: 'ICPR 2024',
    reference:
      "blaz-r's code and anomalib's, in the journal's form: raw features to the classifier, half-pixel enlarging, " +
      'sigmoid of the output. Each image stands in a batch once clean and once with noise, where the code tosses a coin ' +
      'for each of two copies. Supervised: defects are not flipped, since features of flipped images are other features; ' +
      'every batch is half defects, drawn in rounds.',
  },
  about: {
    summary:
      'Tells good features from noisy ones, by pixel and by image; known defects with masks sharpen it.',
    assumes: 'Defects move features at least as far as the noise does.',
    fails:
      'With noise too small for the features nothing is learnt, with noise too large small defects pass. Trained ' +
      'briefly, its score for the image lags behind its map. Trained on known defects it prefers their kind.',
    cost: 'Heavy training: a thousand channels at twice the resolution of the features. Inspection costs little.',
  },
  options: {
    form: {
      kind: 'choice',
      default: 'unsupervised',
      choices: [
        { value: 'unsupervised', label: 'on good images alone' },
        { value: 'supervised', label: 'with known defects' },
      ],
      label: 'Training',
      help: 'Known defects need masks; synthetic ones are trained on either way.',
    },
    // Few images in many steps: the classification head begins to learn after some two hundred.
    steps: stepsOption(300),
    batch: batchOption(2),
    learningRate: rateOption(1e-3),
    noise: {
      kind: 'number',
      default: NOISE,
      min: 0.001,
      max: 5,
      integer: false,
      unit: 'spreads',
      label: 'Noise',
      help: 'Size of synthetic defects, in units of the spread of good features. Raise it when the loss stays near 1.1.',
    },
    classifierInput: {
      kind: 'choice',
      default: 'raw',
      choices: [
        { value: 'raw', label: 'features as they are' },
        { value: 'adapted', label: 'adapted features' },
      ],
      label: 'Classifier sees',
      help: "Features as they are is the journal's form, adapted ones the first paper's.",
    },
    featureScale: SCALE_OPTION,
    blurSigma: { ...blurOption(4), help: 'Gaussian smoothing of the map, in pixels of the model input.' },
  },
  needs: { taps: LEVELS, leastGoodImages: 2, defects: 'optional', defectsWhen: ['form', 'supervised'] },
  leavesOut: false,

  memory(size, o) {
    const { good, defects } = batchParts(size.goodImages, size.defectImages, o);
    const step = stepOf(size, good + defects, o);
    const images = size.goodImages + (defects ? size.defectImages : 0);
    return {
      fitBytes: cacheBytes(images, sizeOf(featureShape(size))) + trainingBytes([step]),
      stateBytes: netBytes([step]),
    };
  },

  async *fit(context, o) {
    const shape = featureShape(context);
    const supervised = o.form === 'supervised';
    const { trained, heldOut } = splitGood(context.goodImages, context);
    const cache = yield* cacheFeatures(context, 'features', features);
    // What a step costs can be measured before there is a defect.
    const known =
      supervised && !(context.trial && !context.defectImages)
        ? yield* knownDefects(context, 'features of defects', features, [shape[1], shape[2]])
        : undefined;
    context.remark(
      known
        ? `Trained in the supervised form, with ${known.marked.length} images of defects.`
        : 'Trained in the unsupervised form, on good images alone.',
    );
    const { scale, unit } = await spreadOf(
      cache,
      shape,
      trained,
      wantsScale(o.featureScale, context.backbone),
    );
    const blotches = {
      threshold: PERLIN_THRESHOLD[supervised ? 'supervised' : 'unsupervised'],
      sigma: o.noise * unit,
    };
    const parts = batchParts(context.goodImages, known?.marked.length ?? 0, o);
    const goodSampler = new BatchSampler(context, trained, parts.good);
    const defectSampler = known && new BatchSampler(context, known.marked, parts.defects, 'order of defects');
    const batch = goodSampler.batch + (defectSampler?.batch ?? 0);
    const feedsOf = async (good: Int32Array, defects: Int32Array, stream: string) => {
      const vectors = Array.from(good, (i) => cache.of(i));
      const real: (Uint8Array | undefined)[] = vectors.map(() => undefined);
      if (known)
        for (const i of defects) {
          vectors.push(known.cache.of(i));
          real.push(known.masks[i]);
        }
      return {
        packed: stackVectors(await Promise.all(vectors)),
        ...noiseBlotches(context.rng(stream), shape, real, blotches),
      };
    };
    const none = new Int32Array();
    const factor = multiStep(
      1,
      [0.8, 0.9].map((share) => Math.floor(share * o.steps)),
      0.4,
    );
    const state = yield* fitByGradient(context, {
      key: 'heads',
      steps: { tell: stepOf(context, batch, o, scale) },
      iterations: o.steps,
      // The adaptor goes half as fast as the heads. @source methods.md 11.5
      rate: (net, iteration) => factor(iteration) * (net === 'adaptor' ? o.learningRate / 2 : o.learningRate),
      feeds: (_step, iteration) =>
        feedsOf(goodSampler.at(iteration), defectSampler?.at(iteration) ?? none, `noise.${iteration}`),
      heldOut: {
        images: heldOut,
        step: 'tell',
        every: LOOK_EVERY,
        patience: PATIENCE,
        feeds: () => ofBatches(heldOut, batch, (good, b) => feedsOf(good, none, `held out noise.${b}`)),
      },
    });
    return { ...state, scale };
  },

  score(graph, inputs, state, o) {
    const [, , height, width] = inputs.image.shape;
    const x = scaled(features(inputs), state.scale);
    const adapted = adapt(new FittedNet(graph, state, 'adaptor.'), x);
    const seen = o.classifierInput === 'adapted' ? adapted : x;
    const { map, logit } = heads(new FittedNet(graph, state, 'segdec.'), adapted, seen, false);
    return {
      map: sigmoid(enlargeAndBlurMirrored(map, height, width, o.blurSigma)),
      score: sigmoid(logit),
    };
  },
};

/** What features are divided by, and the spread that the noise is a multiple of once they are. */
async function spreadOf(cache: FeatureCache, shape: Shape, images: Int32Array, wanted: boolean) {
  const [spread] = await channelScales(cache, [shape], images, true);
  if (wanted) return { scale: spread, unit: 1 };
  const squares = floats(spread).reduce((sum, value) => sum + value * value, 0);
  const ones = floatTensor(spread.shape, new Float32Array(shape[0]).fill(1));
  return { scale: ones, unit: Math.sqrt(squares / shape[0]) };
}
