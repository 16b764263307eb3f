import { AppError } from '../base/errors';
import { formatShape } from '../base/tensor';
import type { DType, Shape, TensorData } from '../base/tensor';
import type { GraphBuilder } from './builder';

/** Attribute values of an ONNX operator. A list of numbers is a list of integers unless the op says otherwise. */
export type Attributes = Readonly<Record<string, number | string | readonly number[]>>;

/** A number as text; `String` writes −0 as 0, and 1/x tells the two apart. */
const numberText = (value: number | bigint): string => (Object.is(value, -0) ? '-0' : String(value));

/** An attribute as text, another text for every other value: JSON writes both infinities as null. */
export function attributeText(value: Attributes[string]): string {
  if (typeof value === 'number') return numberText(value);
  return typeof value === 'string' ? JSON.stringify(value) : formatShape(value);
}

/** `float32[2]{0.5 -0}`: a tensor with all its elements as text, another text for every other tensor. */
export const literalText = ({ dtype, shape, data }: TensorData): string =>
  `${dtype}${formatShape(shape)}{${Array.from(data, numberText).join(' ')}}`;

/** Element type and shape of one value. */
export interface ValueType {
  readonly dtype: DType;
  readonly shape: Shape;
}

/** Where a value comes from. */
export type Origin =
  | { readonly kind: 'node'; readonly node: GraphNode; readonly output: number }
  /** Fed at every run. */
  | { readonly kind: 'input'; readonly name: string }
  /** Frozen and named: an initialiser, or a graph input bound once, as the runtime chooses. */
  | { readonly kind: 'weight'; readonly name: string; readonly tensor: TensorData }
  /** Small and anonymous: always an initialiser. */
  | { readonly kind: 'constant'; readonly tensor: TensorData }
  /** Stands for a value while a graph is being differentiated; may not survive into a built graph. */
  | { readonly kind: 'placeholder' };

/** One tensor of a graph under construction: type and shape are known the moment it is made. */
export class Value implements ValueType {
  constructor(
    readonly graph: GraphBuilder,
    readonly id: number,
    readonly dtype: DType,
    readonly shape: Shape,
    readonly origin: Origin,
  ) {}

  get rank(): number {
    return this.shape.length;
  }

  /** `float32[1,3,224,224]`, as errors and printed graphs show it. */
  toString(): string {
    return `${this.dtype}${formatShape(this.shape)}`;
  }
}

/** What a function of `ops/` takes where a number will do: numbers become float32 scalars. */
export type Operand = Value | number;

/** One ONNX operator at work. */
export interface GraphNode {
  readonly op: OpDefinition;
  readonly inputs: readonly Value[];
  readonly outputs: readonly Value[];
  readonly attributes: Attributes;
  /** Dotted path of the scopes it was made in, for messages. */
  readonly scope: string;
}

/** What a gradient rule sees: the node, and dL/d(output) for each output that has one. */
export interface GradientContext {
  readonly inputs: readonly Value[];
  readonly outputs: readonly Value[];
  readonly attributes: Attributes;
  /** Gradient of the first output. */
  readonly gradient: Value;
  /** Gradients of all outputs. */
  readonly gradients: readonly (Value | undefined)[];
  /** Which inputs lie on a path to a target: a rule may skip the others. */
  readonly needed: readonly boolean[];
}

/** dL/d(input) for each input, `null` where there is none. May be broadcast; the sweep sums it back. */
export type GradientRule = (context: GradientContext) => readonly (Value | null)[];

/** An operator: shape rule and gradient rule side by side. */
export interface OpDefinition {
  /** ONNX operator type. */
  readonly type: string;
  /** Types of the outputs. @throws graph/shape, through `reject` */
  infer(inputs: readonly ValueType[], attributes: Attributes, reject: Reject): readonly ValueType[];
  /** The rule, or why there is none. */
  readonly gradient: GradientRule | { readonly none: string };
  /**
   * Attributes that ONNX wants as trailing constant inputs (axes, shapes, pads). They stay attributes here, so that
   * shape rules always see their values. The rest of `attributes` is encoded as ONNX attributes.
   */
  readonly operands?: (attributes: Attributes) => readonly TensorData[];
  /** Position of the operands among the inputs; behind them when left out. */
  readonly operandsAt?: number;
  /** Names of attributes that `operands` takes, left out of the ONNX attributes. */
  readonly operandNames?: readonly string[];
  /** Names of attributes encoded as ONNX floats; others are integers, lists of integers or strings. */
  readonly floatAttributes?: readonly string[];
}

/** Ends a shape rule with an error that names the op, its inputs and their shapes. */
export type Reject = (reason: string) => never;

export const rejectAs =
  (type: string, scope: string, inputs: readonly ValueType[]): Reject =>
  (reason) => {
    const shapes = inputs.map((input) => `${input.dtype}${formatShape(input.shape)}`).join(', ');
    throw new AppError('graph/shape', `${type}${scope && ` in ${scope}`} of ${shapes}: ${reason}`);
  };
