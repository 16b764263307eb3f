import { assert } from '../base/errors';
import { notFinite } from './order';
import { f1Max } from './ranking';
import { mean, quantile, standardDeviation } from './statistics';

/**
 * The lowest score with the best F1 (flag from it on). Without anomalous items the highest score, so that nothing but
 * it is flagged; with anomalous items alone the lowest.
 * @returns null of nothing
 * @throws internal, run/not-finite
 * @source methods 20.6; anomalib's F1AdaptiveThreshold
 */
export function f1AdaptiveThreshold(scores: ArrayLike<number>, labels: ArrayLike<number>): number | null {
  const best = f1Max(scores, labels);
  return best ? best.threshold : quantile(scores, 1);
}

export interface ScoreRange {
  readonly min: number;
  readonly max: number;
  /** Becomes 0.5; half-way between `min` and `max` when it isn't known. */
  readonly threshold?: number;
}

/**
 * A score on the scale 0 to 1 with the threshold at 0.5, cut at both ends: clip((s − t) / (max − min) + 0.5). For
 * comparison with anomalib; the app shows `calibrate`. With max = min only the side of the threshold is left.
 * @throws run/not-finite for NaN
 * @source methods 20.6
 */
export function normaliseMinMax(
  score: number,
  { min, max, threshold = (min + max) / 2 }: ScoreRange,
): number {
  if (Number.isNaN(score)) throw notFinite('the score', score);
  if (score === threshold) return 0.5;
  return Math.min(Math.max((score - threshold) / (max - min) + 0.5, 0), 1);
}

/**
 * The threshold when only good images are known, from their held-out scores: the 0.995 quantile of 200 and more,
 * mean + 3 sample standard deviations of fewer (a quantile of so few is their maximum).
 * @returns null when the scores have no spread (none, one, or all equal): they say nothing about what is strange
 * @throws run/not-finite
 * @source methods 20.6, "our rule"
 */
export function goodOnlyThreshold(scores: ArrayLike<number>): number | null {
  const centre = mean(scores);
  const spread = standardDeviation(scores, 'sample');
  // Equal scores can leave a spread of one rounding, hence extremes instead of `spread > 0`.
  if (centre === null || spread === null || quantile(scores, 0) === quantile(scores, 1)) return null;
  return scores.length >= 200 ? quantile(scores, 0.995) : centre + 3 * spread;
}

/** What turns a method's score into a number that means the same for every method. Plain data, stored with the fit. */
export interface Calibration {
  /** Score of value 0.5. */
  readonly threshold: number;
  /** Median held-out score of the good images: value 0.05. */
  readonly median: number;
  /** How many scores the median is of. */
  readonly n: number;
}

/**
 * @param scores held-out scores of good images
 * @returns null without scores
 * @throws run/not-finite for a score or a threshold
 */
export function calibration(scores: ArrayLike<number>, threshold: number): Calibration | null {
  if (!Number.isFinite(threshold)) throw notFinite('the threshold', threshold);
  const median = quantile(scores, 0.5);
  return median === null ? null : { threshold, median, n: scores.length };
}

const LOG_19 = Math.log(19);

/** Score difference between value 0.05 and 0.5. Where the threshold isn't above the median: a millionth of the two. */
const scaleOf = ({ threshold, median }: Calibration): number =>
  threshold > median ? threshold - median : 1e-6 * (Math.abs(threshold) + Math.abs(median)) || 1e-6;

/**
 * Score to value in 0 … 1, logistic: 0.5 at the threshold, 0.05 at the median good score, 0.95 as far above. Rises
 * strictly as a function, yet float64 ends at 1 some 12 such distances above the threshold: sort by scores, not by
 * values.
 * @throws run/not-finite for NaN
 */
export function calibrate(by: Calibration, score: number): number {
  if (Number.isNaN(score)) throw notFinite('the score', score);
  return 1 / (1 + Math.exp((-LOG_19 * (score - by.threshold)) / scaleOf(by)));
}

/** Value to score, the inverse of `calibrate`; 0 and 1 become ∓∞. @throws internal for a value outside 0 … 1 */
export function uncalibrate(by: Calibration, value: number): number {
  assert(value >= 0 && value <= 1, `calibrated value ${value} is not in 0 … 1`);
  return by.threshold + (scaleOf(by) * Math.log(value / (1 - value))) / LOG_19;
}
