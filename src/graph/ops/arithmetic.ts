import { graphOf } from '../builder';
import type { GradientContext, OpDefinition, Operand, Reject, Value, ValueType } from '../value';
import { broadcastShape, requireType } from './broadcast';
import { equal, greater, where } from './compare';
import { log, neg } from './elementwise';

/** Two operands, broadcast; gradients may stay broadcast, the sweep sums them back. */
const binary = (
  type: string,
  rule: (context: GradientContext) => readonly (Value | null)[],
): OpDefinition => ({
  type,
  infer(inputs: readonly ValueType[], _attributes, reject: Reject) {
    requireType(inputs, 'float32', reject);
    return [
      {
        dtype: 'float32',
        shape: broadcastShape(
          inputs.map((input) => input.shape),
          reject,
        ),
      },
    ];
  },
  gradient: rule,
});

/** A mask for the side that won a minimum or maximum; a tie counts half for each, as in PyTorch. */
const shareOf = (winner: Value, other: Value): Value =>
  where(equal(winner, other), 0.5, where(greater(winner, other), 1, 0));

export const Add = binary('Add', ({ gradient }) => [gradient, gradient]);
export const Sub = binary('Sub', ({ gradient, needed }) => [gradient, needed[1] ? neg(gradient) : null]);
export const Mul = binary('Mul', ({ inputs: [a, b], gradient, needed }) => [
  needed[0] ? mul(gradient, b) : null,
  needed[1] ? mul(gradient, a) : null,
]);
export const Div = binary('Div', ({ inputs: [, b], outputs: [y], gradient, needed }) => {
  const scaled = div(gradient, b);
  return [scaled, needed[1] ? neg(mul(scaled, y)) : null];
});
export const Pow = binary('Pow', ({ inputs: [a, b], outputs: [y], gradient, needed }) => [
  needed[0] ? mul(gradient, mul(b, pow(a, sub(b, 1)))) : null,
  needed[1] ? mul(gradient, mul(y, log(a))) : null,
]);
export const Min = binary('Min', ({ inputs: [a, b], gradient }) => [
  mul(gradient, shareOf(neg(a), neg(b))),
  mul(gradient, shareOf(neg(b), neg(a))),
]);
export const Max = binary('Max', ({ inputs: [a, b], gradient }) => [
  mul(gradient, shareOf(a, b)),
  mul(gradient, shareOf(b, a)),
]);

const apply = (op: OpDefinition, a: Operand, b: Operand): Value => graphOf(a, b).emit(op, [a, b])[0];

/** a + b; adding the number 0 is `a` itself. */
export const add = (a: Operand, b: Operand): Value =>
  b === 0 && typeof a !== 'number' ? a : apply(Add, a, b);
/** a − b; subtracting the number 0 is `a` itself. */
export const sub = (a: Operand, b: Operand): Value =>
  b === 0 && typeof a !== 'number' ? a : apply(Sub, a, b);
/** a · b; multiplying by the number 1 is the other operand itself. */
export function mul(a: Operand, b: Operand): Value {
  if (a === 1 && typeof b !== 'number') return b;
  if (b === 1 && typeof a !== 'number') return a;
  return apply(Mul, a, b);
}
/** a / b; dividing by the number 1 is `a` itself. */
export const div = (a: Operand, b: Operand): Value =>
  b === 1 && typeof a !== 'number' ? a : apply(Div, a, b);
/** a to the power b. The gradient by b needs a > 0. Exponents 1 and 2 need no power. */
export function pow(a: Operand, b: Operand): Value {
  if (typeof a !== 'number' && b === 1) return a;
  if (typeof a !== 'number' && b === 2) return mul(a, a);
  return apply(Pow, a, b);
}
export const min = (a: Operand, b: Operand): Value => apply(Min, a, b);
export const max = (a: Operand, b: Operand): Value => apply(Max, a, b);
