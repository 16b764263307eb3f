import { sizeOf } from '../../base/tensor';
import { graphOf } from '../builder';
import type { OpDefinition, Value } from '../value';
import { div, mul, sub } from './arithmetic';
import { requireType } from './broadcast';
import { equal, toFloat } from './compare';
import { ConvTranspose, convolvedSide, geometryOf } from './conv';
import type { ConvGeometry } from './conv';
import { concat, padImage, reshape, slice } from './layout';

export interface PoolOptions {
  readonly kernel: readonly [number, number];
  readonly strides?: readonly [number, number];
  readonly pads?: readonly [number, number, number, number];
}

const fill = ({ kernel, strides, pads }: PoolOptions) => ({
  kernel_shape: kernel,
  strides: strides ?? kernel,
  pads: pads ?? [0, 0, 0, 0],
});

/** A pool has a convolution's geometry with one group per channel. */
const poolGeometry = (attributes: Parameters<typeof geometryOf>[0], channels: number): ConvGeometry => ({
  ...geometryOf(attributes),
  dilations: [1, 1],
  group: channels,
});

const pool = (type: string, gradient: OpDefinition['gradient']): OpDefinition => ({
  type,
  infer(inputs, attributes, reject) {
    requireType(inputs, 'float32', reject);
    const { shape } = inputs[0];
    if (shape.length !== 4) reject('x is [B,C,H,W]');
    const [kh, kw] = attributes.kernel_shape as readonly number[];
    const g = poolGeometry(attributes, shape[1]);
    const sides = [convolvedSide(shape[2], kh, g, 0), convolvedSide(shape[3], kw, g, 1)];
    if (sides.some((side) => side < 1)) reject('the window is larger than the padded input');
    return [{ dtype: 'float32', shape: [shape[0], shape[1], ...sides] }];
  },
  gradient,
});

/** Below every float32 that a network gives, so that padding never wins. */
const LOWEST = -3.4e38;

/**
 * The gradient goes to the first largest element of each window, as in PyTorch. ONNX's indices aren't to be had on
 * the GPU, so the windows' elements are compared tap by tap, and one transposed convolution with unit kernels puts
 * the taps back in their places.
 */
export const MaxPool = pool('MaxPool', ({ inputs: [x], outputs: [y], attributes, gradient }) => {
  const [kh, kw] = attributes.kernel_shape as readonly number[];
  const g = poolGeometry(attributes, x.shape[1]);
  const padded = padImage(x, g.pads, LOWEST);
  let open: Value | undefined;
  const routed: Value[] = [];
  for (let tap = 0; tap < kh * kw; tap++) {
    const hit = toFloat(equal(windowTap(padded, y, Math.floor(tap / kw), tap % kw, g), y));
    const first = open ? mul(hit, open) : hit;
    open = open ? sub(open, first) : sub(1, first);
    routed.push(mul(gradient, first));
  }
  return [putBack(routed, kh, kw, g, x)];
});

/** One element of every window: [B,C,P,Q]. */
function windowTap(padded: Value, y: Value, i: number, j: number, g: ConvGeometry): Value {
  const along = (value: Value, axis: 0 | 1, start: number) =>
    slice(value, axis + 2, start, start + (y.shape[axis + 2] - 1) * g.strides[axis] + 1, g.strides[axis]);
  return along(along(padded, 0, i), 1, j);
}

/** The transpose of taking windows: adds each tap's values to the pixels they came from. */
function putBack(taps: readonly Value[], kh: number, kw: number, g: ConvGeometry, x: Value): Value {
  const [b, c, h, w] = x.shape;
  const [, , p, q] = taps[0].shape;
  const count = kh * kw;
  const stacked = reshape(
    concat(
      taps.map((tap) => reshape(tap, [b, c, 1, p, q])),
      2,
    ),
    [b, c * count, p, q],
  );
  const kernels = new Float32Array(c * count * count);
  for (let i = 0; i < c * count; i++) kernels[i * count + (i % count)] = 1;
  const weight = graphOf(x).constant({ dtype: 'float32', shape: [c * count, 1, kh, kw], data: kernels });
  const covered = (axis: 0 | 1, kernel: number) =>
    ([p, q][axis] - 1) * g.strides[axis] + kernel - g.pads[axis] - g.pads[axis + 2];
  return graphOf(x).emit(ConvTranspose, [stacked, weight], {
    ...g,
    output_padding: [h - covered(0, kh), w - covered(1, kw)],
  })[0];
}

/** Largest element of each window; pads never win. */
export const maxPool = (x: Value, options: PoolOptions): Value =>
  graphOf(x).emit(MaxPool, [x], fill(options))[0];

export const AveragePool = pool('AveragePool', ({ inputs: [x], outputs: [y], attributes, gradient }) => {
  const [kh, kw] = attributes.kernel_shape as readonly number[];
  const g = poolGeometry(attributes, x.shape[1]);
  const share = attributes.count_include_pad
    ? div(gradient, kh * kw)
    : mul(gradient, reciprocalCounts(x, y, kh, kw, g));
  const ones = new Float32Array(x.shape[1] * kh * kw).fill(1);
  const weight = graphOf(x).constant({ dtype: 'float32', shape: [x.shape[1], 1, kh, kw], data: ones });
  const covered = (axis: 0 | 1, kernel: number) =>
    (y.shape[axis + 2] - 1) * g.strides[axis] + kernel - g.pads[axis] - g.pads[axis + 2];
  return [
    graphOf(x).emit(ConvTranspose, [share, weight], {
      ...g,
      output_padding: [x.shape[2] - covered(0, kh), x.shape[3] - covered(1, kw)],
    })[0],
  ];
});

/** 1 / (number of real pixels in each window), for means that leave padding out. */
function reciprocalCounts(x: Value, y: Value, kh: number, kw: number, g: ConvGeometry): Value {
  const real = (axis: 0 | 1, kernel: number) =>
    Array.from({ length: y.shape[axis + 2] }, (_, i) => {
      const start = i * g.strides[axis] - g.pads[axis];
      return Math.min(start + kernel, x.shape[axis + 2]) - Math.max(start, 0);
    });
  const [rows, columns] = [real(0, kh), real(1, kw)];
  const shape = [1, 1, rows.length, columns.length];
  const data = new Float32Array(sizeOf(shape));
  rows.forEach((r, i) => columns.forEach((c, j) => (data[i * columns.length + j] = 1 / (r * c))));
  return graphOf(x).constant({ dtype: 'float32', shape, data });
}

/**
 * Mean of each window.
 * @param countPadding whether padded zeros count in the mean (methods.md 5.2 wants it)
 */
export const averagePool = (x: Value, options: PoolOptions, countPadding = true): Value =>
  graphOf(x).emit(AveragePool, [x], { ...fill(options), count_include_pad: Number(countPadding) })[0];
