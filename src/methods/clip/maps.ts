import { assert } from '../../base/errors';
import {
  add,
  l2Normalise,
  matMul,
  mul,
  reshape,
  resizeBilinear,
  sigmoid,
  slice,
  softmax,
  sub,
  transposeLast,
} from '../../graph/ops/index';
import type { Value } from '../../graph/value';
import type { SemClipOptions } from './options';

/** Temperature of the map of the plain path. @source methods.md 16.4 */
const PLAIN_TEMPERATURE = 100;
/** Temperature of what is said by text alone: the one that ranked best with the built-in encoder. */
export const TEXT_TEMPERATURE = 25;

/**
 * How much more features resemble the abnormal text than the normal one: the difference of two cosines.
 * @param features [B,T,E]
 * @param two unit vectors of texts, normal and abnormal: [2,E]
 * @returns [B,T]
 */
export function strangeness(features: Value, two: Value): Value {
  const [batch, tokens, embed] = features.shape;
  const direction = reshape(sub(slice(two, 0, 1, 2), slice(two, 0, 0, 1)), [embed, 1]);
  return reshape(matMul(l2Normalise(features), direction), [batch, tokens]);
}

/** Patches in rows as a map: [B,T] to [B,1,√T,√T]. */
export function toGrid(patches: Value): Value {
  const [batch, tokens] = patches.shape;
  const side = gridSide(tokens);
  return reshape(patches, [batch, 1, side, side]);
}

/** Patches in a row of a square image. */
export function gridSide(patches: number): number {
  const side = Math.round(Math.sqrt(patches));
  assert(side * side === patches, `${patches} patches are no square`);
  return side;
}

/**
 * Logits of one level of the plain path at the patches: τ(cos abnormal − cos normal), the two-class softmax in one
 * number. @returns [B,1,h,w]
 */
export const plainLogits = (features: Value, two: Value): Value =>
  toGrid(mul(strangeness(features, two), PLAIN_TEMPERATURE));

/**
 * Map of one level of the plain path: logits enlarged by their corners, then the probability of abnormal.
 * @param features transformed patches [B,T,E]
 * @returns [B,1,side,side], 0 … 1
 * @source methods.md 16.4, equations 10 and 11
 */
export const plainMap = (features: Value, two: Value, side: number): Value =>
  sigmoid(resizeBilinear(plainLogits(features, two), side, side, 'corners'));

/** Factor of similarities before the softmax that gives the weights of classes. @source methods.md 16.5 */
const WEIGHT_TEMPERATURE: Readonly<Record<string, number>> = { clipad: 1, surgery: 2 };

/**
 * Map of one level of the V-V path at the patches: similarities less their mean over the two classes.
 * @param values [B,T,E]
 * @param classToken of the same level, in the space of texts: [B,E]
 * @returns [B,1,h,w]
 * @source methods.md 16.5, equations 13 to 15
 */
export function valueMap(
  values: Value,
  classToken: Value,
  two: Value,
  { vWeights, vTemperature, vSoftmax }: Pick<SemClipOptions, 'vWeights' | 'vTemperature' | 'vSoftmax'>,
): Value {
  const texts = transposeLast(two);
  const likeness = matMul(l2Normalise(values), texts);
  const [batch, tokens] = likeness.shape;
  const temperature = WEIGHT_TEMPERATURE[vWeights];
  const weighted = temperature
    ? mul(likeness, classWeights(matMul(l2Normalise(classToken), texts), temperature))
    : likeness;
  const of = (index: number) => reshape(slice(weighted, 2, index, index + 1), [batch, tokens]);
  const difference = toGrid(sub(of(1), of(0)));
  // Of two classes, what is above their mean is half the difference.
  return vSoftmax ? sigmoid(mul(difference, vTemperature)) : mul(difference, 0.5);
}

/** p / mean p of the two classes: [B,2] to [B,1,2]. */
function classWeights(likeness: Value, temperature: number): Value {
  return reshape(mul(softmax(mul(likeness, temperature)), 2), [likeness.shape[0], 1, 2]);
}

/** The encoder's own map by text alone, at the patches: [B,T,E] to [B,1,h,w], 0 … 1. */
export const textMap = (patches: Value, two: Value): Value =>
  sigmoid(mul(toGrid(strangeness(patches, two)), TEXT_TEMPERATURE));

/** Log-odds of a defect by texts alone, of whole images. @param classToken [B,E] @returns [B] */
export function textLogit(classToken: Value, two: Value): Value {
  const [batch, embed] = classToken.shape;
  const found = strangeness(reshape(classToken, [batch, 1, embed]), two);
  return mul(reshape(found, [batch]), TEXT_TEMPERATURE);
}

/** What texts alone say of whole images. @param classToken [B,E] @returns [B], 0 … 1 */
export const textScore = (classToken: Value, two: Value): Value => sigmoid(textLogit(classToken, two));

/** Sum of maps; at least one. */
export const sumOf = (maps: readonly Value[]): Value => maps.reduce((sum, map) => add(sum, map));
