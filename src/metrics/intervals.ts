import { assert } from '../base/errors';
import { Rng } from '../base/rng';
import { incompleteBetaInverse } from './incomplete-beta';
import { quantile } from './statistics';

export interface Interval {
  readonly low: number;
  readonly high: number;
}

/**
 * The exact interval (Clopper and Pearson) of a share seen as `k` of `n`: it covers the true share at least so often as
 * `level` says. Whole numbers are not asked for, so that a share can be carried over to another `n`.
 * @returns null of nothing
 * @throws internal unless 0 ≤ k ≤ n
 * @source Clopper and Pearson, "The use of confidence or fiducial limits illustrated in the case of the binomial", 1934
 */
export function binomialInterval(k: number, n: number, level = 0.95): Interval | null {
  assert(k >= 0 && k <= n, `${k} of ${n}`);
  if (!n) return null;
  const tail = (1 - level) / 2;
  return {
    low: k ? incompleteBetaInverse(tail, k, n - k + 1) : 0,
    high: k < n ? incompleteBetaInverse(1 - tail, k + 1, n - k) : 1,
  };
}

/** What a class is expected to reach when nothing is known of it. */
const EXPECTED_RATE = 0.9;

/**
 * How many images of a class it takes until the exact interval of its share is at most `halfWidth` to either side on
 * average, should the share stay as it was observed.
 * @param rate observed share, null when none was: 0.9 is assumed
 */
export function imagesForBound(rate: number | null, halfWidth = 0.1, level = 0.95): number {
  assert(halfWidth > 0, `a bound of ±${halfWidth}`);
  const enough = (n: number) => {
    const { low, high } = binomialInterval((rate ?? EXPECTED_RATE) * n, n, level)!;
    return (high - low) / 2 <= halfWidth;
  };
  let most = 1;
  while (!enough(most)) most *= 2;
  let tooFew = Math.floor(most / 2);
  while (most - tooFew > 1) {
    const middle = Math.floor((tooFew + most) / 2);
    if (enough(middle)) most = middle;
    else tooFew = middle;
  }
  return most;
}

export interface BootstrapOptions {
  readonly rounds?: number;
  readonly level?: number;
}

/**
 * Percentile intervals of figures that have no formula, by drawing the items anew with replacement. All figures see the
 * same draws.
 * @param figures of the items at these indices; null where a draw leaves one undefined, which is left out
 * @returns null for a figure whose draws never differ: they say nothing about how sure it is
 * @source Efron and Tibshirani, "An introduction to the bootstrap", 1993, 13.3
 */
export function bootstrapIntervals<Name extends string>(
  items: number,
  figures: (drawn: Int32Array) => Readonly<Record<Name, number | null>>,
  seed: number,
  { rounds = 1000, level = 0.95 }: BootstrapOptions = {},
): Record<Name, Interval | null> {
  const rng = new Rng(seed, 'bootstrap');
  const drawn = new Int32Array(items);
  const rows = Array.from({ length: rounds }, () => figures(drawn.map(() => rng.integer(items))));
  const names = Object.keys(rows[0] ?? {}) as Name[];
  const intervalOf = (name: Name): Interval | null => {
    const values = rows.flatMap((row) => row[name] ?? []);
    if (values.every((value) => value === values[0])) return null;
    return { low: quantile(values, (1 - level) / 2)!, high: quantile(values, (1 + level) / 2)! };
  };
  return Object.fromEntries(names.map((name) => [name, intervalOf(name)])) as Record<Name, Interval | null>;
}
