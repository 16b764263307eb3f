import { floatTensor } from '../../base/tensor';
import { add, mul } from '../../graph/ops/index';
import type { Value } from '../../graph/value';

/**
 * Upper-triangular U with Uᵀ·(share·A + λI)·U = I for each of many symmetric positive semidefinite matrices, so that
 * |x·U| is the Mahalanobis length of a row x: the inverse of Cholesky's factor. Plain loops in float64, because a graph
 * of eliminations is a thousand nodes, which take longer to compile than these take to run.
 * @param matrices A, [count,n,n]
 * @returns U, [count,n,n]
 */
export function whiten(matrices: Float32Array, n: number, share: number, lambda: number): Float32Array {
  const whitening = new Float32Array(matrices.length);
  const factor = new Float64Array(n * n);
  const inverse = new Float64Array(n * n);
  for (let at = 0; at < matrices.length; at += n * n) {
    choleskyFactor(matrices.subarray(at, at + n * n), n, share, lambda, factor);
    invertLower(factor, n, inverse);
    for (let i = 0; i < n; i++) for (let j = 0; j <= i; j++) whitening[at + j * n + i] = inverse[i * n + j];
  }
  return whitening;
}

/** Lower L with L·Lᵀ = share·A + λI. */
function choleskyFactor(
  matrix: Float32Array,
  n: number,
  share: number,
  lambda: number,
  factor: Float64Array,
): void {
  for (let i = 0; i < n; i++)
    for (let j = 0; j <= i; j++) {
      let rest = share * matrix[i * n + j] + (i === j ? lambda : 0);
      for (let k = 0, a = i * n, b = j * n; k < j; k++) rest -= factor[a++] * factor[b++];
      // What is left of a diagonal element is λ at least, whatever rounding made of A.
      factor[i * n + j] = i === j ? Math.sqrt(Math.max(rest, lambda)) : rest / factor[j * n + j];
    }
}

function invertLower(factor: Float64Array, n: number, inverse: Float64Array): void {
  for (let i = 0; i < n; i++) {
    const row = i * n;
    for (let j = 0; j < i; j++) inverse[row + j] = 0;
    for (let k = 0; k < i; k++) {
      const weight = factor[row + k];
      for (let j = 0, from = k * n; j <= k; j++) inverse[row + j] -= weight * inverse[from++];
    }
    for (let j = 0; j < i; j++) inverse[row + j] /= factor[row + i];
    inverse[row + i] = 1 / factor[row + i];
  }
}

/** A + λ·I for a batch of square matrices [P,n,n]. */
export function addToDiagonal(matrices: Value, lambda: number): Value {
  const n = matrices.shape[2];
  const identity = Float32Array.from({ length: n * n }, (_, i) => (i % (n + 1) === 0 ? 1 : 0));
  return add(matrices, mul(matrices.graph.constant(floatTensor([1, n, n], identity)), lambda));
}
