import { assert } from '../../base/errors';
import type { Shape } from '../../base/tensor';
import { graphOf } from '../builder';
import type { Value } from '../value';
import { mul } from './arithmetic';
import { columnsOf } from './columns';
import { Conv } from './conv';
import type { ConvGeometry } from './conv';
import { concat, padImage, reshape, slice, transpose, transposeLast } from './layout';
import { gemm, matMul } from './linear';
import { reduceSum } from './reduce';

/**
 * dL/dW of a convolution, by the recipes measured in runtime.md 5: one batched product per kernel tap with dYᵀ made
 * once; for depthwise kernels element products (3×3, stride 1) or one grouped convolution (larger, or strided). Where a
 * product a tap is mostly overhead (few positions against the channels, or many strided taps) one product of all taps
 * takes half the time.
 * @param x [N,C,H,W]
 * @param gradient dL/dY [N,K,P,Q]
 * @param shape of the weight, [K, C/group, kh, kw]
 */
export function convWeightGradient(x: Value, gradient: Value, shape: Shape, g: ConvGeometry): Value {
  const [k, perGroup, kh, kw] = shape;
  // `conv` runs other groups one by one, so what is grouped here is depthwise.
  assert(g.group === 1 || (perGroup === 1 && g.group === k), `${g.group} groups of ${perGroup} channels`);
  const [, , p, q] = gradient.shape;
  const strided = g.strides.every((stride) => stride > 1);
  const undilated = g.dilations.every((dilation) => dilation === 1);
  const inOne = p * q <= (kh * kw > 1 ? 2 * k : k) || (strided && kh * kw >= 16);
  if (g.group === 1 && undilated && inOne) return byColumns(x, gradient, shape, g);
  const padded = fit(padImage(x, g.pads), gradient, kh, kw, g);
  if (g.group > 1)
    return kh * kw > 9 || g.strides.some((stride) => stride > 1)
      ? byGroupedConv(padded, gradient, kh, kw, g)
      : byElementProducts(padded, gradient, kh, kw, g);
  return byTaps(padded, gradient, shape, g);
}

/** Cuts off rows and columns behind the last kernel position (a stride may leave some). */
function fit(padded: Value, gradient: Value, kh: number, kw: number, g: ConvGeometry): Value {
  const reach = (kernel: number, axis: 0 | 1) =>
    (gradient.shape[axis + 2] - 1) * g.strides[axis] + g.dilations[axis] * (kernel - 1) + 1;
  return slice(slice(padded, 2, 0, reach(kh, 0)), 3, 0, reach(kw, 1));
}

/** The input pixels under kernel tap (i, j), one for each output position: [N,C,P,Q]. */
function tapOf(padded: Value, gradient: Value, i: number, j: number, g: ConvGeometry): Value {
  const along = (value: Value, axis: 0 | 1, tap: number) => {
    const start = tap * g.dilations[axis];
    const end = start + (gradient.shape[axis + 2] - 1) * g.strides[axis] + 1;
    return slice(value, axis + 2, start, end, g.strides[axis]);
  };
  return along(along(padded, 0, i), 1, j);
}

const taps = (kh: number, kw: number): (readonly [number, number])[] =>
  Array.from({ length: kh * kw }, (_, n) => [Math.floor(n / kw), n % kw] as const);

function byTaps(padded: Value, gradient: Value, [k, channels, kh, kw]: Shape, g: ConvGeometry): Value {
  const [n, , p, q] = gradient.shape;
  const upstream = transposeLast(reshape(gradient, [n, k, p * q]));
  const products = taps(kh, kw).map(([i, j]) => {
    const columns = reshape(tapOf(padded, gradient, i, j, g), [n, channels, p * q]);
    return reshape(reduceSum(matMul(columns, upstream), [0]), [1, channels, k]);
  });
  // [taps, C, K] → [K, C, taps]
  return reshape(transpose(concat(products, 0), [2, 1, 0]), [k, channels, kh, kw]);
}

/** All taps in one product. */
function byColumns(x: Value, gradient: Value, [k, channels, kh, kw]: Shape, g: ConvGeometry): Value {
  const [n, , p, q] = gradient.shape;
  const upstream = reshape(transpose(gradient, [0, 2, 3, 1]), [n * p * q, k]);
  const found = gemm(upstream, columnsOf(x, [p, q], [kh, kw], g), undefined, true);
  return transpose(reshape(found, [k, kh, kw, channels]), [0, 3, 1, 2]);
}

function byElementProducts(padded: Value, gradient: Value, kh: number, kw: number, g: ConvGeometry): Value {
  const k = gradient.shape[1];
  const sums = taps(kh, kw).map(([i, j]) =>
    reshape(reduceSum(mul(tapOf(padded, gradient, i, j, g), gradient), [0, 2, 3]), [1, k]),
  );
  return reshape(transpose(concat(sums, 0), [1, 0]), [k, 1, kh, kw]);
}

/** Batch and channel become groups, the upstream gradient the kernel; stride and dilation swap. */
function byGroupedConv(padded: Value, gradient: Value, kh: number, kw: number, g: ConvGeometry): Value {
  const [n, k, p, q] = gradient.shape;
  const [, c, h, w] = padded.shape;
  const [result] = graphOf(padded).emit(
    Conv,
    [reshape(padded, [1, n * c, h, w]), reshape(gradient, [n * k, 1, p, q])],
    { strides: g.dilations, dilations: g.strides, pads: [0, 0, 0, 0], group: n * c },
  );
  return reshape(reduceSum(reshape(result, [n, k, kh, kw]), [0]), [k, 1, kh, kw]);
}
