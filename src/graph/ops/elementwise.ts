import { graphOf } from '../builder';
import type { Attributes, GradientContext, OpDefinition, Value } from '../value';
import { add, div, mul, sub } from './arithmetic';
import { requireType, sameType } from './broadcast';
import { equal, greater, less, toFloat, where } from './compare';

/** One operand; the rule gives dy/dx as a factor of the incoming gradient, or the whole product. */
const unary = (
  type: string,
  rule: (context: GradientContext & { x: Value; y: Value }) => Value,
  extra: Partial<OpDefinition> = {},
): OpDefinition => ({
  type,
  infer(inputs, _attributes, reject) {
    requireType(inputs, 'float32', reject);
    return [sameType(inputs[0])];
  },
  gradient: (context) => [rule({ ...context, x: context.inputs[0], y: context.outputs[0] })],
  ...extra,
});

export const Neg = unary('Neg', ({ gradient }) => neg(gradient));
export const Exp = unary('Exp', ({ gradient, y }) => mul(gradient, y));
export const Log = unary('Log', ({ gradient, x }) => div(gradient, x));
/** The derivative is infinite at 0; callers that may meet 0 clamp first. */
export const Sqrt = unary('Sqrt', ({ gradient, y }) => div(gradient, mul(y, 2)));
/** The derivative at 0 is 0. */
export const Abs = unary('Abs', ({ gradient, x }) => mul(gradient, sign(x)));
export const Relu = unary('Relu', ({ gradient, y }) => mul(gradient, toFloat(greater(y, 0))));
export const LeakyRelu = unary(
  'LeakyRelu',
  ({ gradient, x, attributes }) => where(greater(x, 0), gradient, mul(gradient, attributes.alpha as number)),
  { floatAttributes: ['alpha'] },
);
export const Sigmoid = unary('Sigmoid', ({ gradient, y }) => mul(gradient, mul(y, sub(1, y))));
export const Tanh = unary('Tanh', ({ gradient, y }) => mul(gradient, sub(1, mul(y, y))));
export const Erf = unary('Erf', ({ gradient, x }) =>
  mul(gradient, mul(exp(neg(mul(x, x))), 2 / Math.sqrt(Math.PI))),
);
export const Softplus = unary('Softplus', ({ gradient, x }) => mul(gradient, sigmoid(x)));
/** Gradient inside the bounds, both included (PyTorch's rule). */
export const Clip = unary(
  'Clip',
  // What the clip leaves alone is inside; one comparison tells.
  ({ gradient, x, y }) => mul(gradient, toFloat(equal(x, y))),
  {
    operands: ({ low, high }) =>
      [low, high].map((bound) => ({
        dtype: 'float32',
        shape: [],
        data: Float32Array.of(bound as number),
      })),
    operandNames: ['low', 'high'],
  },
);
export const Floor: OpDefinition = {
  ...unary('Floor', ({ gradient }) => gradient),
  gradient: { none: 'it is a step; its derivative is 0 where it has one' },
};

const apply = (op: OpDefinition, x: Value, attributes?: Attributes): Value =>
  graphOf(x).emit(op, [x], attributes)[0];

export const neg = (x: Value): Value => apply(Neg, x);
export const exp = (x: Value): Value => apply(Exp, x);
export const log = (x: Value): Value => apply(Log, x);
export const sqrt = (x: Value): Value => apply(Sqrt, x);
export const abs = (x: Value): Value => apply(Abs, x);
export const floor = (x: Value): Value => apply(Floor, x);
/** −1, 0 or 1; ONNX's Sign runs on the CPU alone, so it is made of comparisons. */
export const sign = (x: Value): Value => sub(toFloat(greater(x, 0)), toFloat(less(x, 0)));
export const relu = (x: Value): Value => apply(Relu, x);
/** min(max(x, 0), 6) */
export const relu6 = (x: Value): Value => clip(x, 0, 6);
export const leakyRelu = (x: Value, alpha: number): Value => apply(LeakyRelu, x, { alpha });
export const sigmoid = (x: Value): Value => apply(Sigmoid, x);
export const tanh = (x: Value): Value => apply(Tanh, x);
export const erf = (x: Value): Value => apply(Erf, x);
/** ln(1 + e^x) */
export const softplus = (x: Value): Value => apply(Softplus, x);
export const clip = (x: Value, low: number, high: number): Value => apply(Clip, x, { low, high });
/** x·Φ(x), exact. @source Hendrycks and Gimpel 2016 */
export const gelu = (x: Value): Value => mul(mul(x, 0.5), add(erf(mul(x, Math.SQRT1_2)), 1));
/** x·σ(1.702x): the GELU of OpenAI's CLIP. */
export const quickGelu = (x: Value): Value => mul(x, sigmoid(mul(x, 1.702)));
/** x·σ(x) */
export const silu = (x: Value): Value => mul(x, sigmoid(x));
