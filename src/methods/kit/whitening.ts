import { floatTensor } from '../../base/tensor';
import { graphOf } from '../../graph/builder';
import {
  add,
  concat,
  div,
  expand,
  matMul,
  mul,
  neg,
  slice,
  sqrt,
  sub,
  transposeLast,
} from '../../graph/ops/index';
import type { Value } from '../../graph/value';

/** Blocks up to this side are eliminated row by row; larger ones are halved, which leaves the work to products. */
const LEAF = 7;

/**
 * Upper-triangular U with Uᵀ·A·U = I for a batch of symmetric positive definite matrices, so that |x·U| is the
 * Mahalanobis length of a row x under covariance A: the inverse Cholesky factor by halves, made of batched products.
 * @param matrices [P,n,n]
 * @returns [P,n,n]
 */
export function whiten(matrices: Value): Value {
  const n = matrices.shape[2];
  if (n <= LEAF) return whitenByElimination(matrices);
  const half = Math.ceil(n / 2);
  const block = (row: 0 | 1, column: 0 | 1) => {
    const rows = slice(matrices, 1, row * half, row ? n : half);
    return slice(rows, 2, column * half, column ? n : half);
  };
  const first = whiten(block(0, 0));
  const across = matMul(transposeLast(first), block(0, 1));
  const second = whiten(sub(block(1, 1), matMul(transposeLast(across), across)));
  const corner = neg(matMul(first, matMul(across, second)));
  const nothing = expand(graphOf(matrices).constant(0), [matrices.shape[0], n - half, half]);
  return concat([concat([first, corner], 2), concat([nothing, second], 2)], 1);
}

/** Gaussian elimination of [A | I]: what the unit matrix becomes is the inverse of the unit-triangular factor. */
function whitenByElimination(matrices: Value): Value {
  const [batch, n] = matrices.shape;
  const unit = graphOf(matrices).constant(identity(n));
  let rest = concat([matrices, expand(unit, [batch, n, n])], 2);
  const rows: Value[] = [];
  for (let k = 0; k < n; k++) {
    const row = slice(rest, 1, 0, 1);
    const pivot = slice(row, 2, k, k + 1);
    rows.push(div(slice(row, 2, n, 2 * n), sqrt(pivot)));
    if (k === n - 1) break;
    const below = slice(rest, 1, 1);
    rest = sub(below, mul(div(slice(below, 2, k, k + 1), pivot), row));
  }
  return transposeLast(concat(rows, 1));
}

const identity = (n: number) =>
  floatTensor(
    [1, n, n],
    Float32Array.from({ length: n * n }, (_, i) => (i % (n + 1) === 0 ? 1 : 0)),
  );

/** A + λ·I for a batch of square matrices [P,n,n]. */
export const addToDiagonal = (matrices: Value, lambda: number): Value =>
  add(matrices, mul(graphOf(matrices).constant(identity(matrices.shape[2])), lambda));
