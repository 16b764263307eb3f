import { assert } from './errors';

/** Element types that graphs, programs and stored states use. int64 appears only as indices inside a graph. */
export type DType = 'float32' | 'int32' | 'int64' | 'bool' | 'uint8';

export type Shape = readonly number[];

export type TypedArray = Float32Array | Int32Array | BigInt64Array | Uint8Array;

/** A tensor as plain data: row-major, cloneable, storable, hashable. bool is stored as uint8 with values 0 and 1. */
export interface TensorData {
  readonly dtype: DType;
  readonly shape: Shape;
  readonly data: TypedArray;
}

const ARRAYS = {
  float32: Float32Array,
  int32: Int32Array,
  int64: BigInt64Array,
  bool: Uint8Array,
  uint8: Uint8Array,
} as const;

export const BYTES_PER_ELEMENT: Readonly<Record<DType, number>> = {
  float32: 4,
  int32: 4,
  int64: 8,
  bool: 1,
  uint8: 1,
};

/** Number of elements of a shape; 1 for a scalar. */
export const sizeOf = (shape: Shape): number => shape.reduce((product, side) => product * side, 1);

/** `[2,3,4]`, as errors and printed graphs show a shape. */
export const formatShape = (shape: Shape): string => `[${shape.join(',')}]`;

export const sameShape = (a: Shape, b: Shape): boolean =>
  a.length === b.length && a.every((side, i) => side === b[i]);

export function floatTensor(shape: Shape, data: Float32Array | readonly number[]): TensorData {
  const array = data instanceof Float32Array ? data : Float32Array.from(data);
  assert(array.length === sizeOf(shape), `${array.length} values for shape ${formatShape(shape)}`);
  return { dtype: 'float32', shape, data: array };
}

export function intTensor(shape: Shape, data: Int32Array | readonly number[]): TensorData {
  const array = data instanceof Int32Array ? data : Int32Array.from(data);
  assert(array.length === sizeOf(shape), `${array.length} values for shape ${formatShape(shape)}`);
  return { dtype: 'int32', shape, data: array };
}

/** A tensor of zeros. */
export function zeros(shape: Shape, dtype: DType = 'float32'): TensorData {
  return { dtype, shape, data: new ARRAYS[dtype](sizeOf(shape)) };
}

/** The float32 values of a tensor that is known to hold them. @throws internal when it holds another type */
export function floats(tensor: TensorData): Float32Array {
  assert(tensor.data instanceof Float32Array, `expected float32, got ${tensor.dtype}`);
  return tensor.data;
}

/** The bytes behind a typed array, without a copy. */
export const bytesOf = (array: ArrayBufferView): Uint8Array =>
  new Uint8Array(array.buffer, array.byteOffset, array.byteLength);

/** Steps between neighbours along each axis of a row-major array of this shape. */
export function stridesOf(shape: Shape): number[] {
  const strides = new Array<number>(shape.length);
  let step = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = step;
    step *= shape[axis];
  }
  return strides;
}
