import { graphOf } from '../builder';
import type { OpDefinition, Operand, Value } from '../value';
import { broadcastShape, requireType } from './broadcast';

const STEP = 'it is a step; its derivative is 0 where it has one';

const comparison = (type: string): OpDefinition => ({
  type,
  infer(inputs, _attributes, reject) {
    requireType(inputs, 'float32', reject);
    return [
      {
        dtype: 'bool',
        shape: broadcastShape(
          inputs.map((input) => input.shape),
          reject,
        ),
      },
    ];
  },
  gradient: { none: STEP },
});

export const Equal = comparison('Equal');
export const Greater = comparison('Greater');
export const GreaterOrEqual = comparison('GreaterOrEqual');

/** condition ? a : b. No gradient flows to the condition. */
export const Where: OpDefinition = {
  type: 'Where',
  infer(inputs, _attributes, reject) {
    const [condition, a, b] = inputs;
    requireType([condition], 'bool', reject);
    requireType([a, b], 'float32', reject);
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
  gradient: ({ inputs: [condition], gradient, needed }) => [
    null,
    needed[1] ? where(condition, gradient, 0) : null,
    needed[2] ? where(condition, 0, gradient) : null,
  ],
};

export const Cast: OpDefinition = {
  type: 'Cast',
  infer([{ dtype, shape }], _attributes, reject) {
    // Casting int64 runs on the CPU alone (runtime.md 2), so graphs keep integers they compute with as int32.
    if (dtype !== 'int32' && dtype !== 'bool') reject('casts int32 or bool to float32');
    return [{ dtype: 'float32', shape }];
  },
  // What is cast moves in steps, if at all: no gradient goes on.
  gradient: () => [null],
};

/** `stopGradient`: the sweep ends every path here. */
export const Identity: OpDefinition = {
  type: 'Identity',
  infer: ([{ dtype, shape }]) => [{ dtype, shape }],
  gradient: { none: 'it stops gradients' },
};

const apply = (op: OpDefinition, ...operands: Operand[]): Value => graphOf(...operands).emit(op, operands)[0];

export const equal = (a: Operand, b: Operand): Value => apply(Equal, a, b);
export const greater = (a: Operand, b: Operand): Value => apply(Greater, a, b);
export const greaterOrEqual = (a: Operand, b: Operand): Value => apply(GreaterOrEqual, a, b);
export const less = (a: Operand, b: Operand): Value => apply(Greater, b, a);
/** condition ? a : b, element by element, broadcast. */
export const where = (condition: Value, a: Operand, b: Operand): Value => apply(Where, condition, a, b);
/** The same values, held constant by differentiation. */
export const stopGradient = (x: Value): Value => apply(Identity, x);
/** int32 or bool as float32. */
export const cast = (x: Value): Value => graphOf(x).emit(Cast, [x], { to: 1 })[0];
/** A condition as float32, 1 for true. */
export const toFloat = cast;
