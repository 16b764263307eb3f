import { describe, expect, it } from 'vitest';
import { Rng } from '../../src/base/rng';
import { floatTensor, floats } from '../../src/base/tensor';
import { GraphBuilder } from '../../src/graph/builder';
import {
  bicubicMatrix,
  bilinearMatrix,
  enlargeAndBlur,
  gaussianBlur,
  gaussianMatrix,
  multiply,
  nearestMatrix,
  resizeBilinear,
  resizeNearest,
} from '../../src/graph/ops/index';
import type { Matrix } from '../../src/graph/ops/index';
import { relativeError } from '../support/golden';
import { evaluate, openNodeRuntime } from '../support/node-runtime';
import { float } from './samples';

/** Matrix times column vector. */
const times = ({ rows, columns, values }: Matrix, x: readonly number[]): number[] =>
  Array.from({ length: rows }, (_, i) =>
    x.reduce((sum, value, j) => sum + values[i * columns + j] * value, 0),
  );

const close = (found: readonly number[], expected: readonly number[]): void => {
  expect(found.length).toBe(expected.length);
  found.forEach((value, i) => expect(value).toBeCloseTo(expected[i], 12));
};

describe('enlarging (methods.md 1.3)', () => {
  it('[0,1] to 4: half-pixel and corners', () => {
    close(times(bilinearMatrix(2, 4, 'halfPixel'), [0, 1]), [0, 0.25, 0.75, 1]);
    close(times(bilinearMatrix(2, 4, 'corners'), [0, 1]), [0, 1 / 3, 2 / 3, 1]);
  });

  it('to one position: the middle by half-pixel, the first by corners', () => {
    close(times(bilinearMatrix(4, 1, 'halfPixel'), [1, 2, 3, 4]), [2.5]);
    close(times(bilinearMatrix(4, 1, 'corners'), [1, 2, 3, 4]), [1]);
  });

  it('from one position: a constant', () => {
    for (const convention of ['halfPixel', 'corners'] as const)
      close(times(bilinearMatrix(1, 3, convention), [7]), [7, 7, 7]);
  });

  it('nearest takes floor(i·n/m)', () => {
    expect(times(nearestMatrix(3, 7), [0, 1, 2])).toEqual([0, 0, 0, 1, 1, 2, 2]);
    expect(times(nearestMatrix(7, 3), [0, 1, 2, 3, 4, 5, 6])).toEqual([0, 2, 4]);
  });

  it('every rule keeps a constant, and the same size changes nothing', () => {
    const makers = [
      (n: number, m: number) => bilinearMatrix(n, m, 'halfPixel'),
      (n: number, m: number) => bilinearMatrix(n, m, 'corners'),
      nearestMatrix,
      bicubicMatrix,
    ];
    for (const make of makers) {
      for (const [n, m] of [
        [5, 12],
        [12, 5],
        [7, 8],
      ])
        close(times(make(n, m), new Array<number>(n).fill(1)), new Array<number>(m).fill(1));
      close(times(make(6, 6), [1, 5, 2, 8, 3, 9]), [1, 5, 2, 8, 3, 9]);
    }
  });

  it('a map that has the size already is given back as it is', () => {
    const x = new GraphBuilder().input('x', [1, 1, 4, 6]);
    expect([resizeBilinear(x, 4, 6), resizeNearest(x, 4, 6), gaussianBlur(x, 0)]).toEqual([x, x, x]);
  });

  it('rows and columns are not mixed up', async () => {
    const x = floatTensor([1, 1, 2, 3], [0, 1, 2, 10, 11, 12]);
    const { y } = await evaluate(openNodeRuntime(), { x }, (v) => ({ y: resizeBilinear(v.x, 4, 3) }));
    expect([...floats(y)]).toEqual([0, 1, 2, 2.5, 3.5, 4.5, 7.5, 8.5, 9.5, 10, 11, 12]);
  });
});

describe('Gaussian smoothing (methods.md 1.4)', () => {
  const at = (matrix: Matrix, i: number, j: number) => matrix.values[i * matrix.columns + j];

  it('an isolated impulse at σ = 4: 33 taps, and the published values', () => {
    const blur = gaussianMatrix(41, 4);
    const spread = (row: number, column: number) => at(blur, row, 20) * at(blur, column, 20);
    expect(spread(20, 20)).toBeCloseTo(0.009947888, 10);
    expect(spread(20, 21)).toBeCloseTo(0.0096418236, 10);
    expect(spread(24, 24)).toBeCloseTo(0.0036596235, 10);
    const taps = Array.from({ length: 41 }, (_, i) => at(blur, i, 20)).filter((weight) => weight > 0);
    expect(taps.length).toBe(33);
    expect(taps.reduce((a, b) => a + b)).toBeCloseTo(1, 12);
  });

  it.each([
    [2, 17],
    [8, 65],
    [1, 9],
    [0.4, 5],
  ])('σ = %d has %d taps', (sigma, taps) => {
    const row = gaussianMatrix(101, sigma).values.subarray(50 * 101, 51 * 101);
    expect(row.filter((weight) => weight > 0).length).toBe(taps);
  });

  it('repeats the edge, also when the kernel is far longer than the map', () => {
    // Position p of … 1 0 | 0 1 2 | 2 1 0 | 0 1 … by walking, not by a formula.
    const walk = [0, 1, 2, 2, 1, 0];
    const n = 3;
    const [sigma, radius] = [2, 8];
    const weights = Array.from({ length: 2 * radius + 1 }, (_, i) => Math.exp(-((i - radius) ** 2) / 8));
    const total = weights.reduce((a, b) => a + b);
    const blur = gaussianMatrix(n, sigma);
    for (let i = 0; i < n; i++) {
      const row = [0, 0, 0];
      weights.forEach((weight, tap) => (row[walk[(i + tap - radius + 60) % 6]] += weight / total));
      row.forEach((weight, j) => expect(at(blur, i, j)).toBeCloseTo(weight, 12));
    }
  });

  it('σ = 0 is the identity', () => {
    expect([...gaussianMatrix(3, 0).values]).toEqual([1, 0, 0, 0, 1, 0, 0, 0, 1]);
  });

  it('enlarging and smoothing at once is one after the other', async () => {
    const runtime = openNodeRuntime();
    const x = float(new Rng(2, 'resize.map'), [2, 1, 6, 5], 0, 1);
    for (const convention of ['halfPixel', 'corners'] as const) {
      const { both, after } = await evaluate(runtime, { x }, (v) => ({
        both: enlargeAndBlur(v.x, 30, 40, 3, convention),
        after: gaussianBlur(resizeBilinear(v.x, 30, 40, convention), 3),
      }));
      expect(relativeError(floats(both), floats(after))).toBeLessThan(1e-6);
    }
  });
});

it('matrices are multiplied rows by columns', () => {
  const matrix = (rows: number, columns: number, values: number[]): Matrix => ({
    rows,
    columns,
    values: Float64Array.from(values),
  });
  expect(multiply(matrix(2, 3, [1, 2, 3, 0, 1, 0]), matrix(3, 2, [1, 2, 3, 4, 5, 6]))).toEqual(
    matrix(2, 2, [22, 28, 3, 4]),
  );
});
