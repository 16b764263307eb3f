import { describe, expect, it } from 'vitest';
import { floatTensor } from '../../src/base/tensor';
import { GraphBuilder } from '../../src/graph/builder';
import type { Graph } from '../../src/graph/builder';
import { OPS, add, matMul, neg, relu, topK } from '../../src/graph/ops/index';
import { Value } from '../../src/graph/value';
import type { GraphNode } from '../../src/graph/value';
import { verify } from '../../src/graph/verify';

const invalid = (message: string) => expect.objectContaining({ code: 'graph/invalid', message }) as Error;

/** relu(x·w) + x, with the product inside scope `block`. */
function sound(): Graph {
  const graph = new GraphBuilder();
  const x = graph.input('x', [2, 3]);
  const w = graph.weight('w', floatTensor([3, 3], new Float32Array(9)));
  const y = add(relu(graph.scope('block', () => matMul(x, w))), x);
  graph.output('y', y);
  return graph.build();
}

/** The graph with one node replaced by a broken copy. */
function broken(graph: Graph, index: number, change: (node: GraphNode) => Partial<GraphNode>): Graph {
  const nodes = graph.nodes.map((node, i) => (i === index ? { ...node, ...change(node) } : node));
  return { ...graph, nodes };
}

/** A stranger with the type of a value. */
const like = (value: Value): Value => new Value(value.graph, 999, value.dtype, value.shape, value.origin);

describe('verify', () => {
  it('accepts what the builder builds', () => {
    expect(() => verify(sound())).not.toThrow();
  });

  it('accepts an input, a weight and a second output as results', () => {
    const graph = new GraphBuilder();
    const x = graph.input('x', [4]);
    graph.output('a', x);
    graph.output('b', graph.weight('w', floatTensor([1], [1])));
    graph.output('c', topK(x, 2).indices);
    expect(() => verify(graph.build())).not.toThrow();
  });

  it('accepts a constant as a result', () => {
    const graph = new GraphBuilder();
    graph.output('c', graph.constant(3));
    expect(() => verify(graph.build())).not.toThrow();
  });

  it('refuses nodes in the wrong order', () => {
    const graph = sound();
    expect(() => verify({ ...graph, nodes: [...graph.nodes].reverse() })).toThrow(
      invalid('node 0 (Add): float32[2,3] is used before it is made'),
    );
  });

  it('refuses a missing node', () => {
    const graph = sound();
    expect(() => verify({ ...graph, nodes: graph.nodes.slice(1) })).toThrow(
      invalid('node 0 (Relu): float32[2,3] is used before it is made'),
    );
  });

  it('refuses a forgotten input and a forgotten weight', () => {
    const graph = sound();
    expect(() => verify({ ...graph, inputs: new Map() })).toThrow(
      invalid('node 0 (MatMul in block): float32[2,3] is used before it is made'),
    );
    expect(() => verify({ ...graph, weights: new Map() })).toThrow(
      invalid('node 0 (MatMul in block): float32[3,3] is used before it is made'),
    );
  });

  it('refuses an operator that is not in the table, even by a known name', () => {
    const graph = sound();
    const impostor = { ...OPS.Relu };
    expect(() => verify(broken(graph, 1, () => ({ op: impostor })))).toThrow(
      invalid('node 1 (Relu): unknown operator'),
    );
    const named = { ...OPS.Relu, type: 'toString' };
    expect(() => verify(broken(graph, 1, () => ({ op: named })))).toThrow(
      invalid('node 1 (toString): unknown operator'),
    );
  });

  it('refuses outputs whose type the rule does not give', () => {
    const graph = sound();
    const [made] = graph.nodes[0].outputs;
    const shaped = new Value(made.graph, made.id, made.dtype, [3, 2], made.origin);
    expect(() => verify(broken(graph, 0, () => ({ outputs: [shaped] })))).toThrow(
      invalid('node 0 (MatMul in block): output 0 is float32[3,2], its rule gives float32[2,3]'),
    );
    const typed = new Value(made.graph, made.id, 'int32', made.shape, made.origin);
    expect(() => verify(broken(graph, 0, () => ({ outputs: [typed] })))).toThrow(
      invalid('node 0 (MatMul in block): output 0 is int32[2,3], its rule gives float32[2,3]'),
    );
  });

  it('refuses a result that nothing makes', () => {
    const graph = sound();
    const y = graph.outputs.get('y')!;
    expect(() => verify({ ...graph, outputs: new Map([['y', like(y)]]) })).toThrow(
      invalid('output "y": nothing makes it'),
    );
  });

  it('refuses inputs that the rule of a node refuses', () => {
    const graph = sound();
    const [x] = graph.inputs.values();
    expect(() => verify(broken(graph, 0, () => ({ inputs: [x, x] })))).toThrow(
      invalid('node 0 (MatMul in block): refuses float32[2,3], float32[2,3]: 3 columns against 2 rows'),
    );
  });

  it('refuses a node that lacks an output', () => {
    const graph = new GraphBuilder();
    graph.output('values', topK(graph.input('x', [4]), 2).values);
    expect(() =>
      verify(broken(graph.build(), 0, ({ outputs }) => ({ outputs: outputs.slice(0, 1) }))),
    ).toThrow(invalid('node 0 (TopK): its rule gives 2 outputs, it has 1'));
  });

  it('names nothing but the first fault', () => {
    const graph = new GraphBuilder();
    const x = graph.input('x', [2]);
    graph.output('y', neg(relu(x)));
    expect(() => verify({ ...graph.build(), inputs: new Map(), outputs: new Map() })).toThrow(
      invalid('node 0 (Relu): float32[2] is used before it is made'),
    );
  });
});
