import { assert } from '../base/errors';
import { bytesOf } from '../base/tensor';
import type { DType, TensorData } from '../base/tensor';
import type { Graph } from './builder';
import { ProtobufWriter } from './protobuf';
import { literalText } from './value';
import type { GraphNode, Value } from './value';

/** Opset 17 has LayerNormalization; later ones move axes about and gain nothing here. */
export const OPSET = 17;
const IR_VERSION = 8;

/** TensorProto.DataType */
const ELEMENT_TYPE: Readonly<Record<DType, number>> = {
  float32: 1,
  uint8: 2,
  int32: 6,
  int64: 7,
  bool: 9,
};

export interface EncodeOptions {
  /** Weights of at least this many bytes become graph inputs, bound at run time, instead of initialisers. */
  readonly inputsFromBytes?: number;
  /** Weights of at least this many bytes go to a file of their own beside the model. */
  readonly externalFromBytes?: number;
  /** Facts for whoever runs the model, by their names. */
  readonly metadata?: Readonly<Record<string, string>>;
}

/** A model, and the bytes that its external initialisers point into. */
export interface EncodedModel {
  readonly model: Uint8Array<ArrayBuffer>;
  readonly external?: { readonly path: string; readonly bytes: Uint8Array<ArrayBuffer> };
}

const EXTERNAL_PATH = 'weights.bin';
/** External tensors start at multiples of this, so that they can be viewed without a copy. */
const EXTERNAL_ALIGNMENT = 16;

/**
 * A graph as an ONNX ModelProto.
 * @source onnx.proto3, field numbers in the comments beside each record
 */
export function encode(graph: Graph, options: EncodeOptions = {}): EncodedModel {
  const names = nameValues(graph);
  const external = new ExternalFile(options.externalFromBytes ?? Infinity);
  const body = new ProtobufWriter();
  const literals = new Literals();
  for (const [index, node] of graph.nodes.entries())
    body.message(1, encodeNode(node, index, names, literals)); // node
  for (const [name, value] of graph.outputs)
    if (names.get(value) !== name) body.message(1, encodeIdentity(names.get(value)!, name)); // node
  body.text(2, 'darkfield'); // name
  for (const [name, tensor] of literals.tensors) body.message(5, encodeTensor(name, tensor)); // initializer
  for (const value of constantsOf(graph))
    if (value.origin.kind === 'constant')
      body.message(5, encodeTensor(names.get(value)!, value.origin.tensor));
  for (const [name, value] of graph.inputs) body.message(11, encodeValueInfo(name, value)); // input
  for (const [name, value] of graph.weights) {
    assert(value.origin.kind === 'weight', `${name} is no weight`);
    const { tensor } = value.origin;
    if (tensor.data.byteLength >= (options.inputsFromBytes ?? Infinity))
      body.message(11, encodeValueInfo(name, value));
    else body.message(5, encodeTensor(name, tensor, external));
  }
  for (const [name, value] of graph.outputs) body.message(12, encodeValueInfo(name, value)); // output
  const file = new ProtobufWriter()
    .integer(1, IR_VERSION) // ir_version
    .text(2, 'darkfield') // producer_name
    .message(7, body) // graph
    .message(8, new ProtobufWriter().text(1, '').integer(2, OPSET)); // opset_import
  for (const [key, value] of Object.entries(options.metadata ?? {}))
    file.message(14, new ProtobufWriter().text(1, key).text(2, value)); // metadata_props
  const model = file.finish();
  return external.size ? { model, external: { path: EXTERNAL_PATH, bytes: external.finish() } } : { model };
}

/** Every value's name; an output's name goes to the node that makes it where it can. */
function nameValues(graph: Graph): Map<Value, string> {
  const names = new Map<Value, string>();
  for (const [name, value] of [...graph.inputs, ...graph.weights]) names.set(value, name);
  for (const node of graph.nodes) for (const output of node.outputs) names.set(output, `%${output.id}`);
  for (const value of constantsOf(graph)) names.set(value, `#${value.id}`);
  for (const [name, value] of graph.outputs) if (names.get(value) === `%${value.id}`) names.set(value, name);
  return names;
}

function constantsOf(graph: Graph): Set<Value> {
  const constants = new Set<Value>();
  for (const output of graph.outputs.values()) if (output.origin.kind === 'constant') constants.add(output);
  for (const node of graph.nodes)
    for (const input of node.inputs) if (input.origin.kind === 'constant') constants.add(input);
  return constants;
}

function encodeNode(
  node: GraphNode,
  index: number,
  names: ReadonlyMap<Value, string>,
  literals: Literals,
): ProtobufWriter {
  const { op, attributes } = node;
  const inputs = node.inputs.map((input) => names.get(input)!);
  const operands = (op.operands?.(attributes) ?? []).map((tensor) => literals.nameOf(tensor));
  inputs.splice(op.operandsAt ?? inputs.length, 0, ...operands);
  const out = new ProtobufWriter();
  for (const input of inputs) out.text(1, input); // input
  for (const output of node.outputs) out.text(2, names.get(output)!); // output
  out.text(3, `${node.scope ? `${node.scope}.` : ''}${op.type}.${index}`).text(4, op.type); // name, op_type
  for (const [name, value] of Object.entries(attributes))
    if (!op.operandNames?.includes(name))
      out.message(5, encodeAttribute(name, value, op.floatAttributes?.includes(name) ?? false)); // attribute
  return out;
}

/** For an output that is an input, a constant, or another output as well. */
const encodeIdentity = (from: string, to: string): ProtobufWriter =>
  new ProtobufWriter().text(1, from).text(2, to).text(3, `${to}.Identity`).text(4, 'Identity');

/** Operands with equal contents share one initialiser. */
class Literals {
  readonly tensors = new Map<string, TensorData>();
  readonly #names = new Map<string, string>();

  nameOf(tensor: TensorData): string {
    const key = literalText(tensor);
    let name = this.#names.get(key);
    if (!name) {
      name = `$${this.#names.size}`;
      this.#names.set(key, name);
      this.tensors.set(name, tensor);
    }
    return name;
  }
}

/** AttributeProto; `type` 1 float, 2 int, 3 string, 7 ints. */
function encodeAttribute(
  name: string,
  value: number | string | readonly number[],
  isFloat: boolean,
): ProtobufWriter {
  const out = new ProtobufWriter().text(1, name);
  if (typeof value === 'string') return out.text(4, value).integer(20, 3);
  if (typeof value === 'number')
    return isFloat ? out.float(2, value).integer(20, 1) : out.integer(3, value).integer(20, 2);
  for (const item of value) out.integer(8, item);
  return out.integer(20, 7);
}

/** TensorProto; data inline, or in the external file when it is large. */
function encodeTensor(
  name: string,
  { dtype, shape, data }: TensorData,
  external?: ExternalFile,
): ProtobufWriter {
  const out = new ProtobufWriter();
  for (const side of shape) out.integer(1, side); // dims
  out.integer(2, ELEMENT_TYPE[dtype]).text(8, name); // data_type, name
  const bytes = bytesOf(data);
  if (!external?.takes(bytes)) return out.bytes(9, bytes); // raw_data
  const entry = (key: string, value: string) => new ProtobufWriter().text(1, key).text(2, value);
  const offset = external.append(bytes);
  return out
    .message(13, entry('location', EXTERNAL_PATH)) // external_data
    .message(13, entry('offset', String(offset)))
    .message(13, entry('length', String(bytes.byteLength)))
    .integer(14, 1); // data_location EXTERNAL
}

function encodeValueInfo(name: string, { dtype, shape }: Value): ProtobufWriter {
  const dims = new ProtobufWriter();
  for (const side of shape) dims.message(1, new ProtobufWriter().integer(1, side));
  const tensorType = new ProtobufWriter().integer(1, ELEMENT_TYPE[dtype]).message(2, dims);
  return new ProtobufWriter().text(1, name).message(2, new ProtobufWriter().message(1, tensorType));
}

class ExternalFile {
  readonly #parts: { readonly offset: number; readonly bytes: Uint8Array }[] = [];
  size = 0;

  constructor(private readonly fromBytes: number) {}

  takes(bytes: Uint8Array): boolean {
    return bytes.byteLength >= this.fromBytes;
  }

  append(bytes: Uint8Array): number {
    const offset = Math.ceil(this.size / EXTERNAL_ALIGNMENT) * EXTERNAL_ALIGNMENT;
    this.#parts.push({ offset, bytes });
    this.size = offset + bytes.byteLength;
    return offset;
  }

  finish(): Uint8Array<ArrayBuffer> {
    const out = new Uint8Array(this.size);
    for (const { offset, bytes } of this.#parts) out.set(bytes, offset);
    return out;
  }
}
