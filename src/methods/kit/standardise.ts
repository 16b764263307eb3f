import { floatTensor, floats } from '../../base/tensor';
import type { TensorData } from '../../base/tensor';
import { div, sub } from '../../graph/ops/index';
import type { Value } from '../../graph/value';

const LEAST_DEVIATION = 1e-3;

/** What brings rows to mean 0 and deviation 1. [D] each */
export interface Standard {
  readonly mean: TensorData;
  readonly std: TensorData;
}

/** Mean and population deviation of every input over the images, at least 0.001. @source methods.md 17.3 */
export function standardisation(rows: readonly Float32Array[]): Standard {
  const width = rows[0].length;
  const mean = new Float64Array(width);
  for (const row of rows) row.forEach((value, k) => (mean[k] += value / rows.length));
  const variance = new Float64Array(width);
  for (const row of rows) row.forEach((value, k) => (variance[k] += (value - mean[k]) ** 2 / rows.length));
  return {
    mean: floatTensor([width], Float32Array.from(mean)),
    std: floatTensor(
      [width],
      Float32Array.from(variance, (value) => Math.max(Math.sqrt(value), LEAST_DEVIATION)),
    ),
  };
}

/** Rows less their mean over their deviation, and what brings another row there. */
export function standardised(rows: readonly Float32Array[]): {
  readonly rows: readonly Float32Array[];
  readonly standard: Standard;
} {
  const standard = standardisation(rows);
  const [means, deviations] = [floats(standard.mean), floats(standard.std)];
  return {
    rows: rows.map((row) => row.map((value, k) => (value - means[k]) / deviations[k])),
    standard,
  };
}

/** The same inside a graph. @param x [B,D] @param mean [D] @param std [D] @returns [B,D] */
export const standardise = (x: Value, { mean, std }: Readonly<Record<keyof Standard, Value>>): Value =>
  div(sub(x, mean), std);
