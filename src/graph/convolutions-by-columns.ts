import { assert } from '../base/errors';
import { GraphBuilder } from './builder';
import type { Graph } from './builder';
import { columnsOf } from './ops/columns';
import { Conv, geometryOf } from './ops/conv';
import { reshape, transpose } from './ops/layout';
import { gemm } from './ops/linear';
import type { GraphNode, Value } from './value';

/** Output positions up to which one image is too little work for several threads. */
const SMALL_MAP = 64;
/** Fewer images aren't worth it. */
const MANY_IMAGES = 8;

/**
 * The same graph for processors: convolutions of many small maps are one product over all their images, of the columns
 * that the gradient by their weight takes as well (docs/decisions/0011).
 */
export function convolveByColumns(graph: Graph): Graph {
  if (!graph.nodes.some(gains)) return graph;
  const builder = new GraphBuilder();
  const copies = new Map<Value, Value>();
  const copyOf = (value: Value): Value => {
    const copy = copies.get(value) ?? copyOfLeaf(builder, value);
    copies.set(value, copy);
    return copy;
  };
  for (const node of graph.nodes) {
    const { op, attributes, outputs, scope } = node;
    const inputs = node.inputs.map(copyOf);
    const made = builder.scope(scope, () =>
      gains(node) ? [byColumns(node, inputs)] : builder.emit(op, inputs, attributes),
    );
    outputs.forEach((output, i) => copies.set(output, made[i]));
  }
  for (const [name, value] of graph.outputs) builder.output(name, copyOf(value));
  return builder.build();
}

function copyOfLeaf(builder: GraphBuilder, { origin, dtype, shape }: Value): Value {
  if (origin.kind === 'input') return builder.input(origin.name, shape, dtype);
  if (origin.kind === 'weight') return builder.weight(origin.name, origin.tensor);
  assert(origin.kind === 'constant', `a ${origin.kind} comes before the node that makes it`);
  return builder.constant(origin.tensor);
}

/** ONNX Runtime brings weights that never change to a layout of its own, in which small maps are no matter. */
function gains({ op, inputs, outputs, attributes }: GraphNode): boolean {
  if (op !== Conv) return false;
  const [x, { shape, origin }] = inputs;
  const { group, strides } = geometryOf(attributes);
  const [, , height, width] = outputs[0].shape;
  return (
    origin.kind !== 'weight' &&
    origin.kind !== 'constant' &&
    x.shape[0] >= MANY_IMAGES &&
    height * width <= SMALL_MAP &&
    (shape[2] * shape[3] > 1 || strides.some((stride) => stride > 1)) &&
    group === 1
  );
}

function byColumns({ attributes, outputs }: GraphNode, [x, weight, bias]: readonly Value[]): Value {
  const [images, filters, height, width] = outputs[0].shape;
  const columns = columnsOf(x, [height, width], weight.shape.slice(2), geometryOf(attributes));
  const kernel = reshape(transpose(weight, [0, 2, 3, 1]), [filters, -1]);
  const found = gemm(columns, kernel, bias, false, true);
  return transpose(reshape(found, [images, height, width, filters]), [0, 3, 1, 2]);
}
