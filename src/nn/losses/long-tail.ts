import type { TensorData } from '../../base/tensor';
import { floatTensor } from '../../base/tensor';
import {
  add,
  div,
  exp,
  greaterOrEqual,
  logSoftmax,
  max,
  mul,
  neg,
  pow,
  reduceMean,
  reduceSum,
  slice,
  stopGradient,
  sub,
  toFloat,
  topK,
  where,
} from '../../graph/ops/index';
import type { Value } from '../../graph/value';

/** Logit of a class that is left out: its share is exactly 0, and no product with it is undefined. */
const NEVER = -1e9;

/** Share of the effective number. @source Cui et al. 2019; methods.md 18.5 */
const BETA = 0.9999;

/**
 * Logarithms of the classes' shares in a training set.
 * @param counts images of each class, at least one
 */
export function logPriors(counts: readonly number[]): Float32Array {
  const total = counts.reduce((sum, count) => sum + count, 0);
  return Float32Array.from(counts, (count) => Math.log(count / total));
}

/** Priors in the inverse order: the rarest class gets the share of the most frequent one. */
export function inverseCounts(counts: readonly number[]): number[] {
  const order = counts.map((_, c) => c).sort((a, b) => counts[a] - counts[b]);
  const inverse = new Array<number>(counts.length);
  order.forEach((c, rank) => (inverse[c] = counts[order[counts.length - 1 - rank]]));
  return inverse;
}

/** Weights of the classes by the effective number of their images, of mean 1. @source Cui et al. 2019 */
export function effectiveWeights(counts: readonly number[]): Float32Array {
  const raw = counts.map((count) => (1 - BETA) / (1 - BETA ** count));
  const mean = raw.reduce((sum, weight) => sum + weight, 0) / counts.length;
  return Float32Array.from(raw, (weight) => weight / mean);
}

/** Margins ∝ n^−¼, the largest ½. @source Cao et al. 2019 (LDAM) */
export function ldamMargins(counts: readonly number[]): Float32Array {
  const largest = Math.min(...counts) ** -0.25;
  return Float32Array.from(counts, (count) => (0.5 * count ** -0.25) / largest);
}

/** Numbers of the classes against logits, [1,C]. */
export const perClass = (numbers: Float32Array): TensorData => floatTensor([1, numbers.length], numbers);

/** −Σ y·log p of each row. @param labels one-hot or shares, [B,C] @returns [B] */
const surprise = (logits: Value, labels: Value): Value =>
  neg(reduceSum(mul(logSoftmax(logits), labels), [1]));

/** Mean cross entropy. @param logits [B,C] @param labels one-hot, [B,C] */
export const crossEntropy = (logits: Value, labels: Value): Value => reduceMean(surprise(logits, labels));

/** Cross entropy against labels of which a part is spread over all classes. */
export const smoothedCrossEntropy = (logits: Value, labels: Value, part = 0.1): Value =>
  crossEntropy(logits, add(mul(labels, 1 - part), part / labels.shape[1]));

/** Cross entropy, each image with its class's weight, over the sum of the weights. @param weights [1,C] */
export function weightedCrossEntropy(logits: Value, labels: Value, weights: Value): Value {
  const own = reduceSum(mul(labels, weights), [1]);
  return div(reduceSum(mul(surprise(logits, labels), own)), reduceSum(own));
}

/** Mean of −(1−p)^γ·log p, p the share of the class. @source Lin et al. 2017 */
export function focalLoss(logits: Value, labels: Value, gamma = 2): Value {
  const lost = surprise(logits, labels);
  return reduceMean(mul(pow(sub(1, exp(neg(lost))), gamma), lost));
}

/** What cosines are multiplied by. @source Cao et al. 2019; methods.md 18.6 */
export const LDAM_SCALE = 30;

/** Cross entropy of scaled cosines, the class's own lowered by its margin. @param margins [1,C] */
export const ldamLoss = (cosines: Value, labels: Value, margins: Value): Value =>
  crossEntropy(mul(sub(cosines, mul(labels, margins)), LDAM_SCALE), labels);

/**
 * The categories that are hard for an image: its own and those of the largest other logits.
 * @param logits [B,C]
 * @param count classes that are kept, with the image's own; at least 2
 * @returns 1 for those, [B,C]; no gradient flows
 * @source methods.md 18.5 b
 */
export function minedCategories(logits: Value, labels: Value, count: number): Value {
  const others = add(stopGradient(logits), mul(labels, NEVER));
  const { values } = topK(others, count - 1, 1);
  return max(labels, toFloat(greaterOrEqual(others, slice(values, 1, count - 2))));
}

/** Logits of the kept classes; the others' shares become 0. @source methods.md 18.5 b: a true restriction */
export const restricted = (logits: Value, kept: Value): Value =>
  where(greaterOrEqual(kept, 0.5), logits, NEVER);

/** Mean over rows of KL(teacher ‖ student), from logits; the teacher is held constant. */
export function divergence(teacher: Value, student: Value): Value {
  const target = stopGradient(logSoftmax(teacher));
  return reduceMean(reduceSum(mul(exp(target), sub(target, logSoftmax(student))), [1]));
}

/** Mean over ordered pairs of experts of KL(one ‖ other). @param experts logits, two or more. @source methods.md 18.5 c */
export function mutualDistillation(experts: readonly Value[]): Value {
  const pairs = experts.flatMap((teacher) =>
    experts.filter((student) => student !== teacher).map((student) => divergence(teacher, student)),
  );
  return div(
    pairs.reduce((sum, pair) => add(sum, pair)),
    pairs.length,
  );
}

/** Temperature and share of the teacher in the final distillation. @source methods.md 18.5 f */
const TEMPERATURE = 2;
const TAUGHT = 0.7;

/**
 * A student's loss: balanced cross entropy, and the divergence from its teacher at temperature 2.
 * @param adjusted the student's logits as they are trained, with the prior
 * @source methods.md 18.5 f
 */
export function studentLoss(teacher: Value, student: Value, adjusted: Value, labels: Value): Value {
  const soft = divergence(div(teacher, TEMPERATURE), div(student, TEMPERATURE));
  return add(mul(crossEntropy(adjusted, labels), 1 - TAUGHT), mul(soft, TAUGHT * TEMPERATURE ** 2));
}
