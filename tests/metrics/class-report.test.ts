import { describe, expect, it } from 'vitest';
import { Rng } from '../../src/base/rng';
import { classReport } from '../../src/metrics/class-report';
import { classScores, rejectScores } from '../../src/metrics/confusion';
import { binomialInterval } from '../../src/metrics/intervals';

/** The pairs that a confusion matrix counts. */
function pairs(confusion: readonly (readonly number[])[]) {
  const cells = confusion.flatMap((row, actual) =>
    row.flatMap((count, predicted) => new Array<[number, number]>(count).fill([actual, predicted])),
  );
  return [cells.map(([actual]) => actual), cells.map(([, predicted]) => predicted)] as const;
}

describe('classReport', () => {
  const rejects = [
    [6, 2, 0, 2],
    [0, 3, 1, 0],
    [0, 0, 0, 4],
  ];

  it('without unknown has the macro figures and kappa of the matrix of methods 20.7', () => {
    const matrix = [
      [8, 1, 1],
      [2, 3, 0],
      [0, 2, 3],
    ];
    const report = classReport(...pairs(matrix), [30, 20, 5]);
    const scores = classScores(matrix);
    for (const name of ['macroRecall', 'macroPrecision', 'macroF1', 'kappa'] as const) {
      expect(report[name].value).toBeCloseTo(scores[name]!, 12);
      const { low, high } = report[name].interval!;
      expect(low).toBeLessThan(scores[name]!);
      expect(high).toBeGreaterThan(scores[name]!);
    }
    expect(report.classes.map(({ f1 }) => f1)).toEqual(scores.f1);
    expect(report.accuracy).toEqual({
      count: 14,
      of: 20,
      value: 0.7,
      interval: binomialInterval(14, 20),
    });
    expect(report.rejected.value).toBe(0);
  });

  it('counts unknown as wrong, except among the classified', () => {
    const report = classReport(...pairs(rejects), [30, 20, 5]);
    const scores = rejectScores(rejects);
    const values = (of: 'recall' | 'recallOfClassified' | 'purity') =>
      report.classes.map((row) => row[of].value);
    expect(report.confusion).toEqual(rejects);
    expect(values('recall')).toEqual(scores.accuracyByClass);
    expect(values('recallOfClassified')).toEqual(scores.accuracyOfClassified);
    expect(values('purity')).toEqual(scores.purity);
    expect(report.rejected).toMatchObject({ count: 6, of: 18, value: scores.rejectRate });
    expect(report.classes[0].recall).toEqual({
      count: 6,
      of: 10,
      value: 0.6,
      interval: binomialInterval(6, 10),
    });
    // With unknown as a class of its own that no image is of.
    expect(report.kappa.value).toBeCloseTo(classScores([...rejects, [0, 0, 0, 0]]).kappa!, 12);
    // 2·6 / (10 + 6), 2·3 / (4 + 5), nothing.
    expect(report.macroF1.value).toBeCloseTo((12 / 16 + 6 / 9) / 3, 12);
  });

  it('leaves a class without images out of the means, not out of the table', () => {
    const report = classReport([0, 0, 1, 1], [0, 2, 1, 1], [120, 50, 3]);
    expect(report.occurring).toBe(2);
    expect(report.macroRecall.value).toBe(0.75);
    expect(report.macroPrecision.value).toBe(1);
    expect(report.classes[2].recall).toEqual({ count: 0, of: 0, value: null, interval: null });
    expect(report.classes[2].purity.value).toBe(0);
    expect(report.groupRecall).toEqual({ many: 0.5, medium: 1, few: null });
  });

  it('groups by the counts it was taught with', () => {
    const report = classReport([0, 1, 2], [0, 1, 1], [120, 50, 3]);
    expect(report.classes.map(({ group, trained }) => [group, trained])).toEqual([
      ['many', 120],
      ['medium', 50],
      ['few', 3],
    ]);
    expect(report.groups.by).toBe('thresholds');
  });

  it('has no interval where every draw is right, and no figure without images', () => {
    expect(classReport([0, 1, 2], [0, 1, 2], [3, 3, 3]).macroRecall).toEqual({ value: 1, interval: null });
    const none = classReport([], [], [3, 3]);
    expect(none).toMatchObject({
      occurring: 0,
      macroRecall: { value: null, interval: null },
      kappa: { value: null, interval: null },
      accuracy: { of: 0, value: null },
    });
  });

  it("kappa's interval is about as wide as its large-sample error says", () => {
    const rng = new Rng(2, 'kappa');
    const actual = Array.from({ length: 600 }, () => rng.integer(2));
    const predicted = actual.map((c) => (rng.uniform() < 0.8 ? c : 1 - c));
    const { value, interval } = classReport(actual, predicted, [9, 9], 7).kappa;
    const agreed = actual.filter((c, i) => c === predicted[i]).length / 600;
    // Cohen's first-order error √(po(1 − po)/n) / (1 − pe), with pe near one half here.
    const error = Math.sqrt((agreed * (1 - agreed)) / 600) / 0.5;
    const ratio = (interval!.high - interval!.low) / (2 * 1.96 * error);
    expect(Math.abs(ratio - 1)).toBeLessThan(0.12);
    expect(value).toBeCloseTo(2 * agreed - 1, 2);
  });
});
