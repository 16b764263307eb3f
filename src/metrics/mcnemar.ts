import { assert } from '../base/errors';
import { incompleteBeta } from './incomplete-beta';

/** How two classifiers do on the same images. */
export interface PairedComparison {
  readonly bothRight: number;
  /** Right by the first alone. */
  readonly onlyFirst: number;
  /** Right by the second alone. */
  readonly onlySecond: number;
  readonly bothWrong: number;
  /** How probable a split at least so uneven is when both are right equally often: McNemar's exact test, two-sided. */
  readonly p: number;
}

/**
 * @param actual class index per image
 * @param first predicted class index per image, any other number for unknown, which is not right
 * @throws internal when the lengths differ
 * @source McNemar, "Note on the sampling error of the difference between correlated proportions or percentages", 1947
 */
export function mcnemar(
  actual: ArrayLike<number>,
  first: ArrayLike<number>,
  second: ArrayLike<number>,
): PairedComparison {
  const n = actual.length;
  assert(
    first.length === n && second.length === n,
    `${first.length} and ${second.length} predictions for ${n}`,
  );
  let [bothRight, onlyFirst, onlySecond] = [0, 0, 0];
  for (let i = 0; i < n; i++) {
    const [a, b] = [first[i] === actual[i], second[i] === actual[i]];
    if (a && b) bothRight++;
    else if (a) onlyFirst++;
    else if (b) onlySecond++;
  }
  const bothWrong = n - bothRight - onlyFirst - onlySecond;
  return { bothRight, onlyFirst, onlySecond, bothWrong, p: exactP(onlyFirst, onlySecond) };
}

/** Twice the smaller tail of a fair coin. */
function exactP(b: number, c: number): number {
  const [fewer, more] = [Math.min(b, c), Math.max(b, c)];
  return fewer === more ? 1 : Math.min(1, 2 * incompleteBeta(0.5, more, fewer + 1));
}
