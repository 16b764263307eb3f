import type { GraphBuilder } from '../../graph/builder';
import { add, l2Normalise, mul, reduceMean, sub } from '../../graph/ops/index';
import type { Value } from '../../graph/value';
import { uniformFanIn } from '../../nn/initialisers';
import {
  LDAM_SCALE,
  crossEntropy,
  effectiveWeights,
  focalLoss,
  inverseCounts,
  ldamLoss,
  ldamMargins,
  logPriors,
  minedCategories,
  mutualDistillation,
  perClass,
  restricted,
  smoothedCrossEntropy,
  studentLoss,
  weightedCrossEntropy,
} from '../../nn/losses/long-tail';
import {
  COSINE_SCALE,
  clusterPairs,
  cosines,
  membership,
  subCentreCounts,
  subCentreLoss,
  subCentreSimilarity,
  supervisedContrastive,
  tripletLoss,
} from '../../nn/losses/metric';
import type { Net } from '../../nn/net';
import { EMBEDDING, expertName, meanOf, sumOf } from './recame-network';
import type { Expert } from './recame-network';
import type { RecameOptions } from './recame-options';

/** Weights of the losses. @source methods.md 18.5 */
const MUTUAL = 0.6;
const PAIRS = 0.5;
const FEATURES = 0.5;
/** How far the last expert leans to rare classes. */
const TAU = 2;

/** Classes that are mined for an image, with its own. @source methods.md 18.5 b */
export const minedCount = (classes: number): number => Math.max(2, Math.ceil(0.3 * classes));

/** What a batch is, beside its features. */
export interface Lesson {
  /** One-hot, [B,C]. */
  readonly labels: Value;
  /** Logarithms of the shares with which classes were drawn: the prior, or alike. [1,C] */
  readonly drawn: Value;
}

/** The classes' numbers inside a graph, [1,C] each. */
function numbersOf(graph: GraphBuilder, counts: readonly number[]) {
  const row = (numbers: Float32Array) => graph.constant(perClass(numbers));
  return {
    prior: row(logPriors(counts)),
    inverse: row(logPriors(inverseCounts(counts))),
    weights: row(effectiveWeights(counts)),
    margins: row(ldamMargins(counts)),
  };
}
type Numbers = ReturnType<typeof numbersOf>;
type ExpertLoss = (logits: Value, lesson: Lesson, numbers: Numbers) => Value;

/** Logits with what drawing adds to them: after training they are those of the training set's own shares. */
const asDrawn = (logits: Value, { drawn }: Lesson, { prior }: Numbers): Value =>
  add(logits, sub(drawn, prior));

const plain: ExpertLoss = (logits, lesson, numbers) =>
  crossEntropy(asDrawn(logits, lesson, numbers), lesson.labels);
/** Logits are those of classes that are equally frequent. */
const balanced: ExpertLoss = (logits, { drawn, labels }) => crossEntropy(add(logits, drawn), labels);
/** Logits lean to classes that are rare. */
const inverse: ExpertLoss = (logits, { drawn, labels }, numbers) =>
  crossEntropy(add(logits, sub(drawn, mul(numbers.inverse, TAU))), labels);

/** Skills of the experts; one alone is balanced. @source methods.md 18.5 a (SADE) */
const SKILLS = [plain, balanced, inverse] as const;

const ALIKE: Readonly<Record<string, ExpertLoss>> = {
  balanced,
  plain,
  ldam: (logits, { drawn, labels }, { prior, margins }) => {
    const cosine = add(mul(logits, 1 / COSINE_SCALE), mul(sub(drawn, prior), 1 / LDAM_SCALE));
    return ldamLoss(cosine, labels, margins);
  },
  focal: (logits, lesson, numbers) => focalLoss(asDrawn(logits, lesson, numbers), lesson.labels),
  weighted: (logits, lesson, numbers) =>
    weightedCrossEntropy(asDrawn(logits, lesson, numbers), lesson.labels, numbers.weights),
  smoothed: (logits, lesson, numbers) =>
    smoothedCrossEntropy(asDrawn(logits, lesson, numbers), lesson.labels),
};

/** Whether logits are of classes that are equally frequent; with other losses they lean to frequent ones by themselves. */
export const isWithoutPrior = ({ expertLoss }: RecameOptions): boolean =>
  (ALIKE[expertLoss] ?? balanced) === balanced;

/** The loss of expert `e` of so many. */
const lossOf = (e: number, experts: number, { expertLoss }: RecameOptions): ExpertLoss =>
  ALIKE[expertLoss] ?? (experts > 1 ? SKILLS[e] : balanced);

/**
 * Everything that the experts are moved by.
 * @param net holds the sub-centres beside the experts
 * @param counts images of each class that are trained on
 * @param ramp how much experts learn from each other by now, 0 … 1: a scalar
 * @source methods.md 18.5 a to d
 */
export function ensembleLosses(
  net: Net,
  experts: readonly Expert[],
  lesson: Lesson,
  counts: readonly number[],
  ramp: Value,
  o: RecameOptions,
): { loss: Value; terms: Record<string, Value> } {
  const { labels } = lesson;
  const numbers = numbersOf(net.graph, counts);
  const logits = experts.map((expert) => expert.logits);
  const adjusted = logits.map((own) => add(own, lesson.drawn));
  const mined = o.mining ? minedCategories(meanOf(logits), labels, minedCount(counts.length)) : undefined;
  const hard = mined && adjusted.map((own) => restricted(own, mined));
  const terms: Record<string, Value> = {
    classes: sumOf(logits.map((own, e) => lossOf(e, logits.length, o)(own, lesson, numbers))),
  };
  if (hard) terms.hard = sumOf(hard.map((own) => crossEntropy(own, labels)));
  if (o.mutual && experts.length > 1) {
    const mutual = [adjusted, ...(hard ? [hard] : [])].map(mutualDistillation);
    terms.mutual = mul(mul(sumOf(mutual), ramp), MUTUAL);
  }
  if (o.metric !== 'none') Object.assign(terms, metricLosses(net, experts, labels, mined, counts, o));
  return { loss: sumOf(Object.values(terms)), terms };
}

/** @source methods.md 18.5 d */
function metricLosses(
  net: Net,
  experts: readonly Expert[],
  labels: Value,
  mined: Value | undefined,
  counts: readonly number[],
  { metric }: RecameOptions,
): Record<string, Value> {
  const perClassCentres = subCentreCounts(counts);
  const of = net.graph.constant(membership(perClassCentres));
  const found = experts.map(({ u }, e) => {
    const centres = net.parameter(`${expertName(e)}.centres`, [of.shape[1], EMBEDDING], uniformFanIn);
    const cosine = cosines(u, centres);
    const pairs = clusterPairs(cosine, of, labels, mined ?? 1);
    return {
      centres: subCentreLoss(subCentreSimilarity(cosine, of), labels),
      pairs: metric === 'contrastive' ? supervisedContrastive(u, pairs) : tripletLoss(u, pairs),
    };
  });
  const centres = sumOf(found.map((expert) => expert.centres));
  if (metric === 'centres') return { centres };
  return { centres, pairs: mul(sumOf(found.map((expert) => expert.pairs)), PAIRS) };
}

/** What a student learns from. */
export interface Answers {
  /** Mean of the experts' logits, [B,C] */
  readonly logits: Value;
  /** Where their vectors point in the mean, as unit vectors. [B,128] */
  readonly direction: Value;
}

export const answersOf = (experts: readonly Expert[]): Answers => ({
  logits: meanOf(experts.map(({ logits }) => logits)),
  direction: l2Normalise(meanOf(experts.map(({ u }) => l2Normalise(u)))),
});

/**
 * What the student is moved by: the classes, the ensemble's logits, and the directions that its experts give.
 * @source methods.md 18.5 f
 */
export function distillationLoss(
  { logits, direction }: Answers,
  student: Expert,
  { labels, drawn }: Lesson,
): Value {
  const error = sub(l2Normalise(student.u), direction);
  return add(
    studentLoss(logits, student.logits, add(student.logits, drawn), labels),
    mul(reduceMean(mul(error, error)), FEATURES),
  );
}
