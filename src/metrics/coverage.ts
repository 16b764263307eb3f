import { sweep } from './sweep';

/** What classifying only from a confidence on gives. */
export interface CoveragePoint {
  /** Items of at least this confidence get a class, the others are unknown. */
  readonly threshold: number;
  /** Share of all items that get a class. */
  readonly coverage: number;
  /** Share of those that is wrong. */
  readonly risk: number;
}

/**
 * Risk over coverage, one point per distinct confidence, falling, so that coverage rises to 1.
 * @param confidence top probability per item
 * @param right anything but 0 where the item's class is right
 * @throws internal when the lengths differ; run/not-finite
 * @source El-Yaniv and Wiener, "On the foundations of noise-free selective classification", 2010
 */
export function coverageRisk(confidence: ArrayLike<number>, right: ArrayLike<number>): CoveragePoint[] {
  const { thresholds, truePositives, falsePositives } = sweep(confidence, right);
  return Array.from(thresholds, (threshold, i) => {
    const classified = truePositives[i] + falsePositives[i];
    return { threshold, coverage: classified / confidence.length, risk: falsePositives[i] / classified };
  });
}

/**
 * The largest coverage at which at most `risk` of the classified items are wrong: `coverageAt99` for 0.01. 0 where no
 * threshold reaches it; null of nothing.
 */
export function coverageAt(points: readonly CoveragePoint[], risk = 0.01): number | null {
  if (!points.length) return null;
  return points.findLast((point) => point.risk <= risk)?.coverage ?? 0;
}

/**
 * Area under risk over coverage (AURC), 0 … 1, the lower the better: the mean risk over the items, each at its own
 * confidence as the threshold.
 * @returns null of nothing
 * @source Geifman, Uziel and El-Yaniv, "Bias-reduced uncertainty estimation for deep neural classifiers", 2019
 */
export function riskArea(points: readonly CoveragePoint[]): number | null {
  if (!points.length) return null;
  return points.reduce(
    (area, { coverage, risk }, i) => area + risk * (coverage - (points[i - 1]?.coverage ?? 0)),
    0,
  );
}
