import { expect, it } from 'vitest';
import { classScores, rejectScores } from '../../src/metrics/confusion';
import { imbalanceFactor, longTailGroups, recallByGroup } from '../../src/metrics/long-tail';
import type { LongTailGroups } from '../../src/metrics/long-tail';
import { describeGolden, goldenJson } from '../support/golden';

interface GoldenClasses {
  classes: number;
  confusion: number[][];
  accuracy: number;
  precision: number[];
  recall: number[];
  f1: number[];
  support: number[];
  macro_precision: number;
  macro_recall: number;
  macro_f1: number;
  weighted_recall: number;
  weighted_f1: number;
  kappa: number | null;
  kappa_quadratic: number | null;
  matthews: number;
  balanced_accuracy_of_present_classes: number;
}

interface Golden {
  classes: Record<string, GoldenClasses>;
  long_tail: GoldenClasses & {
    train_counts: number[];
    imbalance_factor: number;
    groups: LongTailGroups;
    recall_of_group: Record<keyof LongTailGroups, number>;
  };
  with_rejects: {
    matrix_rows_actual_last_column_unknown: number[][];
    overall_accuracy: number;
    accuracy_by_class: number[];
    accuracy_of_classified: number[];
    purity_by_class: number[];
    reject_rate: number;
    coverage: number;
  };
}

type Value = number | null;

function expectNear(actual: Value | readonly Value[], expected: Value | readonly Value[]): void {
  const [left, right] = [[actual].flat(), [expected].flat()];
  expect(left.length).toBe(right.length);
  right.forEach((value, i) => {
    if (value === null || left[i] === null) expect(left[i]).toBe(value);
    else expect(Math.abs(left[i] - value)).toBeLessThanOrEqual(1e-9);
  });
}

function expectScores(golden: GoldenClasses): void {
  const scores = classScores(golden.confusion);
  expect(scores.support).toHaveLength(golden.classes);
  expectNear(scores.accuracy, golden.accuracy);
  expectNear(scores.precision, golden.precision);
  expectNear(scores.recall, golden.recall);
  expectNear(scores.f1, golden.f1);
  expectNear(scores.support, golden.support);
  expectNear(scores.macroPrecision, golden.macro_precision);
  expectNear(scores.macroRecall, golden.macro_recall);
  expectNear(scores.macroF1, golden.macro_f1);
  expectNear(scores.weightedRecall, golden.weighted_recall);
  expectNear(scores.weightedF1, golden.weighted_f1);
  expectNear(scores.kappa, golden.kappa);
  expectNear(scores.kappaQuadratic, golden.kappa_quadratic);
  expectNear(scores.matthews, golden.matthews);
  expectNear(scores.balancedAccuracy, golden.balanced_accuracy_of_present_classes);
}

describeGolden(['metrics.json'], 'class scores', () => {
  const golden = goldenJson<Golden>('metrics.json');

  it.each(Object.entries(golden.classes))('%s', (_, expected) => expectScores(expected));

  it('long tail', () => {
    const expected = golden.long_tail;
    expectScores(expected);
    const groups = longTailGroups(expected.train_counts);
    expect(groups).toEqual(expected.groups);
    expectNear(imbalanceFactor(expected.train_counts), expected.imbalance_factor);
    const recall = recallByGroup(classScores(expected.confusion).recall, groups);
    for (const group of ['many', 'medium', 'few'] as const)
      expectNear(recall[group], expected.recall_of_group[group]);
  });

  it('with rejects', () => {
    const expected = golden.with_rejects;
    const scores = rejectScores(expected.matrix_rows_actual_last_column_unknown);
    expectNear(scores.accuracy, expected.overall_accuracy);
    expectNear(scores.accuracyByClass, expected.accuracy_by_class);
    expectNear(scores.accuracyOfClassified, expected.accuracy_of_classified);
    expectNear(scores.purity, expected.purity_by_class);
    expectNear(scores.rejectRate, expected.reject_rate);
    expectNear(scores.coverage, expected.coverage);
  });
});
