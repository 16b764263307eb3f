import { expect, it } from 'vitest';
import { confusionMatrix } from '../../src/metrics/confusion';
import {
  auprAnomalib,
  auprTrapezoid,
  auroc,
  averagePrecision,
  f1Max,
  rocCurve,
} from '../../src/metrics/ranking';
import { mean, quantile, standardDeviation } from '../../src/metrics/statistics';
import { f1AdaptiveThreshold, normaliseMinMax } from '../../src/metrics/threshold';
import { describeGolden, goldenJson, goldenTensors } from '../support/golden';

interface GoldenSet {
  n: number;
  positives: number;
  auroc: number | null;
  ap: number | null;
  aupr_trapezoid: number | null;
  aupr_anomalib?: number;
  f1max: number | null;
  f1max_exact?: number;
  f1max_threshold: number | null;
  f1max_all_thresholds?: number[];
  f1_curve_points?: number;
  confusion_at_threshold?: number[][];
  f1_adaptive_threshold: number;
  quantile_linear: Record<string, number | null>;
  mean_of_normals?: number;
  std_population_of_normals?: number;
  std_sample_of_normals?: number;
  minmax_normalised_first8?: number[];
  minmax_threshold_used?: number;
}

/** Equal to 1e-9, null to null. */
function expectNear(actual: number | null, expected: number | null, tolerance = 1e-9): void {
  if (expected === null || actual === null) expect(actual).toBe(expected);
  else expect(Math.abs(actual - expected)).toBeLessThanOrEqual(tolerance);
}

describeGolden(['metrics.json', 'metrics.safetensors'], 'ranking metrics', () => {
  const { sets } = goldenJson<{ sets: Record<string, GoldenSet> }>('metrics.json');

  it.each(Object.entries(sets))('%s', async (name, golden) => {
    const tensors = await goldenTensors('metrics.safetensors');
    const scores = tensors[`${name}.scores`].data as Float32Array;
    const labels = tensors[`${name}.labels`].data as Int32Array;
    expect([scores.length, labels.filter(Boolean).length]).toEqual([golden.n, golden.positives]);

    for (const values of [scores, Array.from(scores)]) {
      expectNear(auroc(values, labels), golden.auroc);
      expectNear(averagePrecision(values, labels), golden.ap);
      expectNear(auprTrapezoid(values, labels), golden.aupr_trapezoid);
      // The reference computes this one in float32.
      if (golden.aupr_anomalib !== undefined)
        expectNear(auprAnomalib(values, labels), golden.aupr_anomalib, 1e-5);
      const best = f1Max(values, labels);
      expectNear(best && best.f1, golden.f1max);
      expectNear(best && best.threshold, golden.f1max_threshold);
      if (golden.f1max_exact !== undefined) expectNear(best!.exactF1, golden.f1max_exact);
      if (golden.f1max_all_thresholds) expect(golden.f1max_all_thresholds).toContain(best!.threshold);
      expectNear(f1AdaptiveThreshold(values, labels), golden.f1_adaptive_threshold);
    }
    if (golden.f1_curve_points !== undefined && golden.auroc !== null)
      expect(rocCurve(scores, labels)!.thresholds.length).toBe(golden.f1_curve_points + 1);
    if (golden.confusion_at_threshold) {
      const flagged = Uint8Array.from(scores, (score) => (score >= golden.f1max_threshold! ? 1 : 0));
      expect(confusionMatrix(labels, flagged, 2)).toEqual(golden.confusion_at_threshold);
    }

    const normals = scores.filter((_, i) => !labels[i]);
    for (const [q, expected] of Object.entries(golden.quantile_linear))
      expectNear(quantile(normals, Number(q)), expected);
    expectNear(mean(normals), golden.mean_of_normals ?? null);
    expectNear(standardDeviation(normals, 'population'), golden.std_population_of_normals ?? null);
    expectNear(standardDeviation(normals, 'sample'), golden.std_sample_of_normals ?? null);
    const range = {
      min: Math.min(...scores),
      max: Math.max(...scores),
      threshold: golden.minmax_threshold_used,
    };
    golden.minmax_normalised_first8?.forEach((expected, i) =>
      expectNear(normaliseMinMax(scores[i], range), expected),
    );
  });
});
