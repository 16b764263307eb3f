import { AppError, assert } from '../base/errors';
import { formatShape, sameShape, sizeOf } from '../base/tensor';
import type { DType, Shape, TensorData } from '../base/tensor';
import { Value, attributeText, literalText, rejectAs } from './value';
import type { Attributes, GraphNode, OpDefinition, Operand, Origin, ValueType } from './value';

/** A finished graph: only what its outputs need, in an order that can be run. */
export interface Graph {
  readonly nodes: readonly GraphNode[];
  readonly inputs: ReadonlyMap<string, Value>;
  readonly weights: ReadonlyMap<string, Value>;
  readonly outputs: ReadonlyMap<string, Value>;
}

/** Constants up to this many elements are compared by value and shared. */
const SHARED_CONSTANT_SIZE = 4096;

/**
 * A graph under construction. Functions of `ops/` call `emit`; every value has its type and shape at once, equal
 * nodes are made once, and a wrong shape is an error here and now, never at run time.
 */
export class GraphBuilder {
  readonly nodes: GraphNode[] = [];
  readonly #inputs = new Map<string, Value>();
  readonly #weights = new Map<string, Value>();
  readonly #outputs = new Map<string, Value>();
  readonly #made = new Map<string, readonly Value[]>();
  readonly #constants = new Map<string, Value>();
  readonly #scopes: string[] = [];
  #count = 0;

  /** A value fed at every run. */
  input(name: string, shape: Shape, dtype: DType = 'float32'): Value {
    this.#claim(name);
    const value = this.#value(dtype, shape, { kind: 'input', name });
    this.#inputs.set(name, value);
    return value;
  }

  /** A frozen, named tensor. Asking again for the same name, data and shape gives the same value. */
  weight(name: string, tensor: TensorData): Value {
    const known = this.#weights.get(name);
    if (known?.origin.kind === 'weight' && sameTensor(known.origin.tensor, tensor)) return known;
    this.#claim(name);
    const value = this.#value(tensor.dtype, tensor.shape, { kind: 'weight', name, tensor });
    this.#weights.set(name, value);
    return value;
  }

  /** A literal; equal small ones are shared. A number is a float32 scalar. */
  constant(literal: TensorData | number): Value {
    const tensor: TensorData =
      typeof literal === 'number' ? { dtype: 'float32', shape: [], data: Float32Array.of(literal) } : literal;
    const make = () => this.#value(tensor.dtype, tensor.shape, { kind: 'constant', tensor });
    if (sizeOf(tensor.shape) > SHARED_CONSTANT_SIZE) return make();
    return getOrMake(this.#constants, literalText(tensor), make);
  }

  /** Stands for a value that differentiation will make disappear. */
  placeholder(dtype: DType, shape: Shape): Value {
    return this.#value(dtype, shape, { kind: 'placeholder' });
  }

  /**
   * Names a value as a result. ONNX has one space of names: an input or weight may be a result under its own name,
   * nothing else may have it.
   * @throws graph/invalid
   */
  output(name: string, value: Value): void {
    assert(value.graph === this, `output "${name}" belongs to another graph`);
    if (this.#outputs.has(name)) throw new AppError('graph/invalid', `output "${name}" is set twice`);
    if ((this.#inputs.get(name) ?? this.#weights.get(name) ?? value) !== value) throw nameTaken(name);
    this.#outputs.set(name, value);
  }

  /** Everything made inside `body` carries `name` in its error messages: `layer1.0.conv2`. */
  scope<T>(name: string, body: () => T): T {
    this.#scopes.push(name);
    try {
      return body();
    } finally {
      this.#scopes.pop();
    }
  }

  /** Makes a node, or returns the outputs of an equal one. For functions of `ops/` alone. @throws graph/shape */
  emit(op: OpDefinition, operands: readonly Operand[], attributes: Attributes = {}): readonly Value[] {
    const inputs = operands.map((operand) =>
      typeof operand === 'number' ? this.constant(operand) : operand,
    );
    for (const input of inputs) assert(input.graph === this, `${op.type} mixes values of two graphs`);
    let key = `${op.type}|${inputs.map((input) => input.id).join()}`;
    for (const name in attributes) key += `|${name}=${attributeText(attributes[name])}`;
    return getOrMake(this.#made, key, () => {
      const types = this.infer(op, inputs, attributes);
      const outputs: Value[] = [];
      const node: GraphNode = { op, inputs, outputs, attributes, scope: this.#scopes.join('.') };
      types.forEach(({ dtype, shape }, output) =>
        outputs.push(this.#value(dtype, shape, { kind: 'node', node, output })),
      );
      this.nodes.push(node);
      return outputs;
    });
  }

  /** Types of the outputs that a node here would have; makes none. @throws graph/shape */
  infer(op: OpDefinition, inputs: readonly Value[], attributes: Attributes): readonly ValueType[] {
    const reject = rejectAs(op.type, this.#scopes.join('.'), inputs);
    const types = op.infer(inputs, attributes, reject);
    for (const { shape } of types)
      if (!shape.every((side) => Number.isInteger(side) && side >= 0))
        reject(`gives shape ${formatShape(shape)}`);
    return types;
  }

  /** The graph its outputs need; nodes, inputs and weights that nothing uses are left out. @throws graph/invalid */
  build(): Graph {
    if (!this.#outputs.size) throw new AppError('graph/invalid', 'the graph has no output');
    const alive = new Set<Value>(this.#outputs.values());
    const nodes: GraphNode[] = [];
    for (let i = this.nodes.length - 1; i >= 0; i--) {
      const node = this.nodes[i];
      if (!node.outputs.some((output) => alive.has(output))) continue;
      nodes.push(node);
      for (const input of node.inputs) alive.add(input);
    }
    for (const value of alive)
      if (value.origin.kind === 'placeholder')
        throw new AppError('graph/invalid', `a placeholder ${value.toString()} is still in use`);
    const used = (values: ReadonlyMap<string, Value>) =>
      new Map([...values].filter(([, value]) => alive.has(value)));
    return {
      nodes: nodes.reverse(),
      inputs: used(this.#inputs),
      weights: used(this.#weights),
      outputs: new Map(this.#outputs),
    };
  }

  #value(dtype: DType, shape: Shape, origin: Origin): Value {
    return new Value(this, this.#count++, dtype, [...shape], origin);
  }

  #claim(name: string): void {
    if (this.#inputs.has(name) || this.#weights.has(name) || this.#outputs.has(name)) throw nameTaken(name);
  }
}

/** The graph that at least one operand belongs to. */
export function graphOf(...operands: readonly Operand[]): GraphBuilder {
  const value = operands.find((operand): operand is Value => typeof operand !== 'number');
  assert(value, 'an operator needs at least one value of a graph');
  return value.graph;
}

const nameTaken = (name: string): AppError =>
  new AppError('graph/invalid', `the name "${name}" is taken by another input, weight or output`);

const sameTensor = (a: TensorData, b: TensorData): boolean =>
  a.data === b.data && a.dtype === b.dtype && sameShape(a.shape, b.shape);

function getOrMake<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  let value = map.get(key);
  if (value === undefined) map.set(key, (value = make()));
  return value;
}
