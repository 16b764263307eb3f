import { floatTensor } from '../../base/tensor';
import type { TensorData } from '../../base/tensor';
import {
  add,
  div,
  exp,
  l2Normalise,
  log,
  logSoftmax,
  matMul,
  max,
  min,
  mul,
  neg,
  reduceMean,
  reduceSum,
  reshape,
  sqrt,
  transposeLast,
} from '../../graph/ops/index';
import type { Value } from '../../graph/value';
import type { NetLayers } from '../layers';

/** A temperature below 1/100 makes training unstable. @source Radford et al., "Learning transferable visual models from natural language supervision", 2021, 2.5 */
const MAX_SCALE = 100;
/** A squared length below this counts as none. */
const TINY = 1e-12;

/** The inverse of the learned temperature: exp(logit_scale), at most 100. A scalar. */
export const logitScale = (layers: NetLayers): Value =>
  min(exp(layers.parameter('logit_scale', [])), MAX_SCALE);

/**
 * Loss of images and captions that name what they show: cross entropy against an even spread over all true partners,
 * both ways, less that spread's entropy, so that 0 is the least. Rows and columns without a partner don't count.
 * @param images [B,E] and texts [P,E], not normalised
 * @param truth 1 where a caption is true of an image, else 0. [B,P]
 * @param scale `logitScale`
 * @returns a scalar
 * @source Radford et al. 2021, figure 3; Khosla et al., "Supervised contrastive learning", 2020, (2), for several partners
 */
export function contrastiveLoss(images: Value, texts: Value, truth: Value, scale: Value): Value {
  const cosines = matMul(l2Normalise(images), transposeLast(l2Normalise(texts)));
  const logits = mul(cosines, scale);
  const oneWay = (axis: 0 | 1): Value => {
    const partners = reduceSum(truth, [axis]);
    const known = min(partners, 1);
    const count = max(partners, 1);
    const hit = div(reduceSum(mul(truth, logSoftmax(logits, axis)), [axis]), count);
    const each = mul(known, neg(add(hit, log(count))));
    return div(reduceSum(each), max(reduceSum(known), 1));
  };
  return mul(add(oneWay(0), oneWay(1)), 0.5);
}

/**
 * What stands for a group of captions: the normalised mean of their normalised embeddings.
 * @param texts group after group, the same number in each, not normalised. [groups·n,E]
 * @returns [groups,E]
 * @source methods.md 16.3 (8)
 */
export function groupVectors(texts: Value, groups: number): Value {
  const [count, embed] = texts.shape;
  return l2Normalise(reduceMean(reshape(l2Normalise(texts), [groups, count / groups, embed]), [1]));
}

/**
 * Cosines of patches and texts.
 * @param tokens patches in the space of texts, not normalised. [B,T,E]
 * @param texts unit vectors. [C,E]
 * @returns [B,T,C]
 */
export function patchCosines(tokens: Value, texts: Value): Value {
  // The products first: dividing C numbers a patch by its length is less work than dividing E.
  const lengths = sqrt(max(reduceSum(mul(tokens, tokens), [2], true), TINY));
  return div(matMul(tokens, transposeLast(texts)), lengths);
}

/**
 * Cross entropy of patches against class texts.
 * @param cosines `patchCosines`. [B,T,C]
 * @param weights how much it counts that a patch is of a class, as `patchWeights` gives them. [B,T,C]
 * @param scale `logitScale`
 * @returns a scalar
 */
export const alignmentLoss = (cosines: Value, weights: Value, scale: Value): Value =>
  neg(reduceSum(mul(weights, logSoftmax(mul(cosines, scale)))));

/** What `patchWeights` reads of a batch. */
export interface PatchLabels {
  /** Class of each image. */
  readonly classes: readonly number[];
  /** Share of each patch that is defect. @shape [B·T] */
  readonly coverage: ArrayLike<number>;
  readonly normal: number;
  readonly classCount: number;
}

/** A patch shows the defect from this share on; below it, but not without any, it is left out. */
const DEFECT_FROM = 0.04;

/**
 * Weights of `alignmentLoss` that add up to 1: half of it on patches without a defect, which are of the normal class,
 * half on patches that show one, every image with any counting the same. Patches between the two count nothing.
 * @returns [B,T,C]
 */
export function patchWeights({ classes, coverage, normal, classCount }: PatchLabels): TensorData {
  const patches = coverage.length / classes.length;
  const weights = new Float32Array(coverage.length * classCount);
  const shows = (patch: number) => coverage[patch] > DEFECT_FROM;
  const all = Array.from({ length: coverage.length }, (_, patch) => patch);
  const clean = all.filter((patch) => coverage[patch] === 0);
  for (const patch of clean) weights[patch * classCount + normal] = 0.5 / clean.length;
  const shown = classes.map((_, image) => all.slice(image * patches, (image + 1) * patches).filter(shows));
  const defective = shown.filter(({ length }) => length).length;
  shown.forEach((own, image) => {
    for (const patch of own) weights[patch * classCount + classes[image]] = 0.5 / (defective * own.length);
  });
  return floatTensor([classes.length, patches, classCount], weights);
}
