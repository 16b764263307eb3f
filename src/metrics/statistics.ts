import { assertFinite } from './order';

/** Arithmetic mean; null of nothing. @throws run/not-finite */
export function mean(values: ArrayLike<number>): number | null {
  assertFinite(values, 'values');
  if (!values.length) return null;
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i];
  return sum / values.length;
}

/**
 * Standard deviation in two passes. `population` divides by n, `sample` by n − 1.
 * @returns null of nothing, and for `sample` of a single value
 * @throws run/not-finite
 */
export function standardDeviation(values: ArrayLike<number>, of: 'population' | 'sample'): number | null {
  const centre = mean(values);
  const divisor = of === 'population' ? values.length : values.length - 1;
  if (centre === null || divisor < 1) return null;
  let squares = 0;
  for (let i = 0; i < values.length; i++) squares += (values[i] - centre) ** 2;
  return Math.sqrt(squares / divisor);
}

/**
 * The value below which a share `q` (0 to 1) lies, by linear interpolation between neighbours (numpy's default).
 * @returns null of nothing
 * @throws run/not-finite
 */
export function quantile(values: ArrayLike<number>, q: number): number | null {
  assertFinite(values, 'values');
  if (!values.length) return null;
  const sorted = Float64Array.from(values).sort();
  const position = q * (sorted.length - 1);
  const below = Math.floor(position);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below] + (sorted[above] - sorted[below]) * (position - below);
}
