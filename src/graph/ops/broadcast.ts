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

/** An axis as nodes keep it: negative ones count from the back. What is none stays, for the shape rule to refuse. */
export const fromFront = (axis: number, rank: number): number =>
  axis < 0 && axis >= -rank ? axis + rank : axis;

/** Whether a node may keep this as an axis. */
export const isAxis = (axis: number, rank: number): boolean =>
  Number.isInteger(axis) && axis >= 0 && axis < rank;

/** Ends the rule unless these are axes, each once. */
export function requireAxes(axes: readonly number[], rank: number, reject: Reject): void {
  if (!axes.every((axis) => isAxis(axis, rank))) reject(`axes ${formatShape(axes)} don't fit rank ${rank}`);
  if (new Set(axes).size !== axes.length) reject(`axes ${formatShape(axes)} name one twice`);
}

/** A type with the same shape and element type as an input. */
export const sameType = ({ dtype, shape }: ValueType): ValueType => ({ dtype, shape });

/** Ends the rule unless every input has the wanted element type. */
export function requireType(inputs: readonly ValueType[], dtype: ValueType['dtype'], reject: Reject): void {
  for (const input of inputs) if (input.dtype !== dtype) reject(`needs ${dtype}, got ${input.dtype}`);
}
