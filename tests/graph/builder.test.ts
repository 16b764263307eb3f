import { describe, expect, it } from 'vitest';
import { floatTensor, intTensor } from '../../src/base/tensor';
import { GraphBuilder } from '../../src/graph/builder';
import { add, clip, matMul, mul, neg, pad, relu, topK } from '../../src/graph/ops/index';

const failure = (code: string, message: string) => expect.objectContaining({ code, message }) as Error;

describe('sharing', () => {
  it('an equal node is made once', () => {
    const graph = new GraphBuilder();
    const x = graph.input('x', [2, 3]);
    expect(relu(x)).toBe(relu(x));
    expect(clip(x, 0, 6)).toBe(clip(x, 0, 6));
    expect(topK(x, 2).indices).toBe(topK(x, 2).indices);
    expect(graph.nodes.map(({ op }) => op.type)).toEqual(['Relu', 'Clip', 'TopK']);
  });

  it('another operator, operand, order or attribute is another node', () => {
    const graph = new GraphBuilder();
    const [x, y] = [graph.input('x', [2, 2]), graph.input('y', [2, 2])];
    const made = [relu(x), neg(x), relu(y), matMul(x, y), matMul(y, x), clip(x, 0, 6), clip(x, 0, 5)];
    expect(new Set(made).size).toBe(made.length);
  });

  it('constants of equal type, shape and values are shared', () => {
    const graph = new GraphBuilder();
    expect(graph.constant(2)).toBe(graph.constant(floatTensor([], [2])));
    expect(graph.constant(floatTensor([2], [1, 2]))).toBe(graph.constant(floatTensor([2], [1, 2])));
    const made = [
      graph.constant(1),
      graph.constant(1.0000001),
      graph.constant(floatTensor([1], [1])),
      graph.constant(floatTensor([1, 1], [1])),
      graph.constant(intTensor([1], [1])),
      graph.constant({ dtype: 'int64', shape: [1], data: BigInt64Array.of(1n) }),
      graph.constant({ dtype: 'bool', shape: [1], data: Uint8Array.of(1) }),
      graph.constant({ dtype: 'uint8', shape: [1], data: Uint8Array.of(1) }),
    ];
    expect(new Set(made).size).toBe(made.length);
  });

  it('numbers among operands become shared float32 scalars', () => {
    const graph = new GraphBuilder();
    const x = graph.input('x', [2]);
    expect(add(x, 3)).toBe(add(x, graph.constant(3)));
    expect(mul(0.5, x)).not.toBe(mul(x, 0.5));
  });

  it('constants too long to be compared stay apart', () => {
    const graph = new GraphBuilder();
    const long = () => graph.constant(floatTensor([4097], new Float32Array(4097)));
    expect(long()).not.toBe(long());
    const short = () => graph.constant(floatTensor([4096], new Float32Array(4096)));
    expect(short()).toBe(short());
  });

  it('a weight asked for again is the same value', () => {
    const graph = new GraphBuilder();
    const tensor = floatTensor([3], [1, 2, 3]);
    expect(graph.weight('w', tensor)).toBe(graph.weight('w', tensor));
    expect(graph.weight('w', { ...tensor })).toBe(graph.weight('w', tensor));
  });

  it('attributes of opposite infinities are two nodes', () => {
    const graph = new GraphBuilder();
    const x = graph.input('x', [2]);
    expect(pad(x, [1, 1], Infinity)).not.toBe(pad(x, [1, 1], -Infinity));
  });

  it('0 and −0 are two constants', () => {
    const graph = new GraphBuilder();
    expect(graph.constant(-0)).not.toBe(graph.constant(0));
  });
});

describe('names', () => {
  const taken = (name: string) =>
    failure('graph/invalid', `the name "${name}" is taken by another input, weight or output`);

  it('an input may not have the name of another', () => {
    const graph = new GraphBuilder();
    graph.input('x', [1]);
    expect(() => graph.input('x', [1])).toThrow(taken('x'));
  });

  it('nor a weight, nor may a weight have the name of another with other data', () => {
    const graph = new GraphBuilder();
    graph.weight('fc.weight', floatTensor([1], [1]));
    expect(() => graph.input('fc.weight', [1])).toThrow(taken('fc.weight'));
    expect(() => graph.weight('fc.weight', floatTensor([1], [1]))).toThrow(taken('fc.weight'));
    graph.input('x', [1]);
    expect(() => graph.weight('x', floatTensor([1], [1]))).toThrow(taken('x'));
  });

  it('nor the same data in another shape or type', () => {
    const graph = new GraphBuilder();
    const data = new Uint8Array(6);
    graph.weight('w', { dtype: 'uint8', shape: [6], data });
    expect(() => graph.weight('w', { dtype: 'uint8', shape: [2, 3], data })).toThrow(taken('w'));
    expect(() => graph.weight('w', { dtype: 'bool', shape: [6], data })).toThrow(taken('w'));
  });

  it('an output is set once', () => {
    const graph = new GraphBuilder();
    const x = graph.input('x', [1]);
    graph.output('y', relu(x));
    expect(() => graph.output('y', neg(x))).toThrow(failure('graph/invalid', 'output "y" is set twice'));
  });

  it('an input may be an output under its own name', () => {
    const graph = new GraphBuilder();
    const x = graph.input('x', [1]);
    graph.output('x', x);
    expect(graph.build().outputs.get('x')).toBe(x);
  });

  it.each(['x', 'w'])('a computed output may not have the name of the input or weight %s', (name) => {
    const graph = new GraphBuilder();
    const product = mul(graph.input('x', [1]), graph.weight('w', floatTensor([1], [2])));
    expect(() => graph.output(name, product)).toThrow(taken(name));
  });

  it('nor may an input or weight have the name of an output', () => {
    const graph = new GraphBuilder();
    graph.output('y', relu(graph.input('x', [1])));
    expect(() => graph.input('y', [1])).toThrow(taken('y'));
    expect(() => graph.weight('y', floatTensor([1], [1]))).toThrow(taken('y'));
  });
});

describe('two graphs', () => {
  const [one, other] = [new GraphBuilder(), new GraphBuilder()];
  const [x, y] = [one.input('x', [2]), other.input('y', [2])];

  it('may not meet in a node', () => {
    expect(() => add(x, y)).toThrow(failure('internal', 'Add mixes values of two graphs'));
  });

  it("may not lend each other's values as outputs", () => {
    expect(() => one.output('y', y)).toThrow(failure('internal', 'output "y" belongs to another graph'));
  });

  it('an operator needs a value to know its graph', () => {
    expect(() => add(1, 2)).toThrow(failure('internal', 'an operator needs at least one value of a graph'));
  });
});

describe('build', () => {
  it('leaves out what the outputs do not need', () => {
    const graph = new GraphBuilder();
    const x = graph.input('x', [2]);
    const unused = graph.input('unused', [2]);
    const w = graph.weight('w', floatTensor([2], [1, 2]));
    const forgotten = graph.weight('forgotten', floatTensor([2], [3, 4]));
    mul(unused, forgotten);
    const product = mul(x, w);
    neg(product);
    graph.output('y', relu(product));
    const built = graph.build();
    expect(built.nodes.map(({ op }) => op.type)).toEqual(['Mul', 'Relu']);
    expect([...built.inputs]).toEqual([['x', x]]);
    expect([...built.weights]).toEqual([['w', w]]);
    expect([...built.outputs.keys()]).toEqual(['y']);
  });

  it('keeps a node of which only the second output is used', () => {
    const graph = new GraphBuilder();
    graph.output('indices', topK(graph.input('x', [4]), 2).indices);
    expect(graph.build().nodes.map(({ op }) => op.type)).toEqual(['TopK']);
  });

  it('can be called again when more was made', () => {
    const graph = new GraphBuilder();
    const x = graph.input('x', [2]);
    graph.output('y', relu(x));
    const first = graph.build();
    graph.output('z', neg(relu(x)));
    expect([first.nodes.length, graph.build().nodes.length]).toEqual([1, 2]);
    expect([...first.outputs.keys()]).toEqual(['y']);
  });

  it('refuses a graph without outputs', () => {
    const graph = new GraphBuilder();
    relu(graph.input('x', [2]));
    expect(() => graph.build()).toThrow(failure('graph/invalid', 'the graph has no output'));
  });

  it('refuses a placeholder that is still needed, and only then', () => {
    const graph = new GraphBuilder();
    const seed = graph.placeholder('float32', [2, 3]);
    const doubled = add(seed, seed);
    graph.output('y', relu(graph.input('x', [2])));
    expect(graph.build().nodes.length).toBe(1);
    graph.output('z', doubled);
    expect(() => graph.build()).toThrow(
      failure('graph/invalid', 'a placeholder float32[2,3] is still in use'),
    );
  });
});

describe('scopes', () => {
  it('nest, name what is made inside, and end with their body', () => {
    const graph = new GraphBuilder();
    const x = graph.input('x', [2]);
    graph.scope('layer1', () => {
      relu(x);
      graph.scope('0', () => neg(x));
    });
    clip(x, 0, 1);
    expect(graph.nodes.map(({ scope }) => scope)).toEqual(['layer1', 'layer1.0', '']);
  });

  it('end when their body fails, and stand in the error', () => {
    const graph = new GraphBuilder();
    const [a, b] = [graph.input('a', [2, 3]), graph.input('b', [4, 5])];
    expect(() => graph.scope('blocks.0', () => graph.scope('attn', () => matMul(a, b)))).toThrow(
      failure(
        'graph/shape',
        'MatMul in blocks.0.attn of float32[2,3], float32[4,5]: 3 columns against 4 rows',
      ),
    );
    expect(relu(a).origin).toMatchObject({ node: { scope: '' } });
  });

  it('give what their body gives', () => {
    expect(new GraphBuilder().scope('a', () => 7)).toBe(7);
  });
});

describe('values', () => {
  it('keep the shape they were made with', () => {
    const graph = new GraphBuilder();
    const shape = [2, 3];
    const x = graph.input('x', shape);
    shape[0] = 7;
    expect([x.toString(), x.rank]).toEqual(['float32[2,3]', 2]);
  });
});
