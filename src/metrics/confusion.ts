import { assert } from '../base/errors';

/** Rows are the actual classes, columns the predicted ones. */
export type Confusion = readonly (readonly number[])[];

/**
 * Counts pairs of classes.
 * @param actual class index per item, 0 … classes − 1
 * @param predicted class index per item; `classes` itself means unknown and needs `withUnknown`
 * @param withUnknown adds a last column for rejected items (see `rejectScores`)
 * @throws internal when the lengths differ or an index is no class
 */
export function confusionMatrix(
  actual: ArrayLike<number>,
  predicted: ArrayLike<number>,
  classes: number,
  withUnknown = false,
): number[][] {
  assert(actual.length === predicted.length, `${actual.length} classes for ${predicted.length} predictions`);
  const columns = classes + (withUnknown ? 1 : 0);
  const matrix = Array.from({ length: classes }, () => new Array<number>(columns).fill(0));
  for (let i = 0; i < actual.length; i++) {
    const row = matrix[actual[i]];
    assert(row, `item ${i} has class ${actual[i]} of ${classes}`);
    assert(row[predicted[i]] !== undefined, `item ${i} is predicted as ${predicted[i]} of ${classes}`);
    row[predicted[i]]++;
  }
  return matrix;
}

/** Per-class scores and their averages. 0/0 counts as 0 (scikit-learn's `zero_division=0`). */
export interface ClassScores {
  /** null without items. */
  readonly accuracy: number | null;
  readonly precision: readonly number[];
  readonly recall: readonly number[];
  readonly f1: readonly number[];
  /** Items per actual class. */
  readonly support: readonly number[];
  /** Plain means over all classes, absent ones included. */
  readonly macroPrecision: number;
  readonly macroRecall: number;
  /** Mean of the F1 per class, not the F1 of the means. */
  readonly macroF1: number;
  /** Means weighted by support; null without items. */
  readonly weightedRecall: number | null;
  readonly weightedF1: number | null;
  /** Mean recall of the classes that occur; null without items. */
  readonly balancedAccuracy: number | null;
  /** Cohen's kappa; null when chance alone would agree fully. */
  readonly kappa: number | null;
  /** Kappa with disagreements weighted by the squared distance of the class indices. */
  readonly kappaQuadratic: number | null;
  /** Matthews' coefficient over all classes; 0 when either side is constant, as in scikit-learn. */
  readonly matthews: number;
}

/** @throws internal when the matrix isn't square or has no class. @source methods 20.5 */
export function classScores(confusion: Confusion): ClassScores {
  const classes = confusion.length;
  assert(classes > 0, 'a confusion matrix without classes');
  confusion.forEach((row, i) => assert(row.length === classes, `row ${i} of ${classes} has ${row.length}`));
  const support = confusion.map(sum);
  const columns = columnSums(confusion);
  const right = confusion.map((row, i) => row[i]);
  const total = sum(support);
  const precision = right.map((count, i) => ratio(count, columns[i]) ?? 0);
  const recall = right.map((count, i) => ratio(count, support[i]) ?? 0);
  const f1 = right.map((count, i) => ratio(2 * count, columns[i] + support[i]) ?? 0);
  const present = recall.filter((_, i) => support[i]);
  const weighted = (values: readonly number[]) =>
    ratio(sum(values.map((value, i) => value * support[i])), total);
  return {
    accuracy: ratio(sum(right), total),
    precision,
    recall,
    f1,
    support,
    macroPrecision: sum(precision) / classes,
    macroRecall: sum(recall) / classes,
    macroF1: sum(f1) / classes,
    weightedRecall: weighted(recall),
    weightedF1: weighted(f1),
    balancedAccuracy: ratio(sum(present), present.length),
    kappa: kappa(confusion, (i, j) => (i === j ? 0 : 1)),
    kappaQuadratic: kappa(confusion, (i, j) => (i - j) ** 2),
    matthews: matthews(sum(right), support, columns),
  };
}

/** Agreement beyond chance: 1 − weighted disagreement seen / expected from the margins. */
function kappa(confusion: Confusion, weight: (i: number, j: number) => number): number | null {
  const rows = confusion.map(sum);
  const columns = columnSums(confusion);
  let seen = 0;
  let expected = 0;
  confusion.forEach((row, i) =>
    row.forEach((count, j) => {
      seen += weight(i, j) * count;
      expected += weight(i, j) * rows[i] * columns[j];
    }),
  );
  return expected ? 1 - (seen * sum(rows)) / expected : null;
}

/** @source Gorodkin, "Comparing two K-category assignments by a K-category correlation coefficient", 2004 */
function matthews(right: number, rows: readonly number[], columns: readonly number[]): number {
  const total = sum(rows);
  const both = sum(rows.map((count, i) => count * columns[i]));
  const spread = (counts: readonly number[]) => total ** 2 - sum(counts.map((count) => count ** 2));
  return ratio(right * total - both, Math.sqrt(spread(rows) * spread(columns))) ?? 0;
}

/** What automatic classification with an unknown class is judged by; null where a class has no item to judge by. */
export interface RejectScores {
  /** Right ones of all, unknown counted as wrong. */
  readonly accuracy: number | null;
  /** Per actual class, unknown counted as wrong. */
  readonly accuracyByClass: readonly (number | null)[];
  /** Per actual class, of those that got a class. */
  readonly accuracyOfClassified: readonly (number | null)[];
  /** Per predicted class, the share that is right. */
  readonly purity: readonly (number | null)[];
  readonly rejectRate: number | null;
  /** 1 − reject rate. */
  readonly coverage: number | null;
}

/**
 * @param confusion N rows of N + 1 counts, the last column unknown
 * @throws internal when a row has another length
 */
export function rejectScores(confusion: Confusion): RejectScores {
  const classes = confusion.length;
  confusion.forEach((row, i) =>
    assert(
      row.length === classes + 1,
      `row ${i} has ${row.length} columns for ${classes} classes and unknown`,
    ),
  );
  const rows = confusion.map(sum);
  const columns = columnSums(confusion);
  const right = confusion.map((row, i) => row[i]);
  const total = sum(rows);
  const rejected = columns[classes];
  return {
    accuracy: ratio(sum(right), total),
    accuracyByClass: right.map((count, i) => ratio(count, rows[i])),
    accuracyOfClassified: right.map((count, i) => ratio(count, rows[i] - confusion[i][classes])),
    purity: right.map((count, i) => ratio(count, columns[i])),
    rejectRate: ratio(rejected, total),
    coverage: ratio(total - rejected, total),
  };
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

const ratio = (part: number, whole: number): number | null => (whole ? part / whole : null);

const columnSums = (confusion: Confusion): number[] =>
  (confusion[0] ?? []).map((_, j) => sum(confusion.map((row) => row[j])));
