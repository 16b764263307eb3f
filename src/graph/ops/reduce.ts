import { sizeOf } from '../../base/tensor';
import type { Shape } from '../../base/tensor';
import { graphOf } from '../builder';
import type { OpDefinition, Reject, Value } from '../value';
import { add, div, mul, sub } from './arithmetic';
import { fromFront, requireAxes, requireType } from './broadcast';
import { equal, stopGradient, toFloat } from './compare';
import { exp, log } from './elementwise';
import { expand, reshape } from './layout';

/** Above this many elements a sum runs in stages: one pass over millions loses digits (runtime.md 2). */
const ONE_STAGE = 65_536;

const reducedShape = (shape: Shape, axes: readonly number[]): Shape =>
  shape.map((side, axis) => (axes.includes(axis) ? 1 : side));

/** Reductions keep their axes with side 1; the functions below reshape where they shall go. */
const reduction = (
  type: string,
  gradient: OpDefinition['gradient'],
  extra: Partial<OpDefinition> = {},
): OpDefinition => ({
  type,
  infer(inputs, { axes }, reject: Reject) {
    requireType(inputs, 'float32', reject);
    const [{ shape }] = inputs;
    requireAxes(axes as number[], shape.length, reject);
    return [{ dtype: 'float32', shape: reducedShape(shape, axes as number[]) }];
  },
  gradient,
  ...extra,
});

/** Only the largest (smallest) elements pass the gradient on; equal ones share it, as PyTorch's amax does. */
const extremum: OpDefinition['gradient'] = ({ inputs: [x], outputs: [y], attributes, gradient }) => {
  const chosen = toFloat(equal(x, y));
  const share = div(gradient, emitReduction(ReduceSum, chosen, attributes.axes as number[]));
  return [mul(chosen, share)];
};

// Opset 17 wants the axes of ReduceSum as an input, of the others as an attribute.
export const ReduceSum = reduction('ReduceSum', ({ inputs: [x], gradient }) => [expand(gradient, x.shape)], {
  operands: ({ axes }) => [
    {
      dtype: 'int64',
      shape: [(axes as number[]).length],
      data: BigInt64Array.from((axes as number[]).map(BigInt)),
    },
  ],
  operandNames: ['axes'],
});
export const ReduceMean = reduction('ReduceMean', ({ inputs: [x], outputs: [y], gradient }) => [
  expand(mul(gradient, sizeOf(y.shape) / sizeOf(x.shape)), x.shape),
]);
export const ReduceMax = reduction('ReduceMax', extremum);
export const ReduceMin = reduction('ReduceMin', extremum);

const emitReduction = (op: OpDefinition, x: Value, axes: readonly number[]): Value =>
  graphOf(x).emit(op, [x], { axes: [...axes] })[0];

function reduce(op: OpDefinition, x: Value, axes: readonly number[] | undefined, keep: boolean): Value {
  const all = axes?.map((axis) => fromFront(axis, x.rank)) ?? x.shape.map((_, axis) => axis);
  const real = all.filter((axis) => x.shape[axis] !== 1).sort((a, b) => a - b);
  let result = x;
  if (real.length) {
    const elements = real.reduce((product, axis) => product * x.shape[axis], 1);
    const stages = elements > ONE_STAGE && real.length > 1 ? [real.slice(-1), real.slice(0, -1)] : [real];
    for (const stage of stages) result = emitReduction(op, result, stage);
  }
  return keep
    ? result
    : reshape(
        result,
        x.shape.filter((_, axis) => !all.includes(axis)),
      );
}

/**
 * Sum over axes (all of them when left out).
 * @param keep whether reduced axes stay with side 1
 */
export const reduceSum = (x: Value, axes?: readonly number[], keep = false): Value =>
  reduce(ReduceSum, x, axes, keep);
export const reduceMean = (x: Value, axes?: readonly number[], keep = false): Value =>
  reduce(ReduceMean, x, axes, keep);
export const reduceMax = (x: Value, axes?: readonly number[], keep = false): Value =>
  reduce(ReduceMax, x, axes, keep);
export const reduceMin = (x: Value, axes?: readonly number[], keep = false): Value =>
  reduce(ReduceMin, x, axes, keep);

/** Mean over the positions of each channel: [B,C,H,W] to [B,C]. */
export const globalAveragePool = (x: Value): Value => reduceMean(x, [2, 3]);
/** Largest position of each channel: [B,C,H,W] to [B,C]. */
export const globalMaxPool = (x: Value): Value => reduceMax(x, [2, 3]);

/** Softmax along one axis. */
export const Softmax: OpDefinition = {
  type: 'Softmax',
  infer(inputs, { axis }, reject) {
    requireType(inputs, 'float32', reject);
    requireAxes([axis as number], inputs[0].shape.length, reject);
    return [inputs[0]].map(({ dtype, shape }) => ({ dtype, shape }));
  },
  gradient: ({ outputs: [y], attributes, gradient }) => {
    const weighted = mul(gradient, y);
    return [sub(weighted, mul(y, reduceSum(weighted, [attributes.axis as number], true)))];
  },
};

/** e^x / Σ e^x along an axis, the last when left out. */
export const softmax = (x: Value, axis = -1): Value =>
  graphOf(x).emit(Softmax, [x], { axis: fromFront(axis, x.rank) })[0];

/** ln Σ e^x along an axis, shifted by the largest element so that nothing overflows; the axis goes. */
export function logSumExp(x: Value, axis = -1): Value {
  const top = stopGradient(reduceMax(x, [axis], true));
  const sum = reduceSum(exp(sub(x, top)), [axis], true);
  const kept = add(log(sum), top);
  const gone = fromFront(axis, x.rank);
  return reshape(
    kept,
    x.shape.filter((_, i) => i !== gone),
  );
}

/** ln softmax along an axis; ONNX's LogSoftmax runs on the CPU alone. */
export function logSoftmax(x: Value, axis = -1): Value {
  const shifted = sub(x, stopGradient(reduceMax(x, [axis], true)));
  return sub(shifted, log(reduceSum(exp(shifted), [axis], true)));
}
