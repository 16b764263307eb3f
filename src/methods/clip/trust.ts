import { floatTensor, floats } from '../../base/tensor';
import type { TensorData } from '../../base/tensor';
import { mul, slice } from '../../graph/ops/index';
import type { Value } from '../../graph/value';
import { classScores, confusionMatrix } from '../../metrics/confusion';
import type { StateValues } from '../contract';
import type { LabelledRows } from '../kit/class-head';

/** The first of the texts that a row is most like. @param row E values @param texts unit rows, [n,E] */
function nearestText(row: Float32Array, texts: TensorData): number {
  const [count, width] = texts.shape;
  const values = floats(texts);
  const likeness = Array.from({ length: count }, (_, t) =>
    row.reduce((sum, value, k) => sum + value * values[t * width + k], 0),
  );
  return likeness.indexOf(Math.max(...likeness));
}

/** How far rows are most like their own class's text: balanced accuracy above chance, as a share of what could be. */
function rightness({ rows, classOf }: LabelledRows, texts: TensorData): number {
  const [classes] = texts.shape;
  const told = rows.map((row) => nearestText(row, texts));
  const accuracy = classScores(confusionMatrix(classOf, told, classes)).balancedAccuracy ?? 0;
  return Math.max(0, (accuracy - 1 / classes) / (1 - 1 / classes));
}

/**
 * How far texts are right of a support set's own images, which they have not learnt from: in telling defects, and in
 * telling classes. 0 is chance or worse, 1 always; defects without a good image beside them, or the other way, give 0.
 * @param tokens class tokens of whole images in the space of texts, E values each
 * @param normal the class without a defect
 * @param texts of the classes, [C,E]
 * @param two normal and abnormal, [2,E]
 * @returns [2]: of defects, of classes
 */
export function textTrust(
  tokens: LabelledRows,
  normal: number,
  texts: TensorData,
  two: TensorData,
): TensorData {
  const defective = tokens.classOf.map((own) => Number(own !== normal));
  const bothOccur = new Set(defective).size === 2;
  return floatTensor(
    [2],
    [bothOccur ? rightness({ rows: tokens.rows, classOf: defective }, two) : 0, rightness(tokens, texts)],
  );
}

/**
 * How much the logit of texts for a whole image counts in its score where they are always right: so weighed, logits spread
 * over images as widely as the highest places of maps do, which stand beside them.
 */
const LOGIT_WEIGHT = 0.4;

/**
 * How far words count in a fit. In classes a head that a few images taught is worth little even where words are half right:
 * it has a share of their doubt squared.
 * @param trust [2], of `textTrust`
 * @returns [2]: in the score, and in classes
 */
export function wordShares(trust: TensorData): TensorData {
  const [defects, classes] = floats(trust);
  return floatTensor([2], [defects, 1 - (1 - classes) ** 2]);
}

/** The weight of words' logit in the score and their share in classes [1], where a fit tells; earlier fits keep trust. */
export function wordsIn(state: StateValues): { logit: Value; share: Value } | undefined {
  const both = state.words ?? state.trust;
  if (!both) return undefined;
  const [score, share] = [0, 1].map((i) => slice(both, 0, i, i + 1));
  return { logit: mul(score, LOGIT_WEIGHT), share };
}

/** @param trust [2], of `textTrust` @returns what a fit says of it */
export function trustRemark(trust: TensorData): string {
  const percent = (share: number) => `${Math.round(100 * share)} %`;
  const [defects, classes] = Array.from(floats(trust), percent);
  const [, share] = Array.from(floats(wordShares(trust)), percent);
  return (
    `Words alone were right of the support set's own images, above chance: ${defects} in telling defects, ${classes} ` +
    `in telling classes. They make up ${share} of a class's probability.`
  );
}
