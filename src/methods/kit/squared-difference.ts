import { mul, sub } from '../../graph/ops/index';
import type { Value } from '../../graph/value';

/** (a − b)², element by element. */
export function squaredDifference(a: Value, b: Value): Value {
  const difference = sub(a, b);
  return mul(difference, difference);
}
