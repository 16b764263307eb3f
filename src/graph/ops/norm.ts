import { sizeOf } from '../../base/tensor';
import { graphOf } from '../builder';
import type { OpDefinition, Value } from '../value';
import { add, div, max, mul, sub } from './arithmetic';
import { fromFront, requireAxes, requireType } from './broadcast';
import { neg, sqrt } from './elementwise';
import { reshape } from './layout';
import { reduceMean, reduceSum } from './reduce';

/** x̂ = (x − mean) / √(variance + ε) over some axes, with what a gradient needs again. */
function standardise(x: Value, axes: readonly number[], epsilon: number) {
  const mean = reduceMean(x, axes, true);
  const centred = sub(x, mean);
  const variance = reduceMean(mul(centred, centred), axes, true);
  const deviation = sqrt(add(variance, epsilon));
  return { normalised: div(centred, deviation), mean, variance, deviation };
}

/** dL/dx of `standardise` from h = dL/dx̂ (methods.md 1.7). */
function standardiseGradient(x: Value, h: Value, axes: readonly number[], epsilon: number): Value {
  const { normalised, deviation } = standardise(x, axes, epsilon);
  const projected = mul(normalised, reduceMean(mul(h, normalised), axes, true));
  return div(sub(sub(h, reduceMean(h, axes, true)), projected), deviation);
}

/** Over the axes from `axis` to the last; scale and bias have the shape of those. */
export const LayerNormalization: OpDefinition = {
  type: 'LayerNormalization',
  infer(inputs, { axis }, reject) {
    requireType(inputs, 'float32', reject);
    const [{ shape }] = inputs;
    const from = axis as number;
    requireAxes([from], shape.length, reject);
    for (const { shape: own } of inputs.slice(1))
      if (own.join() !== shape.slice(from).join())
        reject('scale and bias have the shape of the normalised axes');
    return [{ dtype: 'float32', shape }];
  },
  gradient({ inputs: [x, scale], attributes, gradient, needed }) {
    const from = attributes.axis as number;
    const epsilon = attributes.epsilon as number;
    const axes = x.shape.map((_, i) => i).slice(from);
    const others = x.shape.map((_, i) => i).slice(0, from);
    const normalised = () => standardise(x, axes, epsilon).normalised;
    return [
      needed[0] ? standardiseGradient(x, mul(gradient, scale), axes, epsilon) : null,
      needed[1] ? reduceSum(mul(gradient, normalised()), others) : null,
      needed[2] ? reduceSum(gradient, others) : null,
    ];
  },
  floatAttributes: ['epsilon'],
};

/** Layer normalisation over the last axis, or from `axis` on. */
export function layerNorm(x: Value, scale: Value, bias: Value, epsilon: number, axis = -1): Value {
  return graphOf(x).emit(LayerNormalization, [x, scale, bias], {
    axis: fromFront(axis, x.rank),
    epsilon,
  })[0];
}

/** Per image and channel over the positions; scale and bias per channel. */
export const InstanceNormalization: OpDefinition = {
  type: 'InstanceNormalization',
  infer(inputs, _attributes, reject) {
    requireType(inputs, 'float32', reject);
    const [{ shape }] = inputs;
    if (shape.length !== 4) reject('x is [B,C,H,W]');
    if (inputs.slice(1).some((input) => input.shape.join() !== String(shape[1])))
      reject(`scale and bias have ${shape[1]} values`);
    return [{ dtype: 'float32', shape }];
  },
  gradient({ inputs: [x, scale], attributes, gradient, needed }) {
    const epsilon = attributes.epsilon as number;
    const perChannel = reshape(scale, [1, -1, 1, 1]);
    return [
      needed[0] ? standardiseGradient(x, mul(gradient, perChannel), [2, 3], epsilon) : null,
      needed[1] ? reduceSum(mul(gradient, standardise(x, [2, 3], epsilon).normalised), [0, 2, 3]) : null,
      needed[2] ? reduceSum(gradient, [0, 2, 3]) : null,
    ];
  },
  floatAttributes: ['epsilon'],
};

export const instanceNorm = (x: Value, scale: Value, bias: Value, epsilon: number): Value =>
  graphOf(x).emit(InstanceNormalization, [x, scale, bias], { epsilon })[0];

/**
 * y = γ·(x − μ)/√(v + ε) + β with the batch's own μ and v as inputs: ONNX's inference form, since its training form
 * doesn't run on the GPU. The rule counts on μ and v being those of x, and includes what x does to them: as
 * dx = a·g + b·x + c with one number each a channel, it takes three passes where the primitives' rules take a dozen.
 */
export const BatchNormalization: OpDefinition = {
  type: 'BatchNormalization',
  infer(inputs, _attributes, reject) {
    requireType(inputs, 'float32', reject);
    const [{ shape }, ...perChannel] = inputs;
    if (shape.length < 2) reject('x is [B,C,…]');
    if (perChannel.some((input) => input.shape.join() !== String(shape[1])))
      reject(`scale, bias, mean and variance have ${shape[1]} values`);
    return [{ dtype: 'float32', shape }];
  },
  gradient({ inputs: [x, scale, , mean, variance], attributes, gradient, needed }) {
    const axes = x.shape.map((_, axis) => axis).filter((axis) => axis !== 1);
    const n = sizeOf(x.shape) / x.shape[1];
    const spread = sqrt(add(variance, attributes.epsilon as number));
    const total = reduceSum(gradient, axes);
    // Σ g·x̂, from Σ g·(x − μ): centred first, so that a large mean costs no digits.
    const along = div(reduceSum(mul(gradient, sub(x, perChannel(mean, x))), axes), spread);
    const dx = () => {
      const a = div(scale, spread);
      const b = neg(div(mul(a, along), mul(spread, n)));
      const c = sub(neg(mul(b, mean)), div(mul(a, total), n));
      return add(mul(gradient, perChannel(a, x)), add(mul(x, perChannel(b, x)), perChannel(c, x)));
    };
    return [needed[0] ? dx() : null, along, total, null, null];
  },
  floatAttributes: ['epsilon'],
};

/** One number for each channel, [C], against x. */
const perChannel = (values: Value, x: Value): Value =>
  reshape(values, [1, -1, ...x.shape.slice(2).map(() => 1)]);

/**
 * Batch normalisation with the batch's own statistics.
 * @param x [B,C,H,W] or [B,C]
 * @param scale [C]
 * @param bias [C]
 * @returns y, and the batch's mean and variance [C] for the running statistics; the variance is the unbiased one,
 * n/(n−1) times what normalises, as PyTorch keeps it
 */
export function batchNormTraining(
  x: Value,
  scale: Value,
  bias: Value,
  epsilon: number,
): { y: Value; mean: Value; variance: Value } {
  const axes = x.rank === 4 ? [0, 2, 3] : [0];
  const mean = reduceMean(x, axes);
  const centred = sub(x, perChannel(mean, x));
  const variance = reduceMean(mul(centred, centred), axes);
  const n = sizeOf(x.shape) / x.shape[1];
  return {
    y: graphOf(x).emit(BatchNormalization, [x, scale, bias, mean, variance], { epsilon })[0],
    mean,
    variance: mul(variance, n / Math.max(n - 1, 1)),
  };
}

/** Batch normalisation with known statistics, as one product and one sum. All of [C]. */
export function batchNormInference(
  x: Value,
  parameters: { scale: Value; bias: Value; mean: Value; variance: Value },
  epsilon: number,
): Value {
  const factor = div(parameters.scale, sqrt(add(parameters.variance, epsilon)));
  const shift = sub(parameters.bias, mul(parameters.mean, factor));
  return add(mul(x, perChannel(factor, x)), perChannel(shift, x));
}

/** Keeps a norm of zero vectors from dividing by zero; squared, it is the smallest that float32 holds safely. */
const TINY_SQUARED = 1e-24;

/** x / max(‖x‖, 1e-12) along an axis; a zero vector stays zero and gets no gradient from the norm. */
export function l2Normalise(x: Value, axis = -1): Value {
  const squared = reduceSum(mul(x, x), [axis], true);
  return div(x, sqrt(max(squared, TINY_SQUARED)));
}
