import { assert } from '../../base/errors';
import type { TensorData } from '../../base/tensor';
import { gaussianBlur, mul, reduceMax, resizeBilinear, sub } from '../../graph/ops/index';
import type { Value } from '../../graph/value';
import type { Level, TapRole } from '../../nn/backbones/backbone';
import { FittedNet } from '../../nn/net';
import type {
  ClassShares,
  Detector,
  FitContext,
  FitProgress,
  FitSize,
  Inputs,
  MethodState,
  Scored,
  StateValues,
  Support,
} from '../contract';
import { HEAD, fitHead, headShares, headStep } from '../kit/class-head';
import { cacheBytes } from '../kit/feature-cache';
import { fitByGradient } from '../kit/gradient-fit';
import { mirrorsOf } from '../kit/mirror';
import { BatchSampler } from '../kit/sampling';
import { netBytes, trainingBytes } from '../kit/training-graph';
import { SEM_CLIP_ABOUT, SEM_CLIP_SOURCE } from './about';
import { fuse, patchSimilarity, textAlone, textShares, wholeImageShares } from './classes';
import { classTokenOf, headInputs } from './head';
import { plainMap, sumOf, textLogit, textMap, textScore, valueMap } from './maps';
import { SEM_CLIP_OPTIONS, mapLevels } from './options';
import type { SemClipOptions } from './options';
import { headWidth, shotsOf, supportFeatures, supportMasks } from './support-set';
import type { SupportFeatures, Wanted } from './support-set';
import { madeUpPair, textPair } from './text-pair';
import { textTrust, trustRemark, wordShares, wordsIn } from './trust';
import {
  TRANSFORMATION,
  denseWidth,
  lossSide,
  rateFactor,
  stackMasks,
  stepsFor,
  transformationStep,
  transformedLevels,
} from './transformation';

const LEVELS: readonly Level[] = [1, 2, 3, 4];
const TAPS: readonly TapRole[] = [
  ...LEVELS.flatMap((level): TapRole[] => [`tokens${level}`, `patches${level}`, `values${level}`]),
  'classes',
];

/** Side that the smoothing is given for. @source methods.md 16.5 */
const USUAL_SIDE = 240;
/** Classes of the usual support set: an estimate is made before the set is known. */
const USUAL_CLASSES = 7;

/** Good images alone teach nothing: nothing is made of them. */
const pictureCount = ({ goodImages, defectImages }: FitSize, { flips }: SemClipOptions): number =>
  defectImages && (goodImages + defectImages) * mirrorsOf(flips).length;

/** Few-shot segmentation and classification with a CLIP and texts. */
export const semclip: Detector<SemClipOptions> = {
  title: 'SEM-CLIP',
  source: SEM_CLIP_SOURCE,
  about: SEM_CLIP_ABOUT,
  options: SEM_CLIP_OPTIONS,
  needs: { taps: TAPS, leastGoodImages: 0, defects: 'optional', support: true },
  leavesOut: false,

  pictures: pictureCount,
  memory(size, o) {
    const embed = size.taps.classes![1];
    const texts = 4 * (USUAL_CLASSES + 2) * embed;
    const items = pictureCount(size, o);
    if (!items) return { fitBytes: texts, stateBytes: texts };
    const width = headWidth(size, o);
    const head = headStep(items, width, USUAL_CLASSES);
    const rows = 4 * items * width;
    const headState = netBytes([head]) + 4 * (2 * width + USUAL_CLASSES) + (o.textTrust ? 4 * 2 : 0);
    // Rows lie in memory, standardised beside that, and on the device.
    const headBytes = 2 * rows + trainingBytes([head]);
    if (!o.transformation) return { fitBytes: texts + rows + headBytes, stateBytes: texts + headState };
    const batch = Math.min(o.batch, items);
    const step = transformationStep(size, batch, o);
    const dense = denseWidth(size, o);
    const masks = items * lossSide(size.side, o) ** 2;
    return {
      fitBytes:
        texts +
        rows +
        masks +
        cacheBytes(items, dense) +
        Math.max(headBytes, trainingBytes([step]) + 2 * 4 * batch * dense),
      stateBytes: texts + headState + netBytes([step]),
    };
  },

  async *fit(context, o) {
    if (context.trial) return yield* trial(context, o);
    const { support } = context;
    assert(support, 'SEM-CLIP is taught by a support set');
    const texts = yield* support.texts();
    const two = textPair(texts, support.normal, o.words);
    const known: MethodState = { texts: texts.classes, two };
    if (!context.goodImages && !context.defectImages) {
      context.remark('Text only: the support set has no images.');
      return known;
    }
    const masks = await supportMasks(context, support, o);
    const wanted = {
      head: classesWithImages(context, support).size >= 2,
      maps: o.transformation && masks.some(Boolean),
    };
    remarkOn(context, support, wanted, o);
    if (!wanted.head && !wanted.maps) return known;
    const features = yield* supportFeatures(context, support, masks, wanted, o);
    const classes = support.prompts.classes.length;
    const trust =
      wanted.head && o.textTrust && textTrust(features.tokens, support.normal, texts.classes, two);
    if (trust) context.remark(trustRemark(trust));
    const head: MethodState = {
      ...(wanted.head &&
        (yield* fitHead(context, features.labelled, classes, {
          steps: o.headSteps,
          temperature: o.headTemperature,
        }))),
      ...(trust && { words: wordShares(trust) }),
    };
    if (!wanted.maps) return { ...known, ...head };
    // The head is trained first: the long training can then be ended with all that is needed there.
    if (context.ending && wanted.head) {
      context.remark('Ended by hand before the transformation layers: maps are by texts.');
      return { ...known, ...head };
    }
    const steps = o.steps || stepsFor(shotsOf(context, support));
    return { ...known, ...head, ...(yield* fitTransformation(context, features, two, steps, o)) };
  },

  score(_graph, inputs, state, o) {
    const taught = `${HEAD}.weight` in state || `${TRANSFORMATION}.level4.weight` in state;
    return taught ? scoreTaught(inputs, state, o) : scoreByText(inputs, state, o);
  },
};

/** Classes that have images. */
const classesWithImages = (context: FitContext, { defectClasses, normal }: Support): ReadonlySet<number> =>
  new Set([...defectClasses, ...(context.goodImages ? [normal] : [])]);

function remarkOn(context: FitContext, support: Support, { head, maps }: Wanted, o: SemClipOptions): void {
  if (!head && !maps)
    context.remark('Text only: images of one class, without a mask to train on, teach nothing.');
  else if (!maps)
    context.remark(
      o.transformation
        ? 'No defect has a mask: maps are by texts; classes are learnt.'
        : 'Without transformation layers: maps are by texts.',
    );
  else if (!head) context.remark('Only one class has images: classes are told by texts alone.');
  if (!head) return;
  const seen = classesWithImages(context, support);
  const unseen = support.prompts.classes.filter((_, c) => !seen.has(c)).map(({ name }) => name);
  if (unseen.length)
    context.remark(`Without images, so never chosen by the class head: ${unseen.join(', ')}.`);
}

/** @returns `transformation.level<j>.weight` [w,E] and `.bias` [E] @throws fit/diverged */
async function* fitTransformation(
  context: FitContext,
  { dense, masks }: Pick<SupportFeatures, 'dense' | 'masks'>,
  two: TensorData,
  steps: number,
  o: SemClipOptions,
): AsyncGenerator<FitProgress, MethodState> {
  const items = Int32Array.from({ length: dense.count }, (_, i) => i);
  const sampler = new BatchSampler(context, items, o.batch);
  const side = lossSide(context.side, o);
  return yield* fitByGradient(context, {
    key: TRANSFORMATION,
    steps: { transform: transformationStep(context, sampler.batch, o) },
    iterations: steps,
    rate: (_net, iteration) => o.learningRate * rateFactor(iteration, steps),
    feeds: async (_step, iteration) => {
      const batch = sampler.at(iteration);
      return {
        packed: await dense.batch(batch),
        target: stackMasks(
          Array.from(batch, (i) => masks[i]),
          side,
        ),
        two,
      };
    },
  });
}

/** What a step costs does not depend on texts or masks: both are made up. */
async function* trial(context: FitContext, o: SemClipOptions): AsyncGenerator<FitProgress, MethodState> {
  if (!context.goodImages || !o.transformation) return {};
  const features = yield* supportFeatures(context, undefined, [], { head: false, maps: true }, o);
  const two = madeUpPair(context, context.taps.classes![1]);
  return yield* fitTransformation(context, features, two, o.steps || stepsFor(context.goodImages), o);
}

/** Map and score without images: last level alone, the score by the class token. */
function scoreByText(inputs: Inputs, { two, texts }: StateValues, o: SemClipOptions): Scored {
  const side = inputs.image.shape[2];
  const token = classTokenOf(inputs, 4);
  return {
    map: smoothed(resizeBilinear(textMap(inputs.taps.patches4!, two), side, side), o),
    score: textScore(token, two),
    classes: textAlone(wholeImageShares(token, texts)),
  };
}

/** @source methods.md 16.5, equation 17; 17.2, equation 23 */
function scoreTaught(inputs: Inputs, state: StateValues, o: SemClipOptions): Scored {
  const { two } = state;
  const side = inputs.image.shape[2];
  const layers =
    `${TRANSFORMATION}.level4.weight` in state
      ? new FittedNet(two.graph, state, `${TRANSFORMATION}.`)
      : undefined;
  const features = transformedLevels(layers, inputs, o);
  const maps = o.plainPath ? features.map((level) => plainMap(level, two, side)) : [];
  if (o.valuePath) {
    const levels = mapLevels(o).map((level) =>
      valueMap(inputs.taps[`values${level}`]!, classTokenOf(inputs, level), two, o),
    );
    maps.push(resizeBilinear(sumOf(levels), side, side));
  }
  // Something has to be the map where all parts are switched off.
  if (o.textMap || !maps.length)
    maps.push(mul(resizeBilinear(textMap(inputs.taps.patches4!, two), side, side), o.textMap || 1));
  const map = smoothed(sumOf(maps), o);
  const highest = reduceMax(map, [1, 2, 3]);
  const token = classTokenOf(inputs, 4);
  const parts = [highest];
  if (o.textScore) parts.push(mul(textScore(token, two), o.textScore));
  const words = wordsIn(state);
  if (words) parts.push(mul(textLogit(token, two), words.logit));
  return { map, score: sumOf(parts), classes: classesOf(inputs, state, features, o) };
}

function classesOf(
  inputs: Inputs,
  state: StateValues,
  features: readonly Value[],
  o: SemClipOptions,
): ClassShares<Value> {
  if (!(`${HEAD}.weight` in state)) return textAlone(wholeImageShares(classTokenOf(inputs, 4), state.texts));
  const head = headShares(state, headInputs(inputs, o));
  const words = wordsIn(state);
  const text = words
    ? wholeImageShares(classTokenOf(inputs, 4), state.texts)
    : textShares(patchSimilarity(features, state.texts, o.patchReduce), o.similarityTemperature);
  if (!o.textSimilarity) return { fused: head, text, head };
  return fuse(text, head, words ? sub(1, words.share) : o.headWeight);
}

const smoothed = (map: Value, { blurSigma }: SemClipOptions): Value =>
  gaussianBlur(map, (blurSigma * map.shape[2]) / USUAL_SIDE);
