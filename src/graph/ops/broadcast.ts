import { formatShape } from '../../base/tensor';
import type { Shape } from '../../base/tensor';
import type { Reject, ValueType } from '../value';

/** The common shape of several by ONNX's (numpy's) rule: align right, sides equal or 1. */
export function broadcastShape(shapes: readonly Shape[], reject: Reject): Shape {
  const rank = Math.max(...shapes.map((shape) => shape.length));
  return Array.from({ length: rank }, (_, axis) => {
    let side = 1;
    for (const shape of shapes) {
      const own = shape[axis - rank + shape.length] ?? 1;
      if (own === 1) continue;
      if (side !== 1 && side !== own)
        reject(`shapes ${shapes.map(formatShape).join(' and ')} don't broadcast at axis ${axis - rank}`);
      side = own;
    }
    return side;
  });
}

/** Axes counted from the front, ascending, each once; negative ones count from the back. */
export function normaliseAxes(axes: readonly number[], rank: number, reject: Reject): number[] {
  const positive = axes.map((axis) => (axis < 0 ? axis + rank : axis));
  if (positive.some((axis) => !Number.isInteger(axis) || axis < 0 || axis >= rank))
    reject(`axes ${formatShape(axes)} don't fit rank ${rank}`);
  if (new Set(positive).size !== positive.length) reject(`axes ${formatShape(axes)} name one twice`);
  return positive.sort((a, b) => a - b);
}

/** A type with the same shape and element type as an input. */
export const sameType = ({ dtype, shape }: ValueType): ValueType => ({ dtype, shape });

/** Ends the rule unless every input has the wanted element type. */
export function requireType(inputs: readonly ValueType[], dtype: ValueType['dtype'], reject: Reject): void {
  for (const input of inputs) if (input.dtype !== dtype) reject(`needs ${dtype}, got ${input.dtype}`);
}
