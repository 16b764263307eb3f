import { graphOf } from '../builder';
import type { Attributes, OpDefinition, Reject, Value, ValueType } from '../value';
import { add } from './arithmetic';
import { gather } from './gather';
import { requireType } from './broadcast';
import { convWeightGradient } from './conv-weight-gradient';
import { concat, pad, reshape, slice, transpose } from './layout';
import { reduceSum } from './reduce';

/** Geometry of a convolution, in ONNX's names: pads are [top, left, bottom, right]. */
export interface ConvOptions {
  readonly strides?: readonly [number, number];
  readonly pads?: readonly [number, number, number, number];
  readonly dilations?: readonly [number, number];
  readonly group?: number;
}

/** Filled-in geometry, read back from a node's attributes. */
export interface ConvGeometry {
  readonly strides: readonly number[];
  readonly pads: readonly number[];
  readonly dilations: readonly number[];
  readonly group: number;
}

export const geometryOf = (attributes: Attributes): ConvGeometry => ({
  strides: attributes.strides as readonly number[],
  pads: attributes.pads as readonly number[],
  dilations: attributes.dilations as readonly number[],
  group: attributes.group as number,
});

const fill = (options: ConvOptions): ConvGeometry => ({
  strides: options.strides ?? [1, 1],
  pads: options.pads ?? [0, 0, 0, 0],
  dilations: options.dilations ?? [1, 1],
  group: options.group ?? 1,
});

/** Side of a convolution's output along one spatial axis (0 rows, 1 columns). */
export function convolvedSide(input: number, kernel: number, g: ConvGeometry, axis: 0 | 1): number {
  const reach = g.dilations[axis] * (kernel - 1) + 1;
  return Math.floor((input + g.pads[axis] + g.pads[axis + 2] - reach) / g.strides[axis]) + 1;
}

function checkRanks(inputs: readonly ValueType[], reject: Reject): void {
  requireType(inputs, 'float32', reject);
  if (inputs[0].shape.length !== 4) reject('x is [B,C,H,W]');
  if (inputs[1].shape.length !== 4) reject('the weight has four axes');
  if (inputs[2] && inputs[2].shape.length !== 1) reject('the bias has one axis');
}

export const Conv: OpDefinition = {
  type: 'Conv',
  infer(inputs, attributes, reject) {
    checkRanks(inputs, reject);
    const g = geometryOf(attributes);
    const [[b, c, h, w], [k, perGroup, kh, kw]] = inputs.map(({ shape }) => shape);
    if (perGroup * g.group !== c || k % g.group)
      reject(`${c} channels in ${g.group} groups don't fit the weight`);
    if (inputs[2] && inputs[2].shape[0] !== k)
      reject(`the bias has ${inputs[2].shape[0]} values for ${k} channels`);
    const rows = convolvedSide(h, kh, g, 0);
    const columns = convolvedSide(w, kw, g, 1);
    if (rows < 1 || columns < 1) reject('the kernel is larger than the padded input');
    return [{ dtype: 'float32', shape: [b, k, rows, columns] }];
  },
  gradient({ inputs: [x, weight, bias], outputs: [y], attributes, gradient, needed }) {
    const g = geometryOf(attributes);
    const found = [
      needed[0] ? convInputGradient(x, weight, y, gradient, g) : null,
      needed[1] ? convWeightGradient(x, gradient, weight.shape, g) : null,
    ];
    return bias ? [...found, needed[2] ? reduceSum(gradient, [0, 2, 3]) : null] : found;
  },
};

/**
 * Without stride a convolution with the kernel turned round and its channels swapped, which providers run twice as fast
 * as what it stands for: a transposed convolution with the same weight, what the stride left over padded at the far side.
 */
function convInputGradient(x: Value, weight: Value, y: Value, gradient: Value, g: ConvGeometry): Value {
  const rest = ([0, 1] as const).map((axis) => {
    const reach = g.dilations[axis] * (weight.shape[axis + 2] - 1) + 1;
    const covered = (y.shape[axis + 2] - 1) * g.strides[axis] + reach - g.pads[axis] - g.pads[axis + 2];
    return x.shape[axis + 2] - covered;
  });
  const plain = g.strides.every((stride) => stride === 1) && g.dilations.every((dilation) => dilation === 1);
  const pads = g.pads.map((before, i) => weight.shape[2 + (i % 2)] - 1 - before);
  if (plain && pads.every((side) => side >= 0))
    return emitConv(gradient, turnedRound(weight, g.group === 1), undefined, { ...g, pads });
  return graphOf(x).emit(ConvTranspose, [gradient, weight], { ...g, output_padding: rest })[0];
}

/** A kernel [K,C,kh,kw] with rows and columns reversed, and inputs and outputs swapped unless it is depthwise. */
function turnedRound(weight: Value, swapped: boolean): Value {
  const [k, c, kh, kw] = weight.shape;
  const taps = reshape(weight, [k, c, kh * kw]);
  const order = Array.from({ length: kh * kw }, (_, i) => kh * kw - 1 - i);
  const index = weight.graph.constant({ dtype: 'int32', shape: [kh * kw], data: Int32Array.from(order) });
  const reversed = kh * kw > 1 ? gather(taps, index, 2) : taps;
  return swapped ? reshape(transpose(reversed, [1, 0, 2]), [c, k, kh, kw]) : reshape(reversed, weight.shape);
}

/**
 * 2-D convolution (cross-correlation).
 * @param x [B,C,H,W]
 * @param weight [K, C/group, kh, kw]
 * @param bias [K]
 */
export function conv(x: Value, weight: Value, bias?: Value, options: ConvOptions = {}): Value {
  const g = fill(options);
  if (g.group > 1 && !isDepthwise(x, weight, g))
    return byGroups(Conv, { ...g }, [x, weight, bias], (...part) => conv(...part, { ...options, group: 1 }));
  return emitConv(x, weight, bias, g);
}

const isDepthwise = (x: Value, weight: Value, { group }: ConvGeometry): boolean =>
  x.shape[1] === group && weight.shape[0] === group && weight.shape[1] === 1;

type ConvInputs = readonly [x: Value, weight: Value, bias: Value | undefined];

/**
 * Grouped convolutions that are not depthwise run group by group: the GPU kernels of ONNX Runtime 1.30 mix up the
 * channels of groups whose width is no multiple of their vectors (docs/decisions/0004).
 */
function byGroups(
  op: OpDefinition,
  attributes: Attributes & { readonly group: number },
  [x, weight, bias]: ConvInputs,
  single: (...part: ConvInputs) => Value,
): Value {
  // The rule of the whole comes first: an error shall name it, not the slice that can't be cut.
  graphOf(x).infer(op, bias ? [x, weight, bias] : [x, weight], attributes);
  const { group } = attributes;
  const part = (value: Value, axis: number, i: number) => {
    const width = value.shape[axis] / group;
    return slice(value, axis, i * width, (i + 1) * width);
  };
  const parts = Array.from({ length: group }, (_, i) =>
    single(part(x, 1, i), part(weight, 0, i), bias && part(bias, 0, i)),
  );
  return concat(parts, 1);
}

/** The widest vector of the GPU kernels. */
const VECTOR = 4;

/**
 * Emits a convolution, with zero channels added where the GPU kernel would take its input in vectors of three and get
 * them wrong (docs/decisions/0004): more than three channels, divisible by three and not by four.
 */
function emitConv(x: Value, weight: Value, bias: Value | undefined, g: ConvGeometry): Value {
  const [, channels, kh, kw] = weight.shape;
  const wrong = g.group === 1 && kh * kw > 1 && channels > 3 && channels % 3 === 0 && channels % VECTOR !== 0;
  const more = wrong ? VECTOR - (channels % VECTOR) : 0;
  const widened = (value: Value) => (more ? pad(value, [0, 0, 0, 0, 0, more, 0, 0]) : value);
  const inputs = [widened(x), widened(weight)];
  return graphOf(x).emit(Conv, bias ? [...inputs, bias] : inputs, { ...g })[0];
}

export const ConvTranspose: OpDefinition = {
  type: 'ConvTranspose',
  infer(inputs, attributes, reject) {
    checkRanks(inputs, reject);
    const g = geometryOf(attributes);
    const extra = attributes.output_padding as readonly number[];
    const [[b, c, h, w], [c2, perGroup, kh, kw]] = inputs.map(({ shape }) => shape);
    if (c !== c2 || c % g.group) reject(`${c} channels in ${g.group} groups don't fit the weight`);
    const k = perGroup * g.group;
    if (inputs[2] && inputs[2].shape[0] !== k)
      reject(`the bias has ${inputs[2].shape[0]} values for ${k} channels`);
    const side = (input: number, kernel: number, axis: 0 | 1) =>
      (input - 1) * g.strides[axis] +
      g.dilations[axis] * (kernel - 1) +
      1 -
      g.pads[axis] -
      g.pads[axis + 2] +
      extra[axis];
    const shape = [b, k, side(h, kh, 0), side(w, kw, 1)];
    if (shape.some((n) => n < 1)) reject('the pads take away the whole output');
    return [{ dtype: 'float32', shape }];
  },
  gradient({ inputs: [x, weight, bias], attributes, gradient, needed }) {
    const g = geometryOf(attributes);
    const found = [
      needed[0] ? cropTo(emitConv(gradient, weight, undefined, g), x) : null,
      // The roles of input and output are swapped.
      needed[1] ? convWeightGradient(gradient, x, weight.shape, g) : null,
    ];
    return bias ? [...found, needed[2] ? reduceSum(gradient, [0, 2, 3]) : null] : found;
  },
};

/** Output padding of a whole stride would give one position more than the input had. */
const cropTo = (y: Value, like: Value): Value => slice(slice(y, 2, 0, like.shape[2]), 3, 0, like.shape[3]);

/**
 * Transposed 2-D convolution.
 * @param x [B,C,H,W]
 * @param weight [C, K/group, kh, kw]
 * @param bias [K]
 */
export function convTranspose(
  x: Value,
  weight: Value,
  bias?: Value,
  options: ConvOptions & { readonly outputPadding?: readonly [number, number] } = {},
): Value {
  const g = fill(options);
  const attributes = { ...g, output_padding: options.outputPadding ?? [0, 0] };
  if (g.group > 1 && !isDepthwise(x, weight, g))
    return byGroups(ConvTranspose, attributes, [x, weight, bias], (...part) =>
      convTranspose(...part, { ...options, group: 1 }),
    );
  const inputs = bias ? [x, weight, bias] : [x, weight];
  return graphOf(x).emit(ConvTranspose, inputs, attributes)[0];
}

/** Adds one number per channel: [B,C,H,W] + [C]. */
export const addPerChannel = (x: Value, bias: Value): Value => add(x, reshape(bias, [1, -1, 1, 1]));
