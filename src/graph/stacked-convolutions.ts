import { assert } from '../base/errors';
import { GraphBuilder } from './builder';
import type { Graph } from './builder';
import { Conv, convolvedSide, geometryOf } from './ops/conv';
import { padImage, reshape, slice, transpose } from './ops/layout';
import type { Attributes, GraphNode, Value } from './value';

/** Output positions up to which one image is too little work for several threads. */
const SMALL_MAP = 64;
/** Fewer images aren't worth turning the batch round. */
const MANY_IMAGES = 8;

/**
 * The same graph for processors: convolutions of many small maps see them below each other, as one tall image
 * (docs/decisions/0011).
 */
export function stackConvolutions(graph: Graph): Graph {
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
      gains(node) ? [stacked(builder, inputs, attributes)] : builder.emit(op, inputs, attributes),
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
  const { group, dilations } = geometryOf(attributes);
  const [, , height, width] = outputs[0].shape;
  return (
    origin.kind !== 'weight' &&
    origin.kind !== 'constant' &&
    x.shape[0] >= MANY_IMAGES &&
    height * width <= SMALL_MAP &&
    shape[2] * shape[3] > 1 &&
    group === 1 &&
    dilations.every((dilation) => dilation === 1)
  );
}

/** Below each image are as many empty rows as the kernel reaches over an edge, and a whole number of its strides. */
function stacked(builder: GraphBuilder, [x, weight, bias]: readonly Value[], attributes: Attributes): Value {
  const geometry = geometryOf(attributes);
  const [stride] = geometry.strides;
  const [top, left, bottom, right] = geometry.pads;
  const [images, channels, height, width] = x.shape;
  const [filters, , kernel] = weight.shape;
  const rows = convolvedSide(height, kernel, geometry, 0);
  const period = Math.ceil((height + Math.max(top, bottom)) / stride) * stride;
  const apart = padImage(x, [0, 0, period - height, 0]);
  const tall = reshape(transpose(apart, [1, 0, 2, 3]), [1, channels, images * period, width]);
  const wanted = (images * period) / stride;
  const missing = Math.max(0, (wanted - 1) * stride + kernel - top - images * period);
  const inputs = bias ? [tall, weight, bias] : [tall, weight];
  const [found] = builder.emit(Conv, inputs, { ...attributes, pads: [top, left, missing, right] });
  const byImage = reshape(slice(found, 2, 0, wanted), [filters, images, period / stride, -1]);
  return transpose(slice(byImage, 2, 0, rows), [1, 0, 2, 3]);
}
