import { describe, expect, it } from 'vitest';
import {
  BYTES_PER_ELEMENT,
  bytesOf,
  floatTensor,
  floats,
  formatShape,
  intTensor,
  sameShape,
  sizeOf,
  stridesOf,
  zeros,
} from '../../src/base/tensor';
import type { DType } from '../../src/base/tensor';

const internal = (message: string) => expect.objectContaining({ code: 'internal', message }) as Error;

describe('shapes', () => {
  it('sizes, with 1 for a scalar and 0 for an empty side', () => {
    expect([[], [3], [2, 3, 4], [2, 0, 4]].map(sizeOf)).toEqual([1, 3, 24, 0]);
  });

  it('compares side by side', () => {
    expect(sameShape([1, 2], [1, 2])).toBe(true);
    expect(sameShape([], [])).toBe(true);
    expect([sameShape([1, 2], [2, 1]), sameShape([1], [1, 1]), sameShape([1, 1], [1])]).toEqual([
      false,
      false,
      false,
    ]);
  });

  it('prints', () => {
    expect([formatShape([]), formatShape([1, 3, 224, 224])]).toEqual(['[]', '[1,3,224,224]']);
  });

  it('strides lead to the element that nested loops reach', () => {
    const shape = [2, 3, 4];
    const strides = stridesOf(shape);
    let flat = 0;
    for (let i = 0; i < 2; i++)
      for (let j = 0; j < 3; j++)
        for (let k = 0; k < 4; k++) expect(i * strides[0] + j * strides[1] + k * strides[2]).toBe(flat++);
    expect([stridesOf([]), stridesOf([7])]).toEqual([[], [1]]);
  });
});

describe('tensors', () => {
  it('take numbers or the array itself', () => {
    const data = Float32Array.of(1, 2);
    expect(floatTensor([2], data).data).toBe(data);
    expect(floatTensor([1, 2], [0.5, 0.1]).data).toEqual(Float32Array.of(0.5, 0.1));
    expect(intTensor([3], [1, -2, 3])).toEqual({ dtype: 'int32', shape: [3], data: Int32Array.of(1, -2, 3) });
    const integers = Int32Array.of(4);
    expect(intTensor([], integers).data).toBe(integers);
  });

  it('refuse another number of values than the shape has', () => {
    expect(() => floatTensor([2, 2], [1, 2, 3])).toThrow(internal('3 values for shape [2,2]'));
    expect(() => intTensor([2], [1])).toThrow(internal('1 values for shape [2]'));
  });

  it.each(Object.keys(BYTES_PER_ELEMENT) as DType[])('zeros of %s have the stated bytes', (dtype) => {
    const { data, shape } = zeros([2, 3], dtype);
    expect([data.length, shape]).toEqual([6, [2, 3]]);
    expect(bytesOf(data)).toEqual(new Uint8Array(6 * BYTES_PER_ELEMENT[dtype]));
  });

  it('floats gives the values of float32 and of nothing else', () => {
    const tensor = floatTensor([1], [3]);
    expect(floats(tensor)).toBe(tensor.data);
    expect(zeros([2]).dtype).toBe('float32');
    expect(() => floats(zeros([2], 'int64'))).toThrow(internal('expected float32, got int64'));
  });

  it('bytesOf is a view of exactly the array', () => {
    const whole = Float32Array.of(1, 2, 3);
    const bytes = bytesOf(whole.subarray(1, 2));
    expect([bytes.length, bytes.byteOffset]).toEqual([4, 4]);
    bytes.fill(0);
    expect([...whole]).toEqual([1, 0, 3]);
  });
});
