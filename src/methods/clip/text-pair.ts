import type { ChoiceSpec } from '../options';
import { floatTensor, floats } from '../../base/tensor';
import type { TensorData } from '../../base/tensor';
import { unit } from '../../base/unit';
import type { FitContext, TextVectors } from '../contract';

/** Whose words say what is normal: those of the classes, those of good and bad in general, or both alike. */
export type Words = 'classes' | 'general' | 'both';

/** The choice of words, as a method offers it. */
export const wordsOption = (usual: Words): ChoiceSpec => ({
  kind: 'choice',
  default: usual,
  choices: [
    { value: 'both', label: 'the classes’, and good and bad in general' },
    { value: 'classes', label: 'the classes’' },
    { value: 'general', label: 'good and bad in general' },
  ],
  label: 'Words for normal and defect',
  help: 'What maps and scores are told by. Classes are always told by their own words.',
});

/**
 * The two vectors that maps are made by: normal, then abnormal. Abnormal is the normalised mean of the defect classes,
 * so that a class with many prompts weighs no more than another.
 * @param normal index of the class without a defect
 * @shape [2,E], unit rows
 * @source methods.md 16.3
 */
export function textPair(texts: TextVectors, normal: number, words: Words): TensorData {
  if (words === 'general') return texts.general;
  const classes = classPair(texts, normal);
  if (words === 'classes') return classes;
  const [, embed] = classes.shape;
  const general = floats(texts.general);
  const both = floats(classes).map((value, i) => value + general[i]);
  return floatTensor(
    [2, embed],
    [0, 1].flatMap((row) => [...unit(both.subarray(row * embed, (row + 1) * embed))]),
  );
}

function classPair(texts: TextVectors, normal: number): TensorData {
  const [classes, embed] = texts.classes.shape;
  const rows = floats(texts.classes);
  const general = floats(texts.general);
  const pair = new Float32Array(2 * embed);
  pair.set(rows.subarray(normal * embed, (normal + 1) * embed));
  // A support set without a class of defects still has to know what bad is.
  pair.set(classes > 1 ? meanOfDefects(rows, classes, embed, normal) : general.subarray(embed), embed);
  return floatTensor([2, embed], pair);
}

/** Two random vectors in the place of texts: what a step costs does not depend on what they say. @shape [2,E] */
export function madeUpPair(context: Pick<FitContext, 'rng'>, embed: number): TensorData {
  const rng = context.rng('trial texts');
  return floatTensor(
    [2, embed],
    Float32Array.from({ length: 2 * embed }, () => rng.bell()),
  );
}

/**
 * Any defect in one vector: each of the classes counts the same.
 * @param rows one for each class, and maybe others behind them
 * @returns a unit vector [E]
 * @source methods.md 16.3
 */
export function meanOfDefects(
  rows: Float32Array,
  classes: number,
  embed: number,
  normal: number,
): Float32Array {
  const sum = new Float64Array(embed);
  for (let c = 0; c < classes; c++)
    if (c !== normal) for (let k = 0; k < embed; k++) sum[k] += rows[c * embed + k];
  return unit(sum);
}
