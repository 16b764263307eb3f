import { assert } from '../../base/errors';
import { floatTensor, floats } from '../../base/tensor';
import type { TensorData } from '../../base/tensor';
import { GraphBuilder } from '../../graph/builder';
import {
  add,
  concat,
  div,
  enlargeAndBlur,
  max,
  mul,
  reduceMax,
  reshape,
  sigmoid,
  slice,
} from '../../graph/ops/index';
import type { Value } from '../../graph/value';
import { FittedNet } from '../../nn/net';
import { cosine } from '../../nn/schedules';
import type { Detector, FitContext, FitProgress, Inputs, MethodState } from '../contract';
import { stackVectors } from '../kit/feature-cache';
import { fitByGradient } from '../kit/gradient-fit';
import { BatchSampler } from '../kit/sampling';
import { stateInputs } from '../kit/state-inputs';
import { trainingBytes } from '../kit/training-graph';
import type { StepSpec } from '../kit/training-graph';
import { blurOption, rateOption, stepsOption } from '../kit/training-options';
import { strangeness, sumOf, toGrid } from './maps';
import { rememberReferences, visualAssociation } from './references';
import {
  TASKS,
  blank,
  encodePrompts,
  promptLoss,
  promptVectors,
  readTexts,
  towerBytes,
  usualPhrases,
} from './learnt-prompts';
import type { FrozenTower, PromptTexts, Task } from './learnt-prompts';

export type PromptAdOptions = {
  readonly steps: number;
  readonly learningRate: number;
  readonly classPhrases: number;
  readonly logitScale: string;
  readonly blurSigma: number;
};

const OPTIMISER = { kind: 'sgd', momentum: 0.9, weightDecay: 5e-4 } as const;
const LEAST_RATE = 1e-5;
/** Normal images in a step. @source methods.md 13.5 */
const MOST_IMAGES = 400;
/** Side of the map that the smoothing is given for. @source methods.md 13.6 */
const USUAL_SIDE = 400;
/** Classes of the usual support set: an estimate is made before the set is known. */
const USUAL_CLASSES = 7;

/** Prompts learnt from normal images alone, and a gallery of their patches. */
export const promptad: Detector<PromptAdOptions> = {
  title: 'PromptAD',
  source: {
    authors: 'Li, Zhang, Tan, Chen, Qu, Xie, Ma',
    title: 'PromptAD: Learning Prompts with only Normal Samples for Few-Shot Anomaly Detection',
    where: 'CVPR 2024',
    reference:
      "FuNz-0's code, the factor of cosines included: the encoder's own parameter, not its exponential, which is an " +
      "option. The triplet's distance is over channels, as in the paper, not over tokens; galleries are of clean tokens; " +
      'prompts of images and of patches are learnt in the same steps, for a fixed number of them, not up to the best on ' +
      'test images; the map is made at the side of the input. The first phrases of each class take the place of those ' +
      'written for each product.',
  },
  about: {
    summary: 'Learns prompts from a few good images alone, on a CLIP, and compares patches with theirs.',
    assumes:
      'Good images show every good local pattern. Defects are needed in words alone: their first phrases, and learnt ' +
      'vectors beside the words, say what to keep away from. The encoder has to know what the images are called.',
    fails:
      'A good pattern that is missing from the images lights up; classes are not told apart. Results depend on which ' +
      'images are drawn, and more of them are not always better. Where the factor of cosines is small, as the ' +
      "built-in encoder's, texts and their training hardly count beside the comparison of patches.",
    cost:
      'Every step goes through the text tower and back: seconds in all with the built-in encoder, minutes with a ' +
      'large CLIP on a processor. Inspection costs one pass of the encoder with a second path, and grows with the ' +
      'good images.',
  },
  options: {
    steps: stepsOption(100, 'fixed'),
    learningRate: rateOption(2e-3),
    classPhrases: {
      kind: 'number',
      default: 1,
      min: 0,
      max: 12,
      integer: true,
      unit: 'phrases',
      label: 'Phrases of a class',
      help: 'Abnormal prompts from the words of each class of defects, beside eight general ones. More cost more.',
    },
    logitScale: {
      kind: 'choice',
      default: 'raw',
      choices: [
        { value: 'raw', label: "the encoder's parameter, as in the code" },
        { value: 'exponential', label: 'its exponential, as the encoder was trained' },
      ],
      label: 'Factor of cosines',
      help: 'Before the softmax, in training and in scores. The exponential makes maps by text steep.',
    },
    blurSigma: { ...blurOption(4), help: 'Gaussian smoothing of the map, in pixels of a map of side 400.' },
  },
  needs: {
    taps: ['classes', 'accumulated', 'gallery1', 'gallery2'],
    leastGoodImages: 1,
    defects: 'none',
    support: true,
  },
  leavesOut: false,

  memory({ taps, backbone, goodImages }, o) {
    const [patches, embed] = taps.accumulated!;
    const [, width] = taps.gallery1!;
    const stateBytes = 4 * (goodImages * 2 * patches * width + TASKS.length * 2 * embed + 1);
    const { clip } = backbone;
    assert(clip, 'a backbone with texts is a CLIP');
    const { tower, texts } = blank(clip, usualPhrases(USUAL_CLASSES, o.classPhrases));
    const batch = Math.min(goodImages, MOST_IMAGES);
    const images = 4 * (1 + patches) * embed;
    return {
      // Galleries and images as they are collected, the tower in memory and on the device, a batch on its way.
      fitBytes:
        stateBytes +
        (goodImages + 2 * batch) * images +
        2 * towerBytes(clip) +
        trainingBytes([promptStep({ tower, texts, scale: 1 }, batch, [patches, embed])]),
      stateBytes,
    };
  },

  async *fit(context, o) {
    if (context.trial) return yield* trial(context, o);
    const { support } = context;
    assert(support, 'PromptAD is taught by a support set');
    const tower = await support.textTower();
    const texts = await readTexts(context, tower, support, o.classPhrases);
    const prompts = { tower, texts, scale: scaleOf(tower, o) };
    const tokens = yield* normalTokens(context);
    const { gallery1, gallery2 } = tokens;
    const learnt = yield* fitPrompts(context, prompts, tokens, o);
    return {
      gallery1,
      gallery2,
      ...(await textPairs(context, prompts, learnt)),
      scale: floatTensor([], [prompts.scale]),
    };
  },

  score(_graph, { taps, image }, { gallery1, gallery2, scale, ...two }, o) {
    const side = image.shape[2];
    const [batch] = image.shape;
    const visual = mul(
      add(visualAssociation(taps.gallery1!, gallery1), visualAssociation(taps.gallery2!, gallery2)),
      0.5,
    );
    const text = textProbability(taps.accumulated!, two.patches, scale);
    const ofImage = reshape(textProbability(globalToken(taps), two.image, scale), [batch]);
    return {
      map: enlargeAndBlur(toGrid(fused(text, visual)), side, side, (o.blurSigma * side) / USUAL_SIDE),
      score: fused(ofImage, reduceMax(visual, [1])),
    };
  },
};

/** The image's embedding, [B,1,E]. */
const globalToken = ({ classes }: Inputs['taps']): Value => slice(classes!, 1, 3, 4);

/**
 * Probability of abnormal by two texts.
 * @param tokens [B,T,E]
 * @param two unit vectors, normal and abnormal: [2,E]
 * @returns [B,T], 0 … 1
 * @source methods.md 13.6
 */
export const textProbability = (tokens: Value, two: Value, scale: Value): Value =>
  sigmoid(mul(strangeness(tokens, two), scale));

/** Least sum that is divided by. */
const TINY = 1e-12;

/** 1/(1/a + 1/b), and 0 where one of them is. @source methods.md 13.6 */
export const fused = (a: Value, b: Value): Value => div(mul(a, b), max(add(a, b), TINY));

/** What the encoder's cosines are multiplied by. */
function scaleOf({ weights }: FrozenTower, { logitScale }: PromptAdOptions): number {
  const [raw] = floats(weights.get('logit_scale', []));
  return logitScale === 'raw' ? raw : Math.exp(raw);
}

/** What good images are remembered by: as a whole, by their patches in the space of texts, and the galleries. */
function normalTokens(context: FitContext): ReturnType<typeof rememberReferences> {
  const { classes, ...patches } = context.taps;
  const places = (['accumulated', 'gallery1', 'gallery2'] as const).map((role) => ({
    name: role,
    shape: patches[role]!,
    tokens: ({ taps }: Inputs) => taps[role]!,
  }));
  const whole = { name: 'global', shape: [1, classes![1]], tokens: ({ taps }: Inputs) => globalToken(taps) };
  return rememberReferences(context, [whole, ...places]);
}

/** All that prompts are made of but what is learnt. */
interface Prompts {
  readonly tower: FrozenTower;
  readonly texts: PromptTexts;
  readonly scale: number;
}

/** One step: the prompts of both tasks in one pass of the tower; neither task's loss moves the other's vectors. */
export function promptStep(
  { tower, texts, scale }: Prompts,
  batch: number,
  [patches, embed]: readonly number[],
): StepSpec {
  return {
    nets: Object.fromEntries(TASKS.map((task) => [task, { optimiser: OPTIMISER }])),
    build({ graph, net, input }) {
      const features = encodePrompts(graph, tower, texts, net);
      const images: Readonly<Record<Task, Value>> = {
        image: input('global', [batch, embed]),
        patches: reshape(input('local', [batch, patches * embed]), [batch * patches, embed]),
      };
      const [image, places] = TASKS.map((task) => {
        const { contrast, triplet, align } = promptLoss(features[task], images[task], scale);
        return sumOf([contrast, triplet, align]);
      });
      return { loss: add(image, places), terms: { image, patches: places } };
    },
  };
}

/** @returns `<task>.normal` [variants,4,w] and `<task>.abnormal` [4,1,w] @throws fit/diverged */
async function* fitPrompts(
  context: FitContext,
  prompts: Prompts,
  { global, accumulated }: MethodState,
  o: PromptAdOptions,
): AsyncGenerator<FitProgress, MethodState> {
  const items = Int32Array.from({ length: context.goodImages }, (_, i) => i);
  const some = (tokens: TensorData, images: Int32Array) => {
    const data = floats(tokens);
    const size = data.length / context.goodImages;
    return stackVectors(Array.from(images, (i) => data.subarray(i * size, (i + 1) * size)));
  };
  const sampler = new BatchSampler(context, items, Math.min(items.length, MOST_IMAGES));
  const schedule = cosine(o.learningRate, o.steps, Math.min(LEAST_RATE, o.learningRate));
  return yield* fitByGradient(context, {
    key: 'prompts',
    steps: { prompts: promptStep(prompts, sampler.batch, context.taps.accumulated!) },
    iterations: o.steps,
    rate: (_net, iteration) => schedule(iteration),
    feeds: (_step, iteration) => {
      const batch = sampler.at(iteration);
      return { global: some(global, batch), local: some(accumulated, batch) };
    },
  });
}

/** Normal and abnormal of each task out of the prompts as they were learnt: [2,E] each. */
async function textPairs(
  context: FitContext,
  { tower, texts }: Prompts,
  learnt: MethodState,
): Promise<MethodState> {
  const graph = new GraphBuilder();
  const vectors = stateInputs(graph, learnt);
  const features = encodePrompts(graph, tower, texts, (task) => new FittedNet(graph, vectors, `${task}.`));
  for (const task of TASKS) {
    const { normal, abnormal } = promptVectors(features[task]);
    graph.output(task, concat([normal, abnormal], 0));
  }
  return (await (await context.compile(graph.build())).run(learnt)).values;
}

/** What a step costs depends on no word and no weight. */
async function* trial(context: FitContext, o: PromptAdOptions): AsyncGenerator<FitProgress, MethodState> {
  const { clip } = context.backbone;
  assert(clip, 'a backbone with texts is a CLIP');
  const prompts = { ...blank(clip, usualPhrases(USUAL_CLASSES, o.classPhrases)), scale: 1 };
  return yield* fitPrompts(context, prompts, yield* normalTokens(context), o);
}
