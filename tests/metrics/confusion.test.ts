import { describe, expect, it } from 'vitest';
import { Rng } from '../../src/base/rng';
import { classScores, confusionMatrix, rejectScores } from '../../src/metrics/confusion';

const internal = (message: string) => expect.objectContaining({ code: 'internal', message }) as Error;

describe('confusionMatrix', () => {
  it('has the actual class in the row, the predicted one in the column', () => {
    expect(confusionMatrix([0, 0, 1, 2], [0, 2, 1, 1], 3)).toEqual([
      [1, 0, 1],
      [0, 1, 0],
      [0, 1, 0],
    ]);
  });

  it('puts rejected items into a last column', () => {
    expect(confusionMatrix([0, 0, 1], [0, 2, 2], 2, true)).toEqual([
      [1, 0, 1],
      [0, 0, 1],
    ]);
  });

  it.each([
    [[0, 1], [0], 2, '2 classes for 1 predictions'],
    [[0, 2], [0, 1], 2, 'item 1 has class 2 of 2'],
    [[0, 1], [0, 2], 2, 'item 1 is predicted as 2 of 2'],
    [[0, 1], [-1, 1], 2, 'item 0 is predicted as -1 of 2'],
  ])('refuses %j against %j of %i classes', (actual, predicted, classes, message) => {
    expect(() => confusionMatrix(actual, predicted, classes)).toThrow(internal(message));
  });
});

describe('classScores', () => {
  it('the matrix of methods 20.7', () => {
    const scores = classScores([
      [8, 1, 1],
      [2, 3, 0],
      [0, 2, 3],
    ]);
    const rounded = (values: readonly number[]) => values.map((value) => Number(value.toFixed(6)));
    expect(scores.accuracy).toBeCloseTo(0.7, 12);
    expect(rounded(scores.precision)).toEqual([0.8, 0.5, 0.75]);
    expect(rounded(scores.recall)).toEqual([0.8, 0.6, 0.6]);
    expect(rounded(scores.f1)).toEqual([0.8, 0.545455, 0.666667]);
    expect(rounded([scores.macroPrecision, scores.macroRecall, scores.macroF1])).toEqual([
      0.683333, 0.666667, 0.670707,
    ]);
    expect(scores.weightedRecall).toBeCloseTo(scores.accuracy!, 12);
  });

  it('kappa and Matthews of two classes are the textbook formulas', () => {
    const rng = new Rng(1, 'kappa');
    for (let round = 0; round < 50; round++) {
      const [[a, b], [c, d]] = [0, 1].map(() => [1 + rng.integer(30), 1 + rng.integer(30)]);
      const n = a + b + c + d;
      const chance = ((a + b) * (a + c) + (c + d) * (b + d)) / n ** 2;
      const { kappa, kappaQuadratic, matthews } = classScores([
        [a, b],
        [c, d],
      ]);
      expect(kappa).toBeCloseTo(((a + d) / n - chance) / (1 - chance), 12);
      // With two classes every disagreement has the same weight.
      expect(kappaQuadratic).toBeCloseTo(kappa!, 12);
      expect(matthews).toBeCloseTo((a * d - b * c) / Math.sqrt((a + b) * (c + d) * (a + c) * (b + d)), 12);
    }
  });

  it('does not depend on the order of the classes, except for quadratic kappa', () => {
    const matrix = [
      [5, 1, 0, 2],
      [0, 7, 1, 1],
      [2, 0, 0, 0],
      [1, 1, 1, 9],
    ];
    const order = [2, 0, 3, 1];
    const { kappaQuadratic, precision, ...same } = classScores(matrix);
    const turned = classScores(order.map((i) => order.map((j) => matrix[i][j])));
    expect(turned.precision).toEqual(order.map((i) => precision[i]));
    expect(turned.kappaQuadratic).not.toBeCloseTo(kappaQuadratic!, 3);
    for (const name of ['accuracy', 'macroF1', 'weightedF1', 'kappa', 'matthews'] as const)
      expect(turned[name]).toBeCloseTo(same[name]!, 12);
  });

  it('has null where nothing can be said', () => {
    const nothing = {
      accuracy: null,
      weightedRecall: null,
      weightedF1: null,
      balancedAccuracy: null,
      kappa: null,
    };
    expect(classScores([[0, 0], [0, 0]])).toMatchObject({ ...nothing, macroF1: 0, matthews: 0 }); // prettier-ignore
    expect(classScores([[4, 0], [0, 0]])).toMatchObject({ accuracy: 1, kappa: null, kappaQuadratic: null }); // prettier-ignore
  });

  it('refuses a matrix with an unknown column and an empty one', () => {
    expect(() => classScores([[1, 2, 3], [4, 5, 6]])).toThrow(internal('row 0 of 2 has 3')); // prettier-ignore
    expect(() => classScores([])).toThrow(internal('a confusion matrix without classes'));
  });
});

describe('rejectScores', () => {
  it('counts unknown as wrong, except among the classified', () => {
    const scores = rejectScores([
      [6, 2, 2],
      [0, 0, 4],
      [0, 0, 0],
    ].map((row) => [...row.slice(0, 2), 0, row[2]])); // prettier-ignore
    expect(scores).toEqual({
      accuracy: 6 / 14,
      accuracyByClass: [0.6, 0, null],
      accuracyOfClassified: [0.75, null, null],
      purity: [1, 0, null],
      rejectRate: 6 / 14,
      coverage: 8 / 14,
    });
  });

  it('has null for a set without items', () => {
    expect(rejectScores([[0, 0]])).toMatchObject({ accuracy: null, rejectRate: null, coverage: null });
  });

  it('refuses a matrix without the unknown column', () => {
    expect(() => rejectScores([[1, 2], [4, 5]])).toThrow(
      internal('row 0 has 2 columns for 2 classes and unknown'),
    ); // prettier-ignore
  });
});
