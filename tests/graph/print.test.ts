import { describe, expect, it } from 'vitest';
import { Rng } from '../../src/base/rng';
import { floatTensor } from '../../src/base/tensor';
import type { TensorData } from '../../src/base/tensor';
import { GraphBuilder } from '../../src/graph/builder';
import type { Graph } from '../../src/graph/builder';
import { add, clip, conv, gather, mul, neg, pad, reduceMean, relu, topK } from '../../src/graph/ops/index';
import { hashGraph, print } from '../../src/graph/print';

/** Everything a change may touch. */
interface Recipe {
  readonly weights?: readonly number[];
  readonly long?: Float32Array;
  readonly side?: number;
  readonly bias?: number;
  readonly high?: number;
  readonly weightName?: string;
  readonly outputName?: string;
}

const LONG = Float32Array.from({ length: 300 }, (_, i) => i / 7);

function graphOf(recipe: Recipe = {}): Graph {
  const { weights = [1, 2, 3, 4], long = LONG, side = 5, bias = 0.5, high = 6 } = recipe;
  const graph = new GraphBuilder();
  const x = graph.input('x', [1, 1, side, side]);
  const w = graph.weight(recipe.weightName ?? 'w', floatTensor([1, 1, 2, 2], weights));
  const y = clip(add(conv(x, w), bias), 0, high);
  const scaled = mul(reduceMean(y), graph.constant(floatTensor([300], long)));
  graph.output(recipe.outputName ?? 'y', scaled);
  return graph.build();
}

describe('the text of a graph', () => {
  it('is one line for each input, weight, node and output', () => {
    const graph = new GraphBuilder();
    const x = graph.input('x', [2, 3]);
    const index = graph.input('index', [2], 'int32');
    const w = graph.weight('head.weight', floatTensor([3], [1, 2, 3]));
    const { values, indices } = topK(mul(gather(x, index), w), 2, 1, false);
    graph.output('best', add(values, 0.5));
    graph.output('where', indices);
    graph.output('x', x);
    const [weightLine] = print(graph.build()).split('\n').slice(2);
    expect(weightLine).toMatch(/^weight head\.weight: float32\[3\] #[0-9a-f]{32}$/);
    expect(print(graph.build())).toBe(
      `input x: float32[2,3]
input index: int32[2]
${weightLine}
%0: float32[2,3] = Gather(x, index) {axis=0}
%1: float32[2,3] = Mul(%0, head.weight)
%2: float32[2,2], %3: int64[2,2] = TopK(%1) {axis=1 k=2 largest=0 sorted=1}
%4: float32[2,2] = Add(%2, float32[]{0.5})
output best = %4
output where = %3
output x = x`,
    );
  });

  it('shows lists, and up to eight values of a literal', () => {
    const graph = new GraphBuilder();
    const x = graph.input('x', [8]);
    const eight = graph.constant(floatTensor([8], [1, 2, 3, 4, 5, 6, 7, 8]));
    const nine = graph.constant(floatTensor([9], [1, 2, 3, 4, 5, 6, 7, 8, 9]));
    graph.output('y', add(pad(add(x, eight), [1, 0], 2), nine));
    expect(print(graph.build()).replace(/#[0-9a-f]{32}/, '#…')).toBe(
      `input x: float32[8]
%0: float32[8] = Add(x, float32[8]{1 2 3 4 5 6 7 8})
%1: float32[9] = Pad(%0) {pads=[1,0] value=2}
%2: float32[9] = Add(%1, float32[9]#…)
output y = %2`,
    );
  });
});

describe('the same computation prints the same', () => {
  it('whatever unused things were made before, between and behind', () => {
    const graph = new GraphBuilder();
    graph.input('forgotten', [7]);
    graph.constant(9);
    const x = graph.input('x', [1, 1, 5, 5]);
    neg(x);
    graph.weight('spare', floatTensor([1], [1]));
    const w = graph.weight('w', floatTensor([1, 1, 2, 2], [1, 2, 3, 4]));
    const convolved = graph.scope('named', () => conv(x, w));
    relu(convolved);
    const y = clip(add(convolved, 0.5), 0, 6);
    graph.output('y', mul(reduceMean(y), graph.constant(floatTensor([300], LONG.slice()))));
    relu(y);
    expect(print(graph.build())).toBe(print(graphOf()));
    expect(hashGraph(graph.build())).toBe(hashGraph(graphOf()));
  });
});

describe('the hash', () => {
  it('is 32 hexadecimal digits', () => {
    expect(hashGraph(graphOf())).toMatch(/^[0-9a-f]{32}$/);
  });

  const oneChanged = (i: number): Float32Array => {
    const long = LONG.slice();
    // The next float32: one bit of the last place.
    new Uint32Array(long.buffer)[i]++;
    return long;
  };

  it.each<[string, Recipe]>([
    ['one element of a weight', { weights: [1, 2, 3.0000002, 4] }],
    ['two weights swapped', { weights: [2, 1, 3, 4] }],
    ['the first element of a long constant', { long: oneChanged(0) }],
    ['the last element of a long constant', { long: oneChanged(299) }],
    ['a literal', { bias: 0.50000006 }],
    ['an attribute', { high: 6.5 }],
    ['a shape', { side: 6 }],
    ["a weight's name", { weightName: 'v' }],
    ["an output's name", { outputName: 'z' }],
  ])('another one for %s', (_, recipe) => {
    expect(hashGraph(graphOf(recipe))).not.toBe(hashGraph(graphOf()));
  });

  const outputOf = (build: (graph: GraphBuilder) => Parameters<GraphBuilder['output']>[1]): string => {
    const graph = new GraphBuilder();
    graph.output('y', build(graph));
    return hashGraph(graph.build());
  };
  const weighted = (tensor: TensorData) => outputOf((graph) => graph.weight('w', tensor));

  it('another one for the same bytes of another shape or type', () => {
    const bytes = new ArrayBuffer(16);
    const hashes = [
      weighted(floatTensor([4], new Float32Array(bytes))),
      weighted(floatTensor([2, 2], new Float32Array(bytes))),
      weighted({ dtype: 'int32', shape: [4], data: new Int32Array(bytes) }),
      weighted({ dtype: 'uint8', shape: [16], data: new Uint8Array(bytes) }),
      weighted({ dtype: 'bool', shape: [16], data: new Uint8Array(bytes) }),
    ];
    expect(new Set(hashes).size).toBe(hashes.length);
  });

  it('tells lengths apart that differ by zeros alone, down to single bytes', () => {
    const hashes = Array.from({ length: 64 }, (_, n) =>
      weighted({ dtype: 'uint8', shape: [n], data: new Uint8Array(n) }).slice(),
    );
    expect(new Set(hashes).size).toBe(hashes.length);
  });

  it('does not depend on where a view starts in its buffer', () => {
    const buffer = new Float32Array([9, 9, 9, 1, 2, 3]);
    expect(weighted(floatTensor([3], buffer.subarray(3)))).toBe(weighted(floatTensor([3], [1, 2, 3])));
  });

  it('has no collision among thousands of graphs that differ a little', () => {
    const rng = new Rng(1, 'print.collisions');
    const hashes = new Set<string>();
    let graphs = 0;
    const take = (recipe: Recipe) => {
      graphs++;
      hashes.add(hashGraph(graphOf(recipe)));
    };
    for (let i = 0; i < 300; i++) take({ long: oneChanged(i) });
    for (let bit = 0; bit < 32; bit++)
      for (let element = 0; element < 60; element++) {
        const long = LONG.slice();
        new Uint32Array(long.buffer)[element + 100] ^= 1 << bit;
        // Bit 0 of an even pattern is what `oneChanged` did.
        if (bit > 0) take({ long });
      }
    for (let i = 0; i < 1000; i++) take({ bias: 1 + i / 1024 });
    for (let i = 0; i < 300; i++) take({ high: 7 + i / 64 });
    for (let i = 0; i < 300; i++) take({ weightName: `w${i}`, side: 6 + rng.integer(40) });
    expect(hashes.size).toBe(graphs);
  });

  it('tells opposite infinities of an attribute apart', () => {
    const padded = (value: number) => outputOf((graph) => pad(graph.input('x', [2]), [1, 1], value));
    expect(padded(Infinity)).not.toBe(padded(-Infinity));
  });

  it('tells a literal 0 and −0 apart', () => {
    const over = (value: number) => outputOf((graph) => mul(graph.input('x', [2]), value));
    expect(over(0)).not.toBe(over(-0));
  });
});
