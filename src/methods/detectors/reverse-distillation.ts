import { AppError } from '../../base/errors';
import type { Shape, TensorData } from '../../base/tensor';
import {
  add,
  concat,
  div,
  enlargeAndBlur,
  max,
  mul,
  reduceMax,
  reduceMean,
  reduceSum,
  relu,
  reshape,
  sqrt,
  sub,
} from '../../graph/ops/index';
import type { Value } from '../../graph/value';
import type { Backbone, TapRole } from '../../nn/backbones/backbone';
import { FittedNet } from '../../nn/net';
import type { Net } from '../../nn/net';
import { residualBlock, upBlock } from '../../nn/residual-blocks';
import type { Detector, FitSize } from '../contract';
import { SCALE_OPTION, channelScales, scaled, wantsScale } from '../kit/channel-scale';
import { directionDistance } from '../kit/direction';
import { cacheBytes, cacheFeatures } from '../kit/feature-cache';
import { fitByGradient } from '../kit/gradient-fit';
import { splitGood } from '../kit/held-out';
import { packMaps, packedWidth, tapShapesOf, unpackMaps } from '../kit/packed-taps';
import { BatchSampler, ofBatches } from '../kit/sampling';
import { netBytes, trainingBytes } from '../kit/training-graph';
import type { StepSpec } from '../kit/training-graph';
import { batchOption, blurOption, rateOption, stepsOption } from '../kit/training-options';

export type ReverseDistillationOptions = {
  readonly steps: number;
  readonly batch: number;
  readonly learningRate: number;
  readonly loss: string;
  readonly featureScale: string;
  readonly blurSigma: number;
};

const LEVELS = ['level1', 'level2', 'level3'] as const satisfies readonly TapRole[];
const LOOK_EVERY = 20;
const PATIENCE = 6;

/** @throws fit/backbone for backbones whose levels don't shrink */
function mirrorOf({ mirror, title }: Backbone): NonNullable<Backbone['mirror']> {
  if (mirror) return mirror;
  throw new AppError('fit/backbone', `reverse distillation has no decoder for ${title}`, {
    hint: 'It mirrors backbones whose levels halve in size: the EfficientNets and the ResNets.',
  });
}

/**
 * One-class bottleneck: all levels brought to the third's size, joined, and squeezed by one residual layer.
 * @param levels [B,C,h,w], each half the size of the one before
 * @source methods.md 9.1
 */
export function squeeze(net: Net, levels: readonly Value[], backbone: Backbone): Value {
  const { style, deepestWidth, blocks } = mirrorOf(backbone);
  // The published bottleneck is of the usual width, also under wide networks.
  const usual = { ...style, widen: 1 };
  const [one, two, three] = levels;
  const shrink = (x: Value, part: number, channels: number) =>
    relu(
      net.convNorm(x, `bottleneck.conv${part}`, `bottleneck.bn${part}`, { channels, kernel: 3, stride: 2 }),
    );
  const joined = concat(
    [shrink(shrink(one, 1, two.shape[1]), 2, three.shape[1]), shrink(two, 3, three.shape[1]), three],
    1,
  );
  let x = joined;
  for (let block = 0; block < blocks[3]; block++)
    x = residualBlock(net, x, `bottleneck.bn_layer.${block}`, usual, deepestWidth, block ? 1 : 2);
  return x;
}

/** The backbone turned round: from the bottleneck back to the levels, first to third. @source methods.md 9.1 */
export function decode(net: Net, bottleneck: Value, shapes: readonly Shape[], backbone: Backbone): Value[] {
  const { style, blocks } = mirrorOf(backbone);
  const found: Value[] = [];
  let x = bottleneck;
  [...shapes].reverse().forEach(([channels], layer) => {
    const width = style.bottleneck ? channels / 4 : channels;
    const count = blocks[layer];
    for (let block = 0; block < count; block++) {
      const name = `decoder.layer${layer + 1}.${block}`;
      // Features that are signed can't be drawn by a rectifier.
      const activated = block + 1 < count || !backbone.linearTaps;
      x = block
        ? residualBlock(net, x, name, style, width, 1, activated)
        : upBlock(net, x, name, style, width, activated);
    }
    found.unshift(x);
  });
  return found;
}

/** A length of zero has no direction; the product below it is zero as well. */
const LEAST_SQUARED = 1e-16;

/**
 * Σ over levels of the mean over images of 1 − cos. In the codes' form each image's whole map of a level is one
 * vector, in the paper's every position is.
 * @source methods.md 9.2
 */
export function distillationLoss(
  teacher: readonly Value[],
  decoded: readonly Value[],
  form: 'image' | 'position',
): Value {
  return teacher
    .map((level, i) => {
      if (form === 'position') return reduceMean(directionDistance(level, decoded[i]));
      const [a, b] = [level, decoded[i]].map((x) => reshape(x, [x.shape[0], -1]));
      const dot = (x: Value, y: Value) => reduceSum(mul(x, y), [1]);
      const lengths = sqrt(max(mul(dot(a, a), dot(b, b)), LEAST_SQUARED));
      return sub(1, reduceMean(div(dot(a, b), lengths)));
    })
    .reduce((sum, level) => add(sum, level));
}

/** Σ over levels of 1 − cos, enlarged by corners: [B,1,H,W]. @source methods.md 9.3 */
export const distillationMap = (
  teacher: readonly Value[],
  decoded: readonly Value[],
  height: number,
  width: number,
  sigma: number,
): Value =>
  teacher
    .map((level, i) => enlargeAndBlur(directionDistance(level, decoded[i]), height, width, sigma, 'corners'))
    .reduce((sum, level) => add(sum, level));

function stepOf(
  size: FitSize,
  batch: number,
  form: 'image' | 'position',
  scales: readonly TensorData[] | undefined,
): StepSpec {
  const shapes = tapShapesOf(size, LEVELS);
  return {
    nets: { mirror: { optimiser: { kind: 'adam', betas: [0.5, 0.999] } } },
    build({ graph, net, input }) {
      const maps = unpackMaps(input('packed', [batch, packedWidth(shapes)]), shapes);
      const teacher = scales ? maps.map((map, i) => scaled(map, graph.constant(scales[i]))) : maps;
      const mirror = net('mirror');
      const decoded = decode(mirror, squeeze(mirror, teacher, size.backbone), shapes, size.backbone);
      return { loss: distillationLoss(teacher, decoded, form) };
    },
  };
}

/** A decoder that redraws the backbone's features of good images out of a bottleneck. */
export const reverseDistillation: Detector<ReverseDistillationOptions> = {
  title: 'Reverse distillation',
  source: {
    authors: 'Deng, Li',
    title: 'Anomaly Detection via Reverse Distillation from One-Class Embedding',
    where: 'CVPR 2022',
    reference:
      "hq-deng's code: one cosine for an image and level (the paper's cosine at every position is an option), maps " +
      'enlarged by corners and added. For EfficientNet-Lite0 a decoder of plain residual blocks with 160 channels in ' +
      'the bottleneck.',
  },
  about: {
    summary: 'Squeezes features through a bottleneck and redraws them; what can’t be redrawn is strange.',
    assumes: 'What is good is regular enough to pass through a bottleneck; position does not matter.',
    fails:
      'Small defects whose features are like good ones; trained very long on few images the decoder learns to copy.',
    cost: 'Some hundred steps through bottleneck and decoder; the backbone runs once an image.',
  },
  options: {
    steps: stepsOption(400),
    batch: batchOption(8),
    learningRate: rateOption(5e-3),
    loss: {
      kind: 'choice',
      default: 'image',
      choices: [
        { value: 'image', label: 'one for an image' },
        { value: 'position', label: 'one for a position' },
      ],
      label: 'Cosine',
      help: 'Of whole maps, as the published code has it, or at every position, as the paper does.',
    },
    featureScale: SCALE_OPTION,
    blurSigma: blurOption(4),
  },
  needs: { taps: LEVELS, leastGoodImages: 2, defects: 'none' },
  leavesOut: false,

  memory(size, o) {
    const step = stepOf(size, Math.min(o.batch, size.goodImages), 'image', undefined);
    const features = cacheBytes(size.goodImages, packedWidth(tapShapesOf(size, LEVELS)));
    return { fitBytes: features + trainingBytes([step]), stateBytes: netBytes([step]) };
  },

  async *fit(context, o) {
    mirrorOf(context.backbone);
    const { trained, heldOut } = splitGood(context.goodImages, context);
    const cache = yield* cacheFeatures(context, 'teacher', ({ taps }) =>
      packMaps(LEVELS.map((level) => taps[level]!)),
    );
    const scales = await channelScales(
      cache,
      tapShapesOf(context, LEVELS),
      trained,
      wantsScale(o.featureScale, context.backbone),
    );
    const sampler = new BatchSampler(context, trained, o.batch);
    const feedsOf = async (batch: Int32Array) => ({ packed: await cache.batch(batch) });
    const form = o.loss === 'position' ? 'position' : 'image';
    const state = yield* fitByGradient(context, {
      key: 'mirror',
      steps: { distil: stepOf(context, sampler.batch, form, scales) },
      iterations: o.steps,
      rate: () => o.learningRate,
      feeds: (_step, iteration) => feedsOf(sampler.at(iteration)),
      heldOut: {
        images: heldOut,
        step: 'distil',
        every: LOOK_EVERY,
        patience: PATIENCE,
        feeds: () => ofBatches(heldOut, sampler.batch, feedsOf),
      },
    });
    return { ...state, ...Object.fromEntries(LEVELS.map((level, i) => [`scale.${level}`, scales[i]])) };
  },

  score(graph, { taps, image, backbone }, state, o) {
    const teacher = LEVELS.map((level) => scaled(taps[level]!, state[`scale.${level}`]));
    const shapes = teacher.map(({ shape }) => shape.slice(1));
    const net = new FittedNet(graph, state, 'mirror.');
    const decoded = decode(net, squeeze(net, teacher, backbone), shapes, backbone);
    const [, , height, width] = image.shape;
    const map = distillationMap(teacher, decoded, height, width, o.blurSigma);
    return { map, score: reduceMax(map, [1, 2, 3]) };
  },
};
