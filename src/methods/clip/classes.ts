import {
  add,
  l2Normalise,
  matMul,
  mul,
  reduceMax,
  reduceMean,
  softmax,
  stack,
  sub,
  topK,
  transposeLast,
} from '../../graph/ops/index';
import type { Value } from '../../graph/value';
import type { ClassShares } from '../contract';
import { TEXT_TEMPERATURE } from './maps';

/** Most similar patches in the mean of some. */
const SOME = 5;

/**
 * Similarity of images with the text of each class: over patches as told, then the largest over levels.
 * @param levels transformed patches, [B,T,E] each
 * @param texts [C,E], unit rows
 * @param reduce `max`, `mean` or `top5`
 * @returns [B,C]
 * @source methods.md 17.1, equation 18
 */
export function patchSimilarity(levels: readonly Value[], texts: Value, reduce: string): Value {
  const ofLevels = levels.map((features) => {
    const cosines = matMul(texts, transposeLast(l2Normalise(features)));
    if (reduce === 'mean') return reduceMean(cosines, [2]);
    if (reduce === 'max') return reduceMax(cosines, [2]);
    return reduceMean(topK(cosines, Math.min(SOME, cosines.shape[2])).values, [2]);
  });
  return reduceMax(stack(ofLevels), [0]);
}

/** Shares of classes by similarity. @param similarity [B,C] @source equation 19 */
export const textShares = (similarity: Value, temperature: number): Value =>
  softmax(mul(similarity, temperature));

/**
 * Shares of classes by text alone, of whole images.
 * @param classToken of the last level, in the space of texts: [B,E]
 * @returns [B,C]
 */
export const wholeImageShares = (classToken: Value, texts: Value): Value =>
  textShares(matMul(l2Normalise(classToken), transposeLast(texts)), TEXT_TEMPERATURE);

/**
 * Both sources of a class in one.
 * @param weight of the head, 0 … 1; a value is [1]
 * @source equation 23
 */
export const fuse = (text: Value, head: Value, weight: number | Value): ClassShares<Value> => ({
  fused: add(mul(text, typeof weight === 'number' ? 1 - weight : sub(1, weight)), mul(head, weight)),
  text,
  head,
});

/** Where nothing was learnt, texts alone tell classes. */
export const textAlone = (text: Value): ClassShares<Value> => ({ fused: text, text, head: text });
