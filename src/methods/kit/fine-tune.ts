import { floatTensor, floats } from '../../base/tensor';
import { GraphBuilder } from '../../graph/builder';
import type { Value } from '../../graph/value';
import { emitTaps } from '../../nn/backbones/backbone';
import type { Backbone } from '../../nn/backbones/backbone';
import { crossEntropy } from '../../nn/losses/long-tail';
import { DeclaringNet, FittedNet } from '../../nn/net';
import type { Net } from '../../nn/net';
import type { ClassifierContext, ClassifierSize } from '../classifier';
import type { FitProgress, Inputs, MethodState, StateValues } from '../contract';
import { HEAD, fittedLogits, headLogits } from './class-head';
import { cacheBytes, cacheFeatures, stackVectors } from './feature-cache';
import { fitByGradient } from './gradient-fit';
import { mirrored, mirrorsOf } from './mirror';
import { oneHot } from './one-hot';
import { BatchSampler } from './sampling';
import { standardise } from './standardise';
import { netBytes, trainingBytes } from './training-graph';
import type { StepSpec } from './training-graph';

/** The trained backbone's name in a state. */
const BACKBONE = 'backbone';

export interface FineTuning {
  readonly epochs: number;
  readonly batch: number;
  /** Of the backbone; the head's is ten times as large. */
  readonly learningRate: number;
  readonly flips: boolean;
}

const pooledOf = (net: Net, image: Value, backbone: Backbone): Value =>
  emitTaps(backbone, net, image, ['pooled']).pooled!;

/**
 * Backbone and head moved together; batch norms keep their statistics, batches being few images.
 * @source methods.md 19.3, 19.4
 */
function tuningStep({ backbone, side }: ClassifierSize, classes: number, batch: number): StepSpec {
  const adamw = (weightDecay: number) => ({ kind: 'adamw', weightDecay }) as const;
  return {
    nets: {
      [BACKBONE]: { frozen: true, epsilon: backbone.batchNormEpsilon, optimiser: adamw(0.05) },
      [HEAD]: { optimiser: adamw(1e-4) },
    },
    build({ net, input }) {
      const pooled = pooledOf(net(BACKBONE), input('images', [batch, 1, side, side]), backbone);
      const width = pooled.shape[1];
      const x = standardise(pooled, { mean: input('mean', [width]), std: input('std', [width]) });
      const logits = headLogits(net(HEAD), x, input('present', [classes]));
      return { loss: crossEntropy(logits, input('labels', [batch, classes])) };
    },
  };
}

/** A backbone's tensors as training names them. */
function pretrained(context: ClassifierContext): MethodState {
  const { backbone, side } = context;
  const graph = new GraphBuilder();
  const net = new DeclaringNet(graph);
  pooledOf(net, graph.placeholder('float32', [1, 1, side, side]), backbone);
  const weights = context.backboneWeights();
  return Object.fromEntries(
    [...net.parameters.slots, ...net.statistics.slots].map(({ name, shape }) => [
      `${BACKBONE}.${name}`,
      weights.get(name, shape),
    ]),
  );
}

/**
 * Trains the whole backbone with the head that was learnt on its frozen features.
 * @param head what `fitHead` returned
 * @returns the head as moved on, and `backbone.*`
 * @throws fit/diverged
 */
export async function* fineTune(
  context: ClassifierContext,
  head: MethodState,
  { epochs, batch: wanted, learningRate, flips }: FineTuning,
): AsyncGenerator<FitProgress, MethodState> {
  const { trained, classOf, classes } = context.labels;
  const images = yield* cacheFeatures(context, 'pixels', ({ image }) => image, 'labelled');
  const sampler = new BatchSampler(context, Int32Array.from(trained), wanted);
  const { batch } = sampler;
  const { side, taps, backbone } = context;
  const size: ClassifierSize = { taps, side, backbone, images: trained.length, classes: classes.length };
  const iterations = Math.max(1, Math.round((epochs * trained.length) / batch));
  const mirrors = mirrorsOf(flips);
  const fixed = {
    mean: head[`${HEAD}.mean`],
    std: head[`${HEAD}.std`],
    present: head[`${HEAD}.present`],
  };
  const tuned = yield* fitByGradient(context, {
    key: 'tuning',
    phase: 'training of the whole backbone',
    steps: { tune: tuningStep(size, classes.length, batch) },
    iterations,
    start: { ...pretrained(context), ...weightsOf(head) },
    rate: (net, iteration) => {
      const factor = 0.5 * (1 + Math.cos((Math.PI * iteration) / iterations));
      return factor * learningRate * (net === HEAD ? 10 : 1);
    },
    feeds: async (_step, iteration) => {
      const chosen = sampler.at(iteration);
      const rng = context.rng(`tuning.${iteration}`);
      const planes: Float32Array[] = [];
      for (const index of chosen)
        planes.push(mirrored(await images.of(index), side, mirrors[rng.integer(mirrors.length)]));
      return {
        ...fixed,
        images: floatTensor([batch, 1, side, side], floats(stackVectors(planes))),
        labels: oneHot(
          Array.from(chosen, (index) => classOf[index]),
          classes.length,
        ),
      };
    },
  });
  return { ...head, ...tuned };
}

const weightsOf = (head: MethodState): MethodState => ({
  [`${HEAD}.weight`]: head[`${HEAD}.weight`],
  [`${HEAD}.bias`]: head[`${HEAD}.bias`],
});

/** Logits by a tuned backbone and its head. [B,C] */
export function tunedLogits({ image, backbone }: Inputs, state: StateValues): Value {
  const net = new FittedNet(image.graph, state, `${BACKBONE}.`, { epsilon: backbone.batchNormEpsilon });
  return fittedLogits(state, pooledOf(net, image, backbone));
}

/** What a step costs does not depend on the head: one that tells nothing apart. */
export function madeUpHead(context: ClassifierContext): MethodState {
  const width = context.taps.pooled![0];
  const { length } = context.labels.classes;
  const filled = (shape: readonly number[], value: number) =>
    floatTensor(shape, new Float32Array(shape.reduce((a, b) => a * b)).fill(value));
  return {
    [`${HEAD}.mean`]: filled([width], 0),
    [`${HEAD}.std`]: filled([width], 1),
    [`${HEAD}.present`]: filled([length], 1),
    [`${HEAD}.weight`]: filled([length, width], 0),
    [`${HEAD}.bias`]: filled([length], 0),
  };
}

/** Bytes of the training beside the head's. */
export function tuningMemory(size: ClassifierSize, { batch: wanted }: Pick<FineTuning, 'batch'>) {
  const batch = Math.min(wanted, size.images);
  const step = tuningStep(size, size.classes, batch);
  return {
    fitBytes: cacheBytes(size.images, size.side ** 2) + trainingBytes([step]),
    stateBytes: netBytes([step]),
  };
}
