import { formatShape, sameShape, sizeOf } from '../../base/tensor';
import type { Shape, TensorData } from '../../base/tensor';
import { graphOf } from '../builder';
import type { OpDefinition, Value } from '../value';
import { broadcastShape, fromFront, isAxis } from './broadcast';

/** A list of integers as the int64 input that ONNX wants. */
export const int64List = (list: readonly number[]): TensorData => ({
  dtype: 'int64',
  shape: [list.length],
  data: BigInt64Array.from(list, BigInt),
});

export const Transpose: OpDefinition = {
  type: 'Transpose',
  infer([{ dtype, shape }], attributes, reject) {
    const perm = attributes.perm as readonly number[];
    if (
      !sameShape(
        [...perm].sort((a, b) => a - b),
        shape.map((_, axis) => axis),
      )
    )
      reject(`perm ${formatShape(perm)} is no order of ${shape.length} axes`);
    return [{ dtype, shape: perm.map((axis) => shape[axis]) }];
  },
  gradient({ attributes, gradient }) {
    const perm = attributes.perm as readonly number[];
    return [
      transpose(
        gradient,
        perm.map((_, axis) => perm.indexOf(axis)),
      ),
    ];
  },
};

/** Axes in another order: axis i of the result is axis perm[i] of x. */
export function transpose(x: Value, perm: readonly number[]): Value {
  if (perm.every((axis, i) => axis === i) && perm.length === x.rank) return x;
  return graphOf(x).emit(Transpose, [x], { perm: [...perm] })[0];
}

/** The last two axes swapped. */
export function transposeLast(x: Value): Value {
  const order = x.shape.map((_, axis) => axis);
  return transpose(x, [...order.slice(0, -2), x.rank - 1, x.rank - 2]);
}

export const Reshape: OpDefinition = {
  type: 'Reshape',
  infer([{ dtype, shape }], attributes, reject) {
    const wanted = attributes.shape as Shape;
    if (sizeOf(wanted) !== sizeOf(shape))
      reject(`${sizeOf(shape)} elements don't fill shape ${formatShape(wanted)}`);
    return [{ dtype, shape: wanted }];
  },
  gradient: ({ inputs: [x], gradient }) => [reshape(gradient, x.shape)],
  operands: ({ shape }) => [int64List(shape as Shape)],
  operandNames: ['shape'],
};

/** The same elements in another shape; one side may be −1, what is left. */
export function reshape(x: Value, shape: Shape): Value {
  const known = shape.reduce((product, side) => (side < 0 ? product : product * side), 1);
  const full = shape.map((side) => (side < 0 ? sizeOf(x.shape) / known : side));
  if (sameShape(full, x.shape)) return x;
  // A reshape of a reshape is one reshape.
  const { origin } = x;
  const source = origin.kind === 'node' && origin.node.op === Reshape ? origin.node.inputs[0] : x;
  if (sameShape(full, source.shape)) return source;
  return graphOf(x).emit(Reshape, [source], { shape: full })[0];
}

export const Concat: OpDefinition = {
  type: 'Concat',
  infer(inputs, { axis }, reject) {
    const [first] = inputs;
    const at = axis as number;
    if (!isAxis(at, first.shape.length)) reject(`axis ${at} doesn't fit`);
    for (const { dtype, shape } of inputs)
      if (
        dtype !== first.dtype ||
        shape.length !== first.shape.length ||
        shape.some((side, i) => i !== at && side !== first.shape[i])
      )
        reject(`only axis ${at} may differ`);
    const total = inputs.reduce((sum, { shape }) => sum + shape[at], 0);
    return [{ dtype: first.dtype, shape: first.shape.map((side, i) => (i === at ? total : side)) }];
  },
  gradient({ inputs, attributes, gradient, needed }) {
    const axis = attributes.axis as number;
    let start = 0;
    return inputs.map((input, i) => {
      const from = start;
      start += input.shape[axis];
      return needed[i] ? slice(gradient, axis, from, start) : null;
    });
  },
};

/** Values one after another along an axis. */
export function concat(values: readonly Value[], axis: number): Value {
  if (values.length === 1) return values[0];
  return graphOf(...values).emit(Concat, values, { axis: fromFront(axis, values[0].rank) })[0];
}

/** Values of one shape stacked along a new first axis. */
export const stack = (values: readonly Value[]): Value =>
  concat(
    values.map((value) => reshape(value, [1, ...value.shape])),
    0,
  );

/** One axis at a time; steps of 1 and more. */
export const Slice: OpDefinition = {
  type: 'Slice',
  infer([{ dtype, shape }], { axis, start, end, step }, reject) {
    const [at, from, to, by] = [axis, start, end, step] as number[];
    const fits = isAxis(at, shape.length) && from >= 0 && from < to && to <= shape[at] && by >= 1;
    if (!fits || ![from, to, by].every(Number.isInteger))
      reject(`range ${from}..${to} step ${by} of axis ${at}`);
    return [{ dtype, shape: shape.map((side, i) => (i === at ? Math.ceil((to - from) / by) : side)) }];
  },
  gradient({ inputs: [x], attributes, gradient }) {
    const { axis, start, step } = attributes as Record<string, number>;
    const spread = spreadOut(gradient, axis, step, x.shape[axis] - start);
    return [padAxis(spread, axis, start, x.shape[axis] - start - spread.shape[axis])];
  },
  operands: ({ axis, start, end, step }) =>
    [start, end, axis, step].map((value) => int64List([value as number])),
  operandNames: ['axis', 'start', 'end', 'step'],
};

/** Puts step−1 zeros behind every element along an axis, cut to at most `limit`. */
function spreadOut(x: Value, axis: number, step: number, limit: number): Value {
  if (step === 1) return x;
  const { shape } = x;
  const lifted = reshape(x, [...shape.slice(0, axis + 1), 1, ...shape.slice(axis + 1)]);
  const padded = padAxis(lifted, axis + 1, 0, step - 1);
  const spread = reshape(
    padded,
    shape.map((side, i) => (i === axis ? side * step : side)),
  );
  return spread.shape[axis] > limit ? slice(spread, axis, 0, limit) : spread;
}

/** Elements start, start+step, … before `end` along an axis. */
export function slice(x: Value, axis: number, start: number, end = x.shape[axis] ?? 0, step = 1): Value {
  if (start === 0 && end === x.shape[axis] && step === 1) return x;
  return graphOf(x).emit(Slice, [x], { axis, start, end, step })[0];
}

export const Pad: OpDefinition = {
  type: 'Pad',
  infer([{ dtype, shape }], attributes, reject) {
    const pads = attributes.pads as readonly number[];
    if (pads.length !== 2 * shape.length || pads.some((side) => side < 0))
      reject(`pads ${formatShape(pads)} for rank ${shape.length}`);
    return [{ dtype, shape: shape.map((side, i) => side + pads[i] + pads[i + shape.length]) }];
  },
  gradient({ inputs: [x], attributes, gradient }) {
    const pads = attributes.pads as readonly number[];
    return [
      x.shape.reduce((value, side, axis) => slice(value, axis, pads[axis], pads[axis] + side), gradient),
    ];
  },
  operands: ({ pads, value }) => [
    int64List(pads as readonly number[]),
    { dtype: 'float32', shape: [], data: Float32Array.of(value as number) },
  ],
  operandNames: ['pads', 'value'],
};

/** A constant border: `pads` holds the counts before each axis, then after each. */
export function pad(x: Value, pads: readonly number[], value = 0): Value {
  if (pads.every((side) => side === 0)) return x;
  return graphOf(x).emit(Pad, [x], { pads: [...pads], value })[0];
}

function padAxis(x: Value, axis: number, before: number, after: number): Value {
  const pads = new Array<number>(2 * x.rank).fill(0);
  pads[axis] = before;
  pads[x.rank + axis] = after;
  return pad(x, pads);
}

/** Border rows and columns of an image batch: [top, left, bottom, right] of the last two axes. */
export function padImage(x: Value, [top, left, bottom, right]: readonly number[], value = 0): Value {
  const none = new Array<number>(x.rank - 2).fill(0);
  return pad(x, [...none, top, left, ...none, bottom, right], value);
}

export const Expand: OpDefinition = {
  type: 'Expand',
  infer([{ dtype, shape }], attributes, reject) {
    const wanted = attributes.shape as Shape;
    if (!sameShape(broadcastShape([shape, wanted], reject), wanted))
      reject(`can't be expanded to ${formatShape(wanted)}`);
    return [{ dtype, shape: wanted }];
  },
  // The sweep sums a gradient that is larger than its input.
  gradient: ({ gradient }) => [gradient],
  operands: ({ shape }) => [int64List(shape as Shape)],
  operandNames: ['shape'],
};

/** Repeats along axes of side 1 (and new leading axes). */
export function expand(x: Value, shape: Shape): Value {
  if (sameShape(x.shape, shape)) return x;
  return graphOf(x).emit(Expand, [x], { shape: [...shape] })[0];
}

/** Every pixel `factor` times in both directions: [B,C,H,W] to [B,C,H·f,W·f]. */
export function repeatPixels(x: Value, factor: number): Value {
  const [b, c, h, w] = x.shape;
  const lifted = reshape(x, [b, c, h, 1, w, 1]);
  return reshape(expand(lifted, [b, c, h, factor, w, factor]), [b, c, h * factor, w * factor]);
}
