import type { Shape, TensorData } from '../../base/tensor';
import { enlargeAndBlur, mul, reduceMax } from '../../graph/ops/index';
import type { Value } from '../../graph/value';
import { normaliseGrey } from '../../nn/backbones/backbone';
import type { Backbone, TapRole } from '../../nn/backbones/backbone';
import { FittedNet } from '../../nn/net';
import type { NetLayers } from '../../nn/layers';
import type { Detector, FitSize } from '../contract';
import { SCALE_OPTION, channelScales, scaled, wantsScale } from '../kit/channel-scale';
import { directionDistance, directionLoss } from '../kit/direction';
import { cacheBytes, cacheFeatures } from '../kit/feature-cache';
import { fitByGradient } from '../kit/gradient-fit';
import { splitGood } from '../kit/held-out';
import { packMaps, packedWidth, tapShapesOf, unpackMaps } from '../kit/packed-taps';
import { BatchSampler, ofBatches } from '../kit/sampling';
import { netBytes, trainingBytes } from '../kit/training-graph';
import type { StepSpec } from '../kit/training-graph';
import { batchOption, blurOption, rateOption, stepsOption } from '../kit/training-options';

export type StfpmOptions = {
  readonly steps: number;
  readonly batch: number;
  readonly learningRate: number;
  readonly featureScale: string;
  readonly blurSigma: number;
};

const LEVELS = ['level1', 'level2', 'level3'] as const satisfies readonly TapRole[];

/** Iterations between two looks at the held-out images, and looks without a new best after which training ends. */
const LOOK_EVERY = 20;
const PATIENCE = 6;

/** The student's levels: the backbone's own description, written with other parameters. */
function studentLevels(layers: NetLayers, image: Value, backbone: Backbone): Value[] {
  const names = LEVELS.map((level) => backbone.levels[level]);
  const taps = backbone.forward(layers, normaliseGrey(image, backbone.normalisation), names);
  return names.map((name) => taps[name]);
}

const shapesOf = (size: FitSize): Shape[] => [...tapShapesOf(size, LEVELS), [1, size.side, size.side]];

function stepOf(size: FitSize, batch: number, scales: readonly TensorData[] | undefined): StepSpec {
  const shapes = shapesOf(size);
  return {
    nets: {
      student: {
        epsilon: size.backbone.batchNormEpsilon,
        optimiser: { kind: 'sgd', momentum: 0.9, weightDecay: 1e-4 },
      },
    },
    build({ graph, net, input }) {
      const maps = unpackMaps(input('packed', [batch, packedWidth(shapes)]), shapes);
      const teacher = LEVELS.map((_, i) => (scales ? scaled(maps[i], graph.constant(scales[i])) : maps[i]));
      return {
        loss: directionLoss(teacher, studentLevels(net('student'), maps[LEVELS.length], size.backbone)),
      };
    },
  };
}

/** A student that learns to see good images as the backbone does. */
export const stfpm: Detector<StfpmOptions> = {
  title: 'STFPM',
  source: {
    authors: 'Wang, Han, Ding, Huang',
    title: 'Student-Teacher Feature Pyramid Matching for Anomaly Detection',
    where: 'BMVC 2021',
    reference:
      "gdwang08's code for the loss (mean over the batch, no ½), anomalib for the map (each level enlarged to the " +
      'input, then multiplied).',
  },
  about: {
    summary: 'A student learns to see good images as the backbone does; where they disagree is strange.',
    assumes: 'Good images are many enough to train a network of the size of the backbone on them.',
    fails:
      'A student that has seen too little disagrees everywhere; trained very long it may learn to agree on defects. ' +
      'Large defects that all three depths must see can be lost in the product of the levels.',
    cost: 'Some hundred steps through the backbone and back; inspecting costs two backbones.',
  },
  options: {
    steps: stepsOption(600),
    batch: batchOption(8),
    learningRate: rateOption(0.1),
    featureScale: SCALE_OPTION,
    blurSigma: blurOption(0),
  },
  needs: { taps: LEVELS, leastGoodImages: 2, defects: 'none' },
  leavesOut: false,

  memory(size, o) {
    const step = stepOf(size, Math.min(o.batch, size.goodImages), undefined);
    return {
      fitBytes: cacheBytes(size.goodImages, packedWidth(shapesOf(size))) + trainingBytes([step]),
      stateBytes: netBytes([step]),
    };
  },

  async *fit(context, o) {
    const { trained, heldOut } = splitGood(context.goodImages, context);
    const cache = yield* cacheFeatures(context, 'teacher', ({ taps, image }) =>
      packMaps([...LEVELS.map((level) => taps[level]!), image]),
    );
    const scales = await channelScales(
      cache,
      tapShapesOf(context, LEVELS),
      trained,
      wantsScale(o.featureScale, context.backbone),
    );
    const sampler = new BatchSampler(context, trained, o.batch);
    const feedsOf = async (batch: Int32Array) => ({ packed: await cache.batch(batch) });
    const state = yield* fitByGradient(context, {
      key: 'student',
      steps: { match: stepOf(context, sampler.batch, scales) },
      iterations: o.steps,
      rate: () => o.learningRate,
      feeds: (_step, iteration) => feedsOf(sampler.at(iteration)),
      heldOut: {
        images: heldOut,
        step: 'match',
        every: LOOK_EVERY,
        patience: PATIENCE,
        feeds: () => ofBatches(heldOut, sampler.batch, feedsOf),
      },
    });
    return { ...state, ...Object.fromEntries(LEVELS.map((level, i) => [`scale.${level}`, scales[i]])) };
  },

  score(graph, { taps, image, backbone }, state, o) {
    const student = studentLevels(
      new FittedNet(graph, state, 'student.', { epsilon: backbone.batchNormEpsilon }),
      image,
      backbone,
    );
    const [, , height, width] = image.shape;
    const map = LEVELS.map((level, i) => {
      const distance = directionDistance(scaled(taps[level]!, state[`scale.${level}`]), student[i]);
      return enlargeAndBlur(distance, height, width, o.blurSigma);
    }).reduce((product, level) => mul(product, level));
    return { map, score: reduceMax(map, [1, 2, 3]) };
  },
};
