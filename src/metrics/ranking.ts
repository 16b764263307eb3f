/**
 * How well scores rank anomalous items above normal ones. All take one score per item (higher = stranger) and one label
 * per item (0 normal, anything else anomalous), give null where the number isn't defined, and throw `internal` when the
 * lengths differ and `run/not-finite` when a score is NaN or infinite. For several numbers of one large set, make one
 * `sweep` and use its areas.
 */
import { anomalibArea, bestF1, rocArea, stepArea, sweep, trapezoidArea } from './sweep';
import type { BestF1 } from './sweep';

type Numbers = ArrayLike<number>;

/** Chance that an anomalous item scores above a normal one, ties half; null without both kinds. @source methods 20.1 */
export const auroc = (scores: Numbers, labels: Numbers): number | null => rocArea(sweep(scores, labels));

/** Average precision (scikit-learn's); null without anomalous items. @source methods 20.2 */
export const averagePrecision = (scores: Numbers, labels: Numbers): number | null =>
  stepArea(sweep(scores, labels));

/** Trapezoid area under precision over recall; differs from average precision. @source methods 20.2 */
export const auprTrapezoid = (scores: Numbers, labels: Numbers): number | null =>
  trapezoidArea(sweep(scores, labels));

/** The area that anomalib reports as AUPR; only to compare with its numbers. @source methods 20.2 */
export const auprAnomalib = (scores: Numbers, labels: Numbers): number | null =>
  anomalibArea(sweep(scores, labels));

/** The best F1 of all thresholds and the lowest threshold that reaches it. @source methods 20.3 */
export const f1Max = (scores: Numbers, labels: Numbers): BestF1 | null => bestF1(sweep(scores, labels));

export interface RocCurve {
  readonly falsePositiveRate: Float64Array;
  readonly truePositiveRate: Float64Array;
  /** The first is +∞, where nothing is caught. */
  readonly thresholds: Float64Array;
}

/** The points of the ROC curve from (0,0) to (1,1), one per distinct score; null without both kinds. */
export function rocCurve(scores: Numbers, labels: Numbers): RocCurve | null {
  const { thresholds, truePositives, falsePositives, positives, negatives } = sweep(scores, labels);
  if (!positives || !negatives) return null;
  return {
    falsePositiveRate: led(0, falsePositives, (count) => count / negatives),
    truePositiveRate: led(0, truePositives, (count) => count / positives),
    thresholds: led(Infinity, thresholds, (threshold) => threshold),
  };
}

export interface PrecisionRecallCurve {
  readonly precision: Float64Array;
  readonly recall: Float64Array;
  /** The first is +∞, where precision is 1 by convention. */
  readonly thresholds: Float64Array;
}

/** Precision and recall from (recall 0, precision 1) on, one per distinct score; null without anomalous items. */
export function precisionRecallCurve(scores: Numbers, labels: Numbers): PrecisionRecallCurve | null {
  const { thresholds, truePositives, falsePositives, positives } = sweep(scores, labels);
  if (!positives) return null;
  return {
    precision: led(1, truePositives, (count, i) => count / (count + falsePositives[i])),
    recall: led(0, truePositives, (count) => count / positives),
    thresholds: led(Infinity, thresholds, (threshold) => threshold),
  };
}

/** `first`, then every value through `point`. */
function led(first: number, values: Numbers, point: (value: number, i: number) => number): Float64Array {
  const out = new Float64Array(values.length + 1);
  out[0] = first;
  for (let i = 0; i < values.length; i++) out[i + 1] = point(values[i], i);
  return out;
}
