import { describe, expect, it } from 'vitest';
import { Rng } from '../../../src/base/rng';
import { floatTensor, floats } from '../../../src/base/tensor';
import type { TensorData } from '../../../src/base/tensor';
import { addToDiagonal, whiten } from '../../../src/methods/kit/whitening';
import { evaluate, openNodeRuntime } from '../../support/node-runtime';

const BATCH = 3;

/** Q·diag(λ)·Qᵀ with eigenvalues from 1 down to 1/condition and Q from Gram and Schmidt. */
function definite(rng: Rng, n: number, condition: number): Float32Array {
  const basis: Float64Array[] = [];
  while (basis.length < n) {
    const vector = Float64Array.from({ length: n }, () => rng.normal());
    // Twice: once leaves a rest where vectors are many.
    for (let round = 0; round < 2; round++)
      for (const other of basis) {
        const along = vector.reduce((sum, value, i) => sum + value * other[i], 0);
        for (let i = 0; i < n; i++) vector[i] -= along * other[i];
      }
    const norm = Math.sqrt(vector.reduce((sum, value) => sum + value * value, 0));
    basis.push(vector.map((value) => value / norm));
  }
  const matrix = new Float32Array(n * n);
  for (let i = 0; i < n; i++)
    for (let j = 0; j < n; j++)
      matrix[i * n + j] = basis.reduce(
        (sum, q, k) => sum + q[i] * q[j] * condition ** -(n > 1 ? k / (n - 1) : 0),
        0,
      );
  return matrix;
}

function batchOf(n: number, condition: number): TensorData {
  const rng = new Rng(n, 'whitening');
  const data = new Float32Array(BATCH * n * n);
  for (let b = 0; b < BATCH; b++) data.set(definite(rng, n, condition), b * n * n);
  return floatTensor([BATCH, n, n], data);
}

/** Largest entry of |Uᵀ·A·U − I| and of U below its diagonal. */
function flaws(matrices: TensorData, whitening: TensorData): { rest: number; below: number } {
  const n = matrices.shape[1];
  let [rest, below] = [0, 0];
  for (let b = 0; b < BATCH; b++) {
    const a = floats(matrices).subarray(b * n * n, (b + 1) * n * n);
    const u = floats(whitening).subarray(b * n * n, (b + 1) * n * n);
    const au = new Float64Array(n * n);
    for (let i = 0; i < n; i++)
      for (let k = 0; k < n; k++) for (let j = 0; j < n; j++) au[i * n + j] += a[i * n + k] * u[k * n + j];
    for (let i = 0; i < n; i++)
      for (let j = 0; j < n; j++) {
        let sum = i === j ? -1 : 0;
        for (let k = 0; k < n; k++) sum += u[k * n + i] * au[k * n + j];
        rest = Math.max(rest, Math.abs(sum));
        if (i > j) below = Math.max(below, Math.abs(u[i * n + j]));
      }
  }
  return { rest, below };
}

const SIZES = [1, 2, 3, 7, 16, 29, 64, 100];

const whitened = (matrices: TensorData, share = 1, lambda = 0): TensorData =>
  floatTensor(matrices.shape, whiten(floats(matrices), matrices.shape[1], share, lambda));

describe('whiten', () => {
  it.each(SIZES)('side %d: upper triangular, and Uᵀ·A·U is the unit matrix', (n) => {
    const matrices = batchOf(n, 10);
    const { rest, below } = flaws(matrices, whitened(matrices));
    expect(below).toBe(0);
    expect(rest).toBeLessThan(1e-5);
  });

  it.each([2, 7, 8, 29, 64, 100])('side %d, ill-conditioned by 10⁴', (n) => {
    const matrices = batchOf(n, 1e4);
    const { rest, below } = flaws(matrices, whitened(matrices));
    expect(below).toBe(0);
    // Rounding of float32 times the condition number.
    expect(rest).toBeLessThan(1e-3);
  });

  it('one number: its reciprocal root', () => {
    expect([...floats(whitened(floatTensor([3, 1, 1], [4, 0.25, 100])))]).toEqual([0.5, 2, Math.fround(0.1)]);
  });

  it('a known factor: A = [[4,2],[2,5]] has U = [[½,−¼],[0,½]]', () => {
    expect([...floats(whitened(floatTensor([1, 2, 2], [4, 2, 2, 5])))]).toEqual([0.5, -0.25, 0, 0.5]);
  });

  it('share and regulariser: of share·A + λI', () => {
    const scaled = floatTensor([1, 2, 2], [30, 20, 20, 40]);
    expect([...floats(whitened(scaled, 0.1, 1))]).toEqual([0.5, -0.25, 0, 0.5]);
  });

  it('no variance at all, or less than none by rounding: that of the regulariser', () => {
    const nothing = floatTensor([2, 2, 2], [0, 0, 0, 0, -1e-6, 0, 0, -1e-6]);
    expect([...floats(whitened(nothing, 1, 0.25))]).toEqual([2, 0, 0, 2, 2, 0, 0, 2]);
  });
});

it('addToDiagonal', async () => {
  const matrices = floatTensor([2, 2, 2], [1, 2, 3, 4, 5, 6, 7, 8]);
  const { y } = await evaluate(openNodeRuntime(), { matrices }, (v) => ({
    y: addToDiagonal(v.matrices, 0.5),
  }));
  expect([...floats(y)]).toEqual([1.5, 2, 3, 4.5, 5.5, 6, 7, 8.5]);
});
