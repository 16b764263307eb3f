import { assert } from '../base/errors';
import { rankDescending } from './order';
import type { Ranked } from './order';

/**
 * What every threshold catches: one entry per distinct score, descending; an item is positive from its score on
 * (score ≥ threshold). Everything that ranks is computed from this, whether it came from a sort or from a histogram.
 */
export interface Sweep {
  readonly thresholds: Float64Array;
  /** Anomalous items at or above each threshold. */
  readonly truePositives: Uint32Array;
  /** Normal items at or above each threshold. */
  readonly falsePositives: Uint32Array;
  readonly positives: number;
  readonly negatives: number;
}

/** The best F1 over all thresholds. */
export interface BestF1 {
  /** 2PR / (P + R + 1e-10), the form of the published tables. */
  readonly f1: number;
  /** 2PR / (P + R). */
  readonly exactF1: number;
  /** The lowest score that reaches it. */
  readonly threshold: number;
}

/**
 * @param labels one per score, anything but 0 is anomalous
 * @throws internal when the lengths differ; run/not-finite
 */
export function sweep(scores: ArrayLike<number>, labels: ArrayLike<number>): Sweep {
  assert(scores.length === labels.length, `${scores.length} scores for ${labels.length} labels`);
  return sweepRanked(scores, labels, rankDescending(scores));
}

/** `sweep` of scores that are ranked already. */
export function sweepRanked(
  scores: ArrayLike<number>,
  labels: ArrayLike<number>,
  { order, ends }: Ranked,
): Sweep {
  const thresholds = new Float64Array(ends.length);
  const truePositives = new Uint32Array(ends.length);
  const falsePositives = new Uint32Array(ends.length);
  let positives = 0;
  for (let group = 0, i = 0; group < ends.length; group++) {
    thresholds[group] = scores[order[i]];
    for (; i < ends[group]; i++) if (labels[order[i]]) positives++;
    truePositives[group] = positives;
    falsePositives[group] = i - positives;
  }
  return { thresholds, truePositives, falsePositives, positives, negatives: scores.length - positives };
}

/** Area under the ROC curve; null without both kinds. @source methods 20.1 */
export function rocArea({ truePositives, falsePositives, positives, negatives }: Sweep): number | null {
  if (!positives || !negatives) return null;
  // Twice the area in units of one pair is a whole number, exact up to 2^53.
  let doubled = 0;
  let lastTrue = 0;
  let lastFalse = 0;
  for (let i = 0; i < truePositives.length; i++) {
    doubled += (falsePositives[i] - lastFalse) * (truePositives[i] + lastTrue);
    lastTrue = truePositives[i];
    lastFalse = falsePositives[i];
  }
  return doubled / (2 * positives * negatives);
}

/** Average precision, the step-wise area; null without anomalous items. @source methods 20.2 */
export function stepArea({ truePositives, falsePositives, positives }: Sweep): number | null {
  if (!positives) return null;
  let area = 0;
  let last = 0;
  for (let i = 0; i < truePositives.length; i++) {
    const caught = truePositives[i];
    area += ((caught - last) * caught) / (caught + falsePositives[i]);
    last = caught;
  }
  return area / positives;
}

/**
 * Trapezoid area under precision over recall, thresholds falling, from (recall 0, precision 1); null without
 * anomalous items. @source methods 20.2
 */
export function trapezoidArea({ truePositives, falsePositives, positives }: Sweep): number | null {
  if (!positives) return null;
  let area = 0;
  let last = 0;
  let lastPrecision = 1;
  for (let i = 0; i < truePositives.length; i++) {
    const precision = truePositives[i] / (truePositives[i] + falsePositives[i]);
    area += ((truePositives[i] - last) * (precision + lastPrecision)) / 2;
    last = truePositives[i];
    lastPrecision = precision;
  }
  return area / positives;
}

/**
 * The area that anomalib calls AUPR: points of equal recall are visited from the lowest to the highest threshold, so
 * each step joins the highest-threshold point of one recall with the lowest-threshold point of the next. Only for
 * comparison with numbers from there. @source methods 20.2
 */
export function anomalibArea({ truePositives, falsePositives, positives }: Sweep): number | null {
  if (!positives) return null;
  const precision = (i: number) => truePositives[i] / (truePositives[i] + falsePositives[i]);
  let area = 0;
  let recall = 0;
  let highestOfRecall = 1;
  for (let i = 0; i < truePositives.length;) {
    const caught = truePositives[i];
    const first = i;
    while (i < truePositives.length && truePositives[i] === caught) i++;
    // At recall 0 the curve's own end point (0, 1) is the last visited.
    if (!caught) continue;
    area += ((caught - recall) * (highestOfRecall + precision(i - 1))) / 2;
    recall = caught;
    highestOfRecall = precision(first);
  }
  return area / positives;
}

/** The best F1 and where it is reached; null without anomalous items. @source methods 20.3 */
export function bestF1({ thresholds, truePositives, falsePositives, positives }: Sweep): BestF1 | null {
  if (!positives) return null;
  let best = 0;
  for (let i = 1; i < thresholds.length; i++) {
    // 2·TP / (positives + predicted) compared as fractions of whole numbers: equal is equal, and the later one is lower.
    const here = truePositives[i] * (positives + truePositives[best] + falsePositives[best]);
    const there = truePositives[best] * (positives + truePositives[i] + falsePositives[i]);
    if (here >= there) best = i;
  }
  const caught = truePositives[best];
  const predicted = caught + falsePositives[best];
  const precision = caught / predicted;
  const recall = caught / positives;
  return {
    f1: (2 * precision * recall) / (precision + recall + 1e-10),
    exactF1: (2 * caught) / (positives + predicted),
    threshold: thresholds[best],
  };
}
