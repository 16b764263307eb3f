import { assert } from '../base/errors';
import { assertFinite, rankDescending } from './order';
import { mean } from './statistics';

type Numbers = ArrayLike<number>;

/**
 * Spearman's rank correlation of two methods' scores for the same items, −1 … 1, ties at their average rank.
 * @returns null when either list is constant or shorter than 2
 * @throws internal when the lengths differ; run/not-finite
 */
export function spearman(a: Numbers, b: Numbers): number | null {
  assert(a.length === b.length, `${a.length} scores against ${b.length}`);
  const ranksA = averageRanks(a);
  const ranksB = averageRanks(b);
  const centre = mean(ranksA);
  if (centre === null) return null;
  let product = 0;
  let squaresA = 0;
  let squaresB = 0;
  for (let i = 0; i < a.length; i++) {
    product += (ranksA[i] - centre) * (ranksB[i] - centre);
    squaresA += (ranksA[i] - centre) ** 2;
    squaresB += (ranksB[i] - centre) ** 2;
  }
  return squaresA && squaresB ? product / Math.sqrt(squaresA * squaresB) : null;
}

/** Ranks from 1 for the highest; equal scores share the mean of their ranks. */
function averageRanks(scores: Numbers): Float64Array {
  const { order, ends } = rankDescending(scores);
  const ranks = new Float64Array(scores.length);
  for (let group = 0, start = 0; group < ends.length; start = ends[group++])
    for (let i = start; i < ends[group]; i++) ranks[order[i]] = (start + 1 + ends[group]) / 2;
  return ranks;
}

/**
 * Kendall's tau-b: the surplus of pairs that two methods order alike over those they order apart, −1 … 1, corrected
 * for ties.
 * @returns null when either list is constant or shorter than 2
 * @throws internal when the lengths differ; run/not-finite
 * @source Knight, "A computer method for calculating Kendall's tau with ungrouped data", 1966
 */
export function kendallTauB(a: Numbers, b: Numbers): number | null {
  assert(a.length === b.length, `${a.length} scores against ${b.length}`);
  assertFinite(a, 'scores');
  assertFinite(b, 'scores');
  const order = Uint32Array.from({ length: a.length }, (_, i) => i).sort(
    (i, j) => a[i] - a[j] || b[i] - b[j],
  );
  const tiedA = tiedPairs(order.length, (i) => a[order[i]] === a[order[i - 1]]);
  const tiedBoth = tiedPairs(
    order.length,
    (i) => a[order[i]] === a[order[i - 1]] && b[order[i]] === b[order[i - 1]],
  );
  const sorted = Float64Array.from(order, (item) => b[item]);
  const apart = sortCountingInversions(sorted);
  const tiedB = tiedPairs(sorted.length, (i) => sorted[i] === sorted[i - 1]);
  const pairs = (a.length * (a.length - 1)) / 2;
  const scale = Math.sqrt((pairs - tiedA) * (pairs - tiedB));
  return scale ? (pairs - tiedA - tiedB + tiedBoth - 2 * apart) / scale : null;
}

/** Pairs within runs of equal neighbours. */
function tiedPairs(length: number, likeTheOneBefore: (i: number) => boolean): number {
  let pairs = 0;
  for (let i = 1, run = 0; i < length; i++) {
    run = likeTheOneBefore(i) ? run + 1 : 0;
    pairs += run;
  }
  return pairs;
}

/** Merge sort in place, bottom up; how many pairs stood in falling order. */
function sortCountingInversions(values: Float64Array): number {
  let inversions = 0;
  for (let width = 1; width < values.length; width *= 2) {
    for (let start = 0; start + width < values.length; start += 2 * width) {
      const left = values.slice(start, start + width);
      const right = values.slice(start + width, start + 2 * width);
      for (let i = 0, j = 0, to = start; i < left.length; to++) {
        if (j < right.length && right[j] < left[i]) {
          values[to] = right[j++];
          inversions += left.length - i;
        } else values[to] = left[i++];
      }
    }
  }
  return inversions;
}
