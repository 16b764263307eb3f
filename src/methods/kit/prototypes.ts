import type { ClassifierSize } from '../classifier';
import type { MemoryEstimate, MethodState, StateValues } from '../contract';
import { div, sub } from '../../graph/ops/index';
import type { Value } from '../../graph/value';
import { standardisation } from './class-head';
import type { LabelledRows } from './class-head';

/** Rows less their mean over their deviation, with what brings another row there. */
export function standardised({ rows }: LabelledRows): { rows: Float32Array[]; state: MethodState } {
  const { mean, std } = standardisation(rows);
  const [means, deviations] = [mean.data as Float32Array, std.data as Float32Array];
  return {
    rows: rows.map((row) => row.map((value, k) => (value - means[k]) / deviations[k])),
    state: { mean, std },
  };
}

/** A raw row, brought to where the fitted ones are. [B,D] */
export const standardise = (x: Value, { mean, std }: StateValues): Value => div(sub(x, mean), std);

/** Memory of methods that keep one vector for each of so many. */
export const keptVectors = ({ images, taps }: ClassifierSize, views: number): MemoryEstimate => {
  const bytes = 4 * images * views * Object.values(taps).reduce((sum, shape) => sum + shape.at(-1)!, 0);
  return { fitBytes: 3 * bytes, stateBytes: bytes };
};
