import { assert } from '../base/errors';

export type Verdict = 'good' | 'strange' | 'unscored';

/**
 * Strange from the threshold on, as in every metric (score ≥ threshold).
 * @param value a score or calibrated value; undefined before it is known
 * @throws internal when the threshold is NaN
 */
export function verdict(value: number | undefined, threshold: number): Verdict {
  assert(!Number.isNaN(threshold), 'the threshold is NaN');
  // A NaN compares false with the threshold and would pass as good.
  if (value === undefined || Number.isNaN(value)) return 'unscored';
  return value >= threshold ? 'strange' : 'good';
}

/** How many of a set get each verdict. @throws internal when the threshold is NaN */
export function countVerdicts(
  values: Iterable<number | undefined>,
  threshold: number,
): Record<Verdict, number> {
  const counts = { good: 0, strange: 0, unscored: 0 };
  for (const value of values) counts[verdict(value, threshold)]++;
  return counts;
}
