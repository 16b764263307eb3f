import { graphOf } from '../builder';
import type { OpDefinition, Value } from '../value';
import { broadcastShape, requireType } from './broadcast';
import { add } from './arithmetic';
import { reshape, transposeLast } from './layout';

export const MatMul: OpDefinition = {
  type: 'MatMul',
  infer(inputs, _attributes, reject) {
    requireType(inputs, 'float32', reject);
    const [a, b] = inputs.map(({ shape }) => shape);
    if (a.length < 2 || b.length < 2) reject('both sides need two axes or more');
    const inner = a[a.length - 1];
    if (inner !== b[b.length - 2]) reject(`${inner} columns against ${b[b.length - 2]} rows`);
    const batch = broadcastShape([a.slice(0, -2), b.slice(0, -2)], reject);
    return [{ dtype: 'float32', shape: [...batch, a[a.length - 2], b[b.length - 1]] }];
  },
  gradient({ inputs: [a, b], gradient, needed }) {
    const byA = needed[0] ? matMul(gradient, transposeLast(b)) : null;
    if (!needed[1]) return [byA, null];
    if (b.rank > 2 || a.rank === 2) return [byA, matMul(transposeLast(a), gradient)];
    // One weight for a whole batch: one product over all rows instead of one per batch entry and their sum.
    const rows = (x: Value) => reshape(x, [-1, x.shape[x.rank - 1]]);
    return [byA, matMul(transposeLast(rows(a)), rows(gradient))];
  },
};

/** Matrix product of the last two axes, batch axes broadcast. */
export function matMul(a: Value, b: Value): Value {
  return graphOf(a, b).emit(MatMul, [a, b])[0];
}

/** A'·B' + C, two axes; ' transposes where the attribute says so. */
export const Gemm: OpDefinition = {
  type: 'Gemm',
  infer(inputs, { transA, transB }, reject) {
    requireType(inputs, 'float32', reject);
    const [a, b, c] = inputs.map(({ shape }) => shape);
    if (a.length !== 2 || b.length !== 2) reject('both sides need two axes');
    const [rows, inner] = transA ? [a[1], a[0]] : a;
    const [innerB, columns] = transB ? [b[1], b[0]] : b;
    if (inner !== innerB) reject(`${inner} columns against ${innerB} rows`);
    if (c && broadcastShape([c, [rows, columns]], reject).join() !== [rows, columns].join())
      reject(`the addend doesn't fit [${rows},${columns}]`);
    return [{ dtype: 'float32', shape: [rows, columns] }];
  },
  gradient({ inputs: [a, b, c], attributes: { transA, transB }, gradient, needed }) {
    const product = (x: Value, y: Value, tx: unknown, ty: unknown) => gemm(x, y, undefined, !!tx, !!ty);
    const byA = transA ? product(b, gradient, transB, true) : product(gradient, b, false, !transB);
    const byB = transB ? product(gradient, a, true, transA) : product(a, gradient, !transA, false);
    const found = [needed[0] ? byA : null, needed[1] ? byB : null];
    return c ? [...found, gradient] : found;
  },
};

/** a'·b' (+ c), ' a transposition that costs nothing. */
export function gemm(a: Value, b: Value, c?: Value, transA = false, transB = false): Value {
  const inputs = c ? [a, b, c] : [a, b];
  return graphOf(a, b).emit(Gemm, inputs, { transA: Number(transA), transB: Number(transB) })[0];
}

/**
 * x·Wᵀ + b over the last axis, as PyTorch's Linear.
 * @param x [..., in]
 * @param weight [out, in]
 * @param bias [out]
 */
export function linear(x: Value, weight: Value, bias?: Value): Value {
  if (x.rank === 2) return gemm(x, weight, bias, false, true);
  const product = matMul(x, transposeLast(weight));
  return bias ? add(product, bias) : product;
}
