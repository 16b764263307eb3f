import { floatTensor, floats } from '../../base/tensor';
import type { TensorData } from '../../base/tensor';
import type { LabelledRows } from '../kit/class-head';

const dot = (a: Float32Array, b: Float32Array): number => a.reduce((sum, value, k) => sum + value * b[k], 0);
const rowsOf = (tensor: TensorData): Float32Array[] => {
  const [count, width] = tensor.shape;
  return Array.from({ length: count }, (_, i) => floats(tensor).subarray(i * width, (i + 1) * width));
};
const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;

/** Share of the images of each class that meet a condition, classes with images alone. */
const sharePerClass = (classOf: readonly number[], right: readonly boolean[]): Map<number, number> =>
  new Map(
    [...new Set(classOf)].map((c) => [c, mean(right.flatMap((own, i) => (classOf[i] === c ? [+own] : [])))]),
  );

/** What is above chance, as a share of all that could be. */
const aboveChance = (share: number, chance: number): number => Math.max(0, (share - chance) / (1 - chance));

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
  { rows, classOf }: LabelledRows,
  normal: number,
  texts: TensorData,
  two: TensorData,
): TensorData {
  const [good, bad] = rowsOf(two);
  const strange = rows.map((row) => dot(row, bad) > dot(row, good));
  const ofDefects = [true, false].map((defective) =>
    strange.flatMap((own, i) => ((classOf[i] !== normal) === defective ? [+(own === defective)] : [])),
  );
  const both = ofDefects.every((found) => found.length);
  const classTexts = rowsOf(texts);
  const told = rows.map((row) => {
    const likeness = classTexts.map((text) => dot(row, text));
    return likeness.indexOf(Math.max(...likeness));
  });
  const recall = sharePerClass(
    classOf,
    told.map((c, i) => c === classOf[i]),
  );
  return floatTensor(
    [2],
    [
      both ? aboveChance(mean(ofDefects.map(mean)), 1 / 2) : 0,
      aboveChance(mean([...recall.values()]), 1 / classTexts.length),
    ],
  );
}
