import { floatTensor } from '../../base/tensor';
import type { TensorData } from '../../base/tensor';
import {
  add,
  div,
  equal,
  exp,
  gemm,
  greater,
  l2Normalise,
  log,
  max,
  min,
  mul,
  neg,
  reduceMax,
  reduceMean,
  reduceMin,
  reduceSum,
  relu,
  sqrt,
  stopGradient,
  sub,
  toFloat,
  where,
} from '../../graph/ops/index';
import type { Operand, Value } from '../../graph/value';
import { crossEntropy } from './long-tail';

/** Scale of the cosine classifier. @source methods.md 18.3 */
export const COSINE_SCALE = 16;

/** @source methods.md 18.5 d */
const SHARPNESS = 0.1;
const LAMBDA = 20;
const DELTA = 0.01;

/** Below this a squared distance counts as this: the root's slope stays finite. */
const LEAST_SQUARED = 1e-12;
/** Below this a column's variance counts as this: one that never changes is correlated with nothing. */
const LEAST_VARIANCE = 1e-8;
/** Below this a sum of shares counts as this: its logarithm stays finite. */
const LEAST_SHARE = 1e-30;
/** More than the distance of any two unit vectors, and less. */
const FARTHER = 3;
const NEARER = -1;

/** Cosines of rows and rows. @param a [N,D] @param b [M,D] @returns [N,M] */
export const cosines = (a: Value, b: Value): Value =>
  gemm(l2Normalise(a), l2Normalise(b), undefined, false, true);

/** Logits of a cosine classifier. @param u [B,D] @param weight [C,D] @returns [B,C] */
export const cosineLogits = (u: Value, weight: Value): Value => mul(cosines(u, weight), COSINE_SCALE);

/** Centres of each class: more where there are more images. @source methods.md 18.5 d */
export const subCentreCounts = (counts: readonly number[]): number[] =>
  counts.map((count) => Math.min(Math.max(Math.round(Math.log2(count)) - 2, 1), 5));

/** Which class each centre belongs to, 1 for its own: [C,ΣK]. */
export function membership(centres: readonly number[]): TensorData {
  const total = centres.reduce((sum, count) => sum + count, 0);
  const data = new Float32Array(centres.length * total);
  let first = 0;
  centres.forEach((count, c) => {
    data.fill(1, c * total + first, c * total + first + count);
    first += count;
  });
  return floatTensor([centres.length, total], data);
}

/**
 * How like each class's centres the images are: centres' cosines, each class's weighted by their softmax.
 * @param cosine of images and centres, [B,ΣK]
 * @param of `membership`, [C,ΣK]
 * @returns [B,C]
 * @source Qian et al. 2019 (SoftTriple); methods.md 18.5 d
 */
export function subCentreSimilarity(cosine: Value, of: Value): Value {
  // Cosines are at most 1, so that nothing overflows.
  const weights = exp(div(cosine, SHARPNESS));
  return div(
    gemm(mul(weights, cosine), of, undefined, false, true),
    gemm(weights, of, undefined, false, true),
  );
}

/** Cross entropy of similarities times 20, the class's own lowered by 0.01. @param similarity [B,C] */
export const subCentreLoss = (similarity: Value, labels: Value): Value =>
  crossEntropy(mul(sub(similarity, mul(labels, DELTA)), LAMBDA), labels);

/** Which rows of a batch are alike for each row and which are not, 1 or 0: [B,B] each. */
export interface Pairs {
  /** Never a row with itself. */
  readonly positives: Value;
  readonly negatives: Value;
}

/** 1 where two rows of one-hot rows are the same: [B,B]. */
const alike = (oneHot: Value): Value => gemm(oneHot, oneHot, undefined, false, true);

const identity = (size: number): TensorData =>
  floatTensor(
    [size, size],
    Float32Array.from({ length: size * size }, (_, i) => Number(i % (size + 1) === 0)),
  );

/** Rows of one class are alike, rows of two are not. @param labels one-hot, [B,C] */
export function classPairs(labels: Value): Pairs {
  const same = alike(labels);
  const itself = labels.graph.constant(identity(labels.shape[0]));
  return { positives: sub(same, itself), negatives: sub(1, same) };
}

/**
 * Rows of one class that are nearest to the same of its centres are alike; those of the other classes that are hard
 * for a row are not.
 * @param cosine of images and centres, [B,ΣK]
 * @param of `membership`, [C,ΣK]
 * @param mined 1 for the classes that are hard for each row, [B,C]; 1 where all are
 * @source methods.md 18.5 d
 */
export function clusterPairs(cosine: Value, of: Value, labels: Value, mined: Operand): Pairs {
  const own = gemm(labels, of);
  const nearness = add(stopGradient(cosine), mul(sub(own, 1), 4));
  const nearest = toFloat(equal(nearness, reduceMax(nearness, [1], true)));
  const itself = labels.graph.constant(identity(labels.shape[0]));
  return {
    positives: max(sub(min(alike(nearest), 1), itself), 0),
    negatives: gemm(mul(mined, sub(1, labels)), labels, undefined, false, true),
  };
}

/** Mean of the rows that count; 0 where none does. @param counts 1 or 0, [B] */
const meanOver = (rows: Value, counts: Value): Value =>
  div(reduceSum(mul(rows, counts)), max(reduceSum(counts), 1));

const any = (pairs: Value): Value => reduceMax(pairs, [1]);

/**
 * Batch-hard triplet loss on directions: of each row its farthest positive and its nearest negative. Rows that lack
 * either don't count.
 * @param u [B,D]
 * @source Hermans et al. 2017; methods.md 18.5 d
 */
export function tripletLoss(u: Value, { positives, negatives }: Pairs, margin = 0.3): Value {
  const squared = sub(2, mul(cosines(u, u), 2));
  const distance = sqrt(max(squared, LEAST_SQUARED));
  const farthest = reduceMax(where(greater(positives, 0.5), distance, NEARER), [1]);
  const nearest = reduceMin(where(greater(negatives, 0.5), distance, FARTHER), [1]);
  return meanOver(relu(add(sub(farthest, nearest), margin)), mul(any(positives), any(negatives)));
}

/**
 * Supervised contrastive loss: of each row the mean over its positives of −log of their share among all its pairs.
 * Rows without a positive don't count.
 * @param u [B,D]
 * @source Khosla et al. 2020, L_out; methods.md 18.5 d
 */
export function supervisedContrastive(u: Value, { positives, negatives }: Pairs, temperature = 0.1): Value {
  const similarity = div(cosines(u, u), temperature);
  // Cosines are at most 1: what is taken off keeps the sum from overflowing.
  const shifted = sub(similarity, 1 / temperature);
  const all = reduceSum(mul(exp(shifted), add(positives, negatives)), [1], true);
  const surprise = neg(sub(shifted, log(max(all, LEAST_SHARE))));
  const count = reduceSum(positives, [1]);
  return meanOver(div(reduceSum(mul(surprise, positives), [1]), max(count, 1)), min(count, 1));
}

/** Columns of mean 0 and population deviation 1 over the batch; those that don't change are 0. @param x [B,D] */
function standardisedColumns(x: Value): Value {
  const centred = sub(x, reduceMean(x, [0], true));
  const variance = reduceMean(mul(centred, centred), [0], true);
  return div(centred, sqrt(max(variance, LEAST_VARIANCE)));
}

/**
 * Mean square of the correlations of every column of one with every column of the other over the batch, 0 … 1. A column
 * whose deviation is below 1e-4 counts as unchanging: its correlations are near 0, at 0 with a gradient of 0.
 * @param u [B,D]
 * @param agnostic [B,E]
 * @source methods.md 18.5 e
 */
export function decorrelationLoss(u: Value, agnostic: Value): Value {
  const products = gemm(standardisedColumns(u), standardisedColumns(agnostic), undefined, true);
  const correlation = div(products, u.shape[0]);
  return reduceMean(mul(correlation, correlation));
}
