import { describe, expect, it } from 'vitest';
import { Rng } from '../../src/base/rng';
import {
  auprAnomalib,
  auprTrapezoid,
  auroc,
  averagePrecision,
  f1Max,
  precisionRecallCurve,
  rocCurve,
} from '../../src/metrics/ranking';
import * as brute from './brute-force';

const ALL = { auroc, averagePrecision, auprTrapezoid, auprAnomalib, f1Max, rocCurve, precisionRecallCurve };

describe('the values of methods 20.7', () => {
  it.each([
    {
      scores: [0.1, 0.4, 0.35, 0.8],
      labels: [0, 0, 1, 1],
      expected: { auroc: 0.75, ap: 0.833333, aupr: 0.791667, anomalib: 0.75, f1: 0.8, threshold: 0.35 },
    },
    {
      scores: [0.9, 0.8, 0.8, 0.7, 0.3, 0.2],
      labels: [1, 0, 1, 1, 0, 0],
      expected: {
        auroc: 0.833333,
        ap: 0.805556,
        aupr: 0.847222,
        anomalib: 0.805556,
        f1: 0.857143,
        threshold: 0.7,
      },
    },
  ])('$scores', ({ scores, labels, expected }) => {
    expect(auroc(scores, labels)).toBeCloseTo(expected.auroc, 6);
    expect(averagePrecision(scores, labels)).toBeCloseTo(expected.ap, 6);
    expect(auprTrapezoid(scores, labels)).toBeCloseTo(expected.aupr, 6);
    expect(auprAnomalib(scores, labels)).toBeCloseTo(expected.anomalib, 6);
    expect(f1Max(scores, labels)!.f1).toBeCloseTo(expected.f1, 6);
    expect(f1Max(scores, labels)!.threshold).toBe(expected.threshold);
  });
});

describe('against the definitions, on small sets with many ties', () => {
  const rng = new Rng(1, 'ranking');
  const cases = Array.from({ length: 150 }, () =>
    brute.randomSet(rng, 1 + rng.integer(40), 1 + rng.integer(12)),
  );
  const mixed = cases.filter(({ labels }) => labels.includes(1) && labels.includes(0));

  it('has cases of both kinds', () => {
    expect(mixed.length).toBeGreaterThan(50);
    expect(cases.length - mixed.length).toBeGreaterThan(5);
  });

  it('areas', () => {
    for (const { scores, labels } of mixed) {
      expect(auroc(scores, labels)).toBeCloseTo(brute.pairAuroc(scores, labels)!, 12);
      expect(averagePrecision(scores, labels)).toBeCloseTo(brute.averagePrecision(scores, labels), 12);
      expect(auprTrapezoid(scores, labels)).toBeCloseTo(brute.trapezoidAupr(scores, labels), 12);
      expect(auprAnomalib(scores, labels)).toBeCloseTo(brute.anomalibAupr(scores, labels), 12);
    }
  });

  it('best F1 and its lowest threshold', () => {
    for (const { scores, labels } of mixed) {
      const positives = labels.filter(Boolean).length;
      const all = brute.curve(scores, labels).map(({ threshold, right, wrong, precision, recall }) => ({
        threshold,
        exact: (2 * right) / (positives + right + wrong),
        rounded: (2 * precision * recall) / (precision + recall + 1e-10),
      }));
      const best = Math.max(...all.map(({ exact }) => exact));
      const reached = all.filter(({ exact }) => exact > best - 1e-12);
      const found = f1Max(scores, labels)!;
      expect(found.exactF1).toBeCloseTo(best, 12);
      expect(found.f1).toBeCloseTo(Math.max(...all.map(({ rounded }) => rounded)), 9);
      expect(found.threshold).toBe(reached.at(-1)!.threshold);
    }
  });

  it('curves', () => {
    for (const { scores, labels } of mixed) {
      const expected = brute.curve(scores, labels);
      const roc = rocCurve(scores, labels)!;
      const pr = precisionRecallCurve(scores, labels)!;
      const negatives = labels.filter((label) => !label).length;
      expect([...roc.thresholds]).toEqual([Infinity, ...expected.map(({ threshold }) => threshold)]);
      expect(pr.thresholds).toEqual(roc.thresholds);
      expect([...roc.truePositiveRate]).toEqual([0, ...expected.map(({ recall }) => recall)]);
      expect([...roc.falsePositiveRate]).toEqual([0, ...expected.map(({ wrong }) => wrong / negatives)]);
      expect([...pr.precision]).toEqual([1, ...expected.map(({ precision }) => precision)]);
      expect([...pr.recall]).toEqual([0, ...expected.map(({ recall }) => recall)]);
      expect([roc.truePositiveRate.at(-1), roc.falsePositiveRate.at(-1)]).toEqual([1, 1]);
    }
  });

  it('stay the same under another order of the items and under a rising transform', () => {
    for (const { scores, labels } of mixed) {
      const order = rng.permutation(scores.length);
      const shuffled = [
        Float32Array.from(order, (i) => scores[i]),
        Uint8Array.from(order, (i) => labels[i]),
      ] as const;
      const raised = [Float64Array.from(scores, (score) => Math.exp(3 * score) - 7), labels] as const;
      for (const area of [auroc, averagePrecision, auprTrapezoid, auprAnomalib]) {
        expect(area(...shuffled)).toBe(area(scores, labels));
        expect(area(...raised)).toBe(area(scores, labels));
      }
      expect(f1Max(...raised)!.f1).toBe(f1Max(scores, labels)!.f1);
    }
  });

  it('turn round with the scores', () => {
    for (const { scores, labels } of mixed)
      expect(
        auroc(scores, labels)! +
          auroc(
            scores.map((score) => -score),
            labels,
          )!,
      ).toBeCloseTo(1, 12);
  });
});

describe('what is not defined', () => {
  it.each([
    ['nothing', [], []],
    ['good items alone', [0.1, 0.2], [0, 0]],
  ])('%s: null everywhere', (_, scores, labels) => {
    for (const metric of Object.values(ALL)) expect(metric(scores, labels)).toBeNull();
  });

  it('anomalous items alone: no ROC, yet precision is 1', () => {
    expect([auroc([0.1, 0.2], [1, 1]), rocCurve([0.1, 0.2], [1, 1])]).toEqual([null, null]);
    expect([averagePrecision, auprTrapezoid, auprAnomalib].map((area) => area([0.1, 0.2], [1, 1]))).toEqual([
      1, 1, 1,
    ]);
    expect(f1Max([0.1, 0.2], [1, 1])).toMatchObject({ exactF1: 1, threshold: 0.1 });
  });

  it.each(Object.entries(ALL))('%s refuses lengths that differ and numbers that are none', (_, metric) => {
    expect(() => metric([1, 2, 3], [0, 1])).toThrow(
      expect.objectContaining({ code: 'internal', message: '3 scores for 2 labels' }) as Error,
    );
    expect(() => metric([1, NaN, 3], [0, 1, 1])).toThrow(
      expect.objectContaining({ code: 'run/not-finite', message: 'scores[1] of 3 is NaN' }) as Error,
    );
  });
});

it('half a million scores keep whole counts', () => {
  const rng = new Rng(2, 'large');
  const n = 500_000;
  const scores = Float32Array.from({ length: n }, () => rng.uniform());
  const labels = Uint8Array.from(scores, (score) => (score > 0.75 ? 1 : 0));
  expect(auroc(scores, labels)).toBe(1);
  expect(f1Max(scores, labels)!.exactF1).toBe(1);
  expect(rocCurve(scores, labels)!.thresholds.length).toBe(new Set(scores).size + 1);
});
