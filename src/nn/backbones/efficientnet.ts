import { AppError } from '../../base/errors';
import {
  add,
  conv,
  globalAveragePool,
  linear,
  mul,
  reduceMean,
  relu6,
  sigmoid,
  silu,
} from '../../graph/ops/index';
import type { Value } from '../../graph/value';
import type { NetLayers } from '../layers';
import { affine } from '../transformer';
import { IMAGENET, TapCollector } from './backbone';
import type { Backbone, Normalisation } from './backbone';

/** One stage: blocks that share kernel and width; the first may stride. */
interface Stage {
  readonly repeats: number;
  readonly kernel: 3 | 5;
  readonly stride: 1 | 2;
  readonly expand: number;
  readonly channels: number;
}

/** What the networks of the family differ in. */
interface EfficientNetPlan {
  readonly architecture: string;
  readonly title: string;
  /** Factors on channels and on blocks of a stage. */
  readonly width: number;
  readonly depth: number;
  readonly usualSide: number;
  readonly normalisation: Normalisation;
  readonly activation: (x: Value) => Value;
  readonly squeezeExcitation: boolean;
  /** TensorFlow's "SAME" padding; symmetric otherwise. */
  readonly same: boolean;
  readonly batchNormEpsilon: number;
}

/** Of width and depth 1. @source methods.md 23.2; Tan and Le, "EfficientNet", 2019, table 1 */
const STAGES: readonly Stage[] = [
  { repeats: 1, kernel: 3, stride: 1, expand: 1, channels: 16 },
  { repeats: 2, kernel: 3, stride: 2, expand: 6, channels: 24 },
  { repeats: 2, kernel: 5, stride: 2, expand: 6, channels: 40 },
  { repeats: 3, kernel: 3, stride: 2, expand: 6, channels: 80 },
  { repeats: 3, kernel: 5, stride: 1, expand: 6, channels: 112 },
  { repeats: 4, kernel: 5, stride: 2, expand: 6, channels: 192 },
  { repeats: 1, kernel: 3, stride: 1, expand: 6, channels: 320 },
];
const STEM_CHANNELS = 32;
const HEAD_CHANNELS = 1280;
const CLASSES = 1000;
/** Channels come in eights. */
const DIVISOR = 8;
/** Sides are multiples of the last level's reduction. */
const REDUCTION = 32;

/** Channels under a width factor: the nearest multiple of eight that loses no more than a tenth. */
function scaledChannels(channels: number, width: number): number {
  const wanted = channels * width;
  const nearest = Math.max(DIVISOR, Math.floor(wanted / DIVISOR + 0.5) * DIVISOR);
  return nearest < 0.9 * wanted ? nearest + DIVISOR : nearest;
}

const scaledStages = ({ width, depth }: EfficientNetPlan): readonly Stage[] =>
  STAGES.map((stage) => ({
    ...stage,
    repeats: Math.ceil(stage.repeats * depth),
    channels: scaledChannels(stage.channels, width),
  }));

/** Channels weighed by what the whole image holds of them. @param reduced channels of the narrow layer */
function squeezeExcitation(layers: NetLayers, x: Value, name: string, reduced: number): Value {
  const pointwise = (from: Value, part: string, channels: number) => {
    const { weight, bias } = affine(layers, `${name}.${part}`, [channels, from.shape[1], 1, 1], [channels]);
    return conv(from, weight, bias);
  };
  const narrow = silu(pointwise(reduceMean(x, [2, 3], true), 'conv_reduce', reduced));
  return mul(x, sigmoid(pointwise(narrow, 'conv_expand', x.shape[1])));
}

/**
 * A block: expand (not in the first stage, whose blocks are depthwise-separable), filter each channel by itself, weigh
 * the channels, project. The projection is linear.
 */
function block(
  layers: NetLayers,
  x: Value,
  name: string,
  stage: Stage,
  stride: 1 | 2,
  { activation, squeezeExcitation: squeezed, same }: EfficientNetPlan,
): Value {
  const [, from] = x.shape;
  const separable = stage.expand === 1;
  const inner = from * stage.expand;
  const expanded = separable
    ? x
    : activation(layers.convNorm(x, `${name}.conv_pw`, `${name}.bn1`, { channels: inner, kernel: 1 }));
  const filtered = activation(
    layers.convNorm(expanded, `${name}.conv_dw`, `${name}.bn${separable ? 1 : 2}`, {
      channels: inner,
      kernel: stage.kernel,
      stride,
      group: inner,
      same,
    }),
  );
  const weighed = squeezed ? squeezeExcitation(layers, filtered, `${name}.se`, from / 4) : filtered;
  const [projection, norm] = separable ? ['conv_pw', 'bn2'] : ['conv_pwl', 'bn3'];
  const projected = layers.convNorm(weighed, `${name}.${projection}`, `${name}.${norm}`, {
    channels: stage.channels,
    kernel: 1,
  });
  return stride === 1 && from === stage.channels ? add(projected, x) : projected;
}

function forward(
  plan: EfficientNetPlan,
  layers: NetLayers,
  x: Value,
  wanted: readonly string[],
): Readonly<Record<string, Value>> {
  const { activation, same, width } = plan;
  const taps = new TapCollector(wanted);
  const stem = { channels: scaledChannels(STEM_CHANNELS, width), kernel: 3, stride: 2, same } as const;
  let y = activation(layers.convNorm(x, 'conv_stem', 'bn1', stem));
  for (const [i, stage] of scaledStages(plan).entries()) {
    for (let j = 0; j < stage.repeats; j++)
      y = block(layers, y, `blocks.${i}.${j}`, stage, j === 0 ? stage.stride : 1, plan);
    taps.offer(`blocks.${i}`, y);
    if (taps.complete) return taps.found;
  }
  const head = scaledChannels(HEAD_CHANNELS, width);
  y = activation(layers.convNorm(y, 'conv_head', 'bn2', { channels: head, kernel: 1 }));
  const pooled = globalAveragePool(y);
  taps.offer('pooled', pooled);
  if (wanted.includes('logits')) {
    const classifier = affine(layers, 'classifier', [CLASSES, head], [CLASSES]);
    taps.offer('logits', linear(pooled, classifier.weight, classifier.bias));
  }
  if (!taps.complete)
    throw new AppError('model/keys', `${plan.title} has no layer among ${wanted.join(', ')}`);
  return taps.found;
}

/** By timm's key names. Layers: `blocks.0` … `blocks.6`, `pooled`, `logits`. */
function efficientNet(plan: EfficientNetPlan): Backbone {
  return {
    architecture: plan.architecture,
    title: plan.title,
    normalisation: plan.normalisation,
    levels: {
      level1: 'blocks.1',
      level2: 'blocks.2',
      level3: 'blocks.4',
      level4: 'blocks.6',
      pooled: 'pooled',
    },
    linearTaps: true,
    kernel: 'bilinear',
    // Plain blocks, two a level: the inverted ones would make the decoder as slow as the rest together.
    mirror: {
      style: { bottleneck: false, widen: 1 },
      blocks: [2, 2, 2, 2],
      deepestWidth: scaledChannels(160, plan.width),
    },
    sides: {
      multipleOf: REDUCTION,
      least: 2 * REDUCTION,
      usual: REDUCTION * Math.round(plan.usualSide / REDUCTION),
    },
    batchNormEpsilon: plan.batchNormEpsilon,
    forward: (layers, x, wanted) => forward(plan, layers, x, wanted),
  };
}

/** Without squeeze-excitation, stem and head of the same width in every size. */
export const efficientNetLite0 = efficientNet({
  architecture: 'efficientnet-lite0',
  title: 'EfficientNet-Lite0',
  width: 1,
  depth: 1,
  usualSide: 224,
  // (x − 127)/128 of 8-bit values, as the TFLite release takes them.
  normalisation: { mean: [0.498, 0.498, 0.498], std: [0.502, 0.502, 0.502] },
  activation: relu6,
  squeezeExcitation: false,
  same: true,
  batchNormEpsilon: 1e-3,
});

/** Width, depth and the side they were trained at, B0 to B4. @source Tan and Le, "EfficientNet", 2019 */
const SCALES = [
  [1, 1, 224],
  [1, 1.1, 240],
  [1.1, 1.2, 260],
  [1.2, 1.4, 300],
  [1.4, 1.8, 380],
] as const;

const scaledNets = (same: boolean): readonly Backbone[] =>
  SCALES.map(([width, depth, usualSide], i) =>
    efficientNet({
      architecture: `${same ? 'tf-' : ''}efficientnet-b${i}`,
      title: `${same ? 'TF-' : ''}EfficientNet-B${i}`,
      ...{ width, depth, usualSide, same },
      normalisation: IMAGENET,
      activation: silu,
      squeezeExcitation: true,
      batchNormEpsilon: same ? 1e-3 : 1e-5,
    }),
  );

/** B0 to B4 as TensorFlow trained them: timm's `tf_efficientnet_b*`. */
export const EFFICIENTNETS: readonly Backbone[] = scaledNets(true);

/** B0 to B4 as timm trained them, `efficientnet_b*`: the same names and shapes, another padding and epsilon. */
export const SYMMETRIC_EFFICIENTNETS: readonly Backbone[] = scaledNets(false);
