import { sizeOf } from '../../base/tensor';
import type { DType, Shape, TensorData } from '../../base/tensor';
import { graphOf } from '../builder';
import type { OpDefinition, Value } from '../value';
import { fromFront, isAxis } from './broadcast';
import { cast, equal, toFloat } from './compare';
import { expand, int64List, reshape, transpose } from './layout';
import { matMul } from './linear';

const isIndex = (dtype: DType): boolean => dtype === 'int32' || dtype === 'int64';

export const Gather: OpDefinition = {
  type: 'Gather',
  infer([x, indices], { axis }, reject) {
    const at = axis as number;
    if (!isIndex(indices.dtype)) reject('indices are int32 or int64');
    if (!isAxis(at, x.shape.length)) reject(`axis ${at} doesn't fit`);
    return [{ dtype: x.dtype, shape: [...x.shape.slice(0, at), ...indices.shape, ...x.shape.slice(at + 1)] }];
  },
  gradient({ inputs: [x, indices], attributes, gradient }) {
    const axis = attributes.axis as number;
    const count = sizeOf(indices.shape);
    // Rows first: [count, rest] is scattered into [n, rest].
    const order = (rank: number) => [
      axis,
      ...Array.from({ length: rank }, (_, i) => i).filter((i) => i !== axis),
    ];
    const flat = reshape(gradient, [...x.shape.slice(0, axis), count, ...x.shape.slice(axis + 1)]);
    const rows = transpose(flat, order(x.rank));
    const back = order(x.rank);
    const restore = (value: Value) =>
      transpose(
        value,
        back.map((_, i) => back.indexOf(i)),
      );
    if (indices.origin.kind === 'constant')
      return [restore(addRows(rows, Array.from(indices.origin.tensor.data, Number), x.shape[axis])), null];
    // Indices known only at run time: a one-hot product. They are few wherever this is differentiated.
    const iota = int32Constant(Array.from({ length: x.shape[axis] }, (_, i) => i));
    const oneHot = toFloat(
      equal(reshape(cast(indices), [1, count]), reshape(cast(graphOf(x).constant(iota)), [-1, 1])),
    );
    const summed = matMul(oneHot, reshape(rows, [count, -1]));
    return [restore(reshape(summed, [x.shape[axis], ...rows.shape.slice(1)])), null];
  },
};

const int32Constant = (list: readonly number[], shape: Shape = [list.length]): TensorData => ({
  dtype: 'int32',
  shape,
  data: Int32Array.from(list),
});

/**
 * Picks slices of x along an axis.
 * @param indices int32 or int64 value, or a fixed list
 */
export function gather(x: Value, indices: Value | ArrayLike<number>, axis = 0): Value {
  const graph = graphOf(x);
  const picked = 'graph' in indices ? indices : graph.constant(int32Constant(Array.from(indices)));
  return graph.emit(Gather, [x, picked], { axis })[0];
}

/** Adds rows into zeros: result[index[i]] += rows[i]. A permutation is undone by gathering. */
function addRows(rows: Value, index: readonly number[], count: number): Value {
  if (index.length === count && new Set(index).size === count) {
    const inverse = new Array<number>(count);
    index.forEach((target, i) => (inverse[target] = i));
    return gather(rows, inverse);
  }
  return graphOf(rows).emit(
    ScatterND,
    [expand(graphOf(rows).constant(0), [count, ...rows.shape.slice(1)]), rows],
    {
      rows: [...index],
      reduction: 'add',
    },
  )[0];
}

/** Adds slices of the second input to the first axis of the first; ONNX wants the indices between them. */
export const ScatterND: OpDefinition = {
  type: 'ScatterND',
  infer([target, updates], { rows }, reject) {
    const index = rows as readonly number[];
    if (updates.shape[0] !== index.length || index.some((row) => row < 0 || row >= target.shape[0]))
      reject(`${index.length} rows`);
    if (updates.shape.slice(1).join() !== target.shape.slice(1).join()) reject('the rows have other shapes');
    return [{ dtype: target.dtype, shape: target.shape }];
  },
  gradient: ({ attributes, gradient }) => [gradient, gather(gradient, attributes.rows as readonly number[])],
  operands: ({ rows }) => {
    const list = rows as readonly number[];
    return [{ ...int64List(list), shape: [list.length, 1] }];
  },
  operandNames: ['rows'],
  operandsAt: 1,
};

const elementwiseIndex = (x: Shape, indices: Shape, axis: number): boolean =>
  isAxis(axis, x.length) &&
  x.length === indices.length &&
  indices.every((side, i) => i === axis || side <= x[i]);

export const GatherElements: OpDefinition = {
  type: 'GatherElements',
  infer([x, indices], { axis }, reject) {
    if (!isIndex(indices.dtype)) reject('indices are int32 or int64');
    if (!elementwiseIndex(x.shape, indices.shape, axis as number))
      reject(`indices don't fit axis ${axis as number}`);
    return [{ dtype: x.dtype, shape: indices.shape }];
  },
  gradient: ({ inputs: [x, indices], attributes, gradient }) => [
    scatterAdd(x.shape, indices, gradient, attributes.axis as number),
    null,
  ],
};

/** result[i][j] = x[index[i][j]][j] (axis 0): one element for each index. */
export const gatherElements = (x: Value, indices: Value, axis: number): Value =>
  graphOf(x).emit(GatherElements, [x, indices], { axis })[0];

export const ScatterElements: OpDefinition = {
  type: 'ScatterElements',
  infer([target, indices, updates], { axis }, reject) {
    if (!isIndex(indices.dtype)) reject('indices are int32 or int64');
    if (!elementwiseIndex(target.shape, indices.shape, axis as number)) reject("indices don't fit");
    if (indices.shape.join() !== updates.shape.join()) reject('as many updates as indices');
    return [{ dtype: target.dtype, shape: target.shape }];
  },
  gradient: ({ inputs: [, indices], attributes, gradient, needed }) => [
    gradient,
    null,
    needed[2] ? gatherElements(gradient, indices, attributes.axis as number) : null,
  ],
};

/** Zeros of a shape with elements added at their indices along an axis. */
export const scatterAdd = (shape: Shape, indices: Value, updates: Value, axis: number): Value =>
  graphOf(updates).emit(ScatterElements, [expand(graphOf(updates).constant(0), shape), indices, updates], {
    axis,
    reduction: 'add',
  })[0];

export const TopK: OpDefinition = {
  type: 'TopK',
  infer([x], { k, axis }, reject) {
    const at = axis as number;
    if (!isAxis(at, x.shape.length) || !((k as number) >= 1 && (k as number) <= x.shape[at]))
      reject(`k=${k as number} along axis ${at}`);
    const shape = x.shape.map((side, i) => (i === at ? (k as number) : side));
    return [
      { dtype: x.dtype, shape },
      { dtype: 'int64', shape },
    ];
  },
  gradient: ({ inputs: [x], outputs: [, indices], attributes, gradients: [gradient] }) => [
    gradient ? scatterAdd(x.shape, indices, gradient, attributes.axis as number) : null,
  ],
  operands: ({ k }) => [int64List([k as number])],
  operandNames: ['k'],
};

/** The k largest (or smallest) elements along an axis, best first, and their int64 indices. */
export function topK(x: Value, k: number, axis = -1, largest = true): { values: Value; indices: Value } {
  const attributes = { k, axis: fromFront(axis, x.rank), largest: Number(largest), sorted: 1 };
  const [values, indices] = graphOf(x).emit(TopK, [x], attributes);
  return { values, indices };
}
