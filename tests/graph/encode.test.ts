import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as ort from 'onnxruntime-node';
import { afterAll, describe, expect, it } from 'vitest';
import { Rng } from '../../src/base/rng';
import { bytesOf, floatTensor, floats } from '../../src/base/tensor';
import type { TensorData } from '../../src/base/tensor';
import { gradients } from '../../src/graph/autodiff';
import { GraphBuilder } from '../../src/graph/builder';
import { encode } from '../../src/graph/encode';
import { add, conv, gather, mul, neg, pad, reduceSum, relu, softmax, topK } from '../../src/graph/ops/index';
import { ProtobufWriter } from '../../src/graph/protobuf';
import { relativeError } from '../support/golden';
import { Message } from '../support/protobuf-reader';
import { COMPOSITES } from './composites';
import { SAMPLES, float } from './samples';
import type { MakeSample } from './samples';

type Feeds = Readonly<Record<string, TensorData>>;

const toOrt = ({ dtype, shape, data }: TensorData) => new ort.Tensor(dtype, data as Float32Array, [...shape]);
const toFeeds = (feeds: Feeds) =>
  Object.fromEntries(Object.entries(feeds).map(([name, tensor]) => [name, toOrt(tensor)]));

/** Runs a model with ONNX Runtime itself, without this project's runtime. */
async function runModel(model: Uint8Array | string, feeds: Feeds = {}) {
  // Two overloads: a path or the bytes.
  const session = await (typeof model === 'string'
    ? ort.InferenceSession.create(model)
    : ort.InferenceSession.create(model));
  const results = await session.run(toFeeds(feeds));
  await session.release();
  return results;
}

describe('ONNX Runtime runs every operator with the types that were inferred', () => {
  const cases = [
    ...Object.entries(SAMPLES).flatMap(([name, makers]) =>
      makers.map((make, i): [string, MakeSample] => [`${name} ${i}`, make]),
    ),
    ...Object.entries(COMPOSITES),
  ];

  it.each(cases)('%s', async (name, make) => {
    for (let round = 0; round < 3; round++) {
      const sample = make(new Rng(round, `encode.${name}`));
      const graph = new GraphBuilder();
      const values = Object.fromEntries(
        Object.entries(sample.inputs).map(([key, { shape, dtype }]) => [key, graph.input(key, shape, dtype)]),
      );
      const loss = reduceSum(sample.build(values));
      const smooth = Object.keys(values).filter(
        (key) => values[key].dtype === 'float32' && !sample.fixed?.includes(key),
      );
      gradients(
        loss,
        smooth.map((key) => values[key]),
      );
      const made = graph.nodes.flatMap(({ outputs }) => outputs);
      made.forEach((value, i) => graph.output(`v${i}`, value));
      const used = graph.build().inputs;
      const feeds = Object.fromEntries(Object.entries(sample.inputs).filter(([key]) => used.has(key)));
      const results = await runModel(encode(graph.build()).model, feeds);
      made.forEach(({ dtype, shape }, i) => {
        expect(results[`v${i}`].type).toBe(dtype);
        expect(results[`v${i}`].dims).toEqual(shape);
      });
    }
  });
});

/** relu(conv(x, w) + b): weights of 864 and 32 bytes. */
function smallNet() {
  const rng = new Rng(3, 'encode.net');
  const graph = new GraphBuilder();
  const x = graph.input('x', [1, 3, 6, 5]);
  const w = graph.weight('conv.weight', float(rng, [8, 3, 3, 3]));
  const b = graph.weight('conv.bias', float(rng, [8]));
  graph.output('y', relu(conv(x, w, b, { pads: [0, 1, 1, 0] })));
  return { graph: graph.build(), feeds: { x: float(rng, [1, 3, 6, 5]) } };
}

describe('where weights go', () => {
  const folder = mkdtempSync(join(tmpdir(), 'encode-'));
  afterAll(() => rmSync(folder, { recursive: true }));

  it('a file beside the model gives the same numbers', async () => {
    const { graph, feeds } = smallNet();
    const inline = encode(graph);
    const split = encode(graph, { externalFromBytes: 32 });
    expect(inline.external).toBeUndefined();
    expect(split.model.byteLength).toBeLessThan(inline.model.byteLength - 500);
    writeFileSync(join(folder, 'model.onnx'), split.model);
    writeFileSync(join(folder, split.external!.path), split.external!.bytes);
    const [there, here] = [
      await runModel(join(folder, 'model.onnx'), feeds),
      await runModel(inline.model, feeds),
    ];
    expect(there.y.data).toEqual(here.y.data);
  });

  it('operands of 0 and −0 are two', async () => {
    const graph = new GraphBuilder();
    const x = graph.input('x', [1]);
    graph.output('plus', pad(x, [1, 0], 0));
    graph.output('minus', pad(x, [1, 0], -0));
    const { plus, minus } = await runModel(encode(graph.build()).model, { x: floatTensor([1], [7]) });
    expect([plus, minus].map(({ data }) => 1 / (data as Float32Array)[0])).toEqual([Infinity, -Infinity]);
  });

  it('tensors of that file start at multiples of 16', () => {
    const graph = new GraphBuilder();
    const [a, b, c] = [1, 3, 5].map((n, i) =>
      graph.weight(
        `w${i}`,
        floatTensor(
          [n],
          Array.from({ length: n }, (_, k) => 10 * n + k),
        ),
      ),
    );
    graph.output('y', add(add(reduceSum(b), reduceSum(c)), a));
    const { model, external } = encode(graph.build(), { externalFromBytes: 1 });
    const places = new Message(model)
      .messages(7)[0]
      .messages(5)
      .flatMap((tensor) => {
        const entries = tensor.messages(13).map((entry) => [entry.texts(1)[0], entry.texts(2)[0]]);
        return entries.length ? [Object.fromEntries(entries) as Record<string, string>] : [];
      });
    expect(places).toEqual([
      { location: 'weights.bin', offset: '0', length: '4' },
      { location: 'weights.bin', offset: '16', length: '12' },
      { location: 'weights.bin', offset: '32', length: '20' },
    ]);
    expect(external!.bytes.byteLength).toBe(52);
    expect(new Float32Array(external!.bytes.buffer, 32, 5)).toEqual(Float32Array.of(50, 51, 52, 53, 54));
  });

  it('only weights go there that are large enough', () => {
    const { graph } = smallNet();
    expect(encode(graph, { externalFromBytes: 33 }).external!.bytes.byteLength).toBe(864);
    expect(encode(graph, { externalFromBytes: 865 }).external).toBeUndefined();
  });

  it('large weights become inputs, bound at run time', async () => {
    const { graph, feeds } = smallNet();
    const { model } = encode(graph, { inputsFromBytes: 33 });
    const session = await ort.InferenceSession.create(model);
    expect([...session.inputNames]).toEqual(['x', 'conv.weight']);
    const origin = graph.weights.get('conv.weight')!.origin;
    const bound = origin.kind === 'weight' ? origin.tensor : undefined;
    const results = await session.run(toFeeds({ ...feeds, 'conv.weight': bound! }));
    const inline = await runModel(encode(graph).model, feeds);
    // ONNX Runtime arranges a constant kernel otherwise, hence sums in another order.
    expect(relativeError(results.y.data as Float32Array, inline.y.data as Float32Array)).toBeLessThan(1e-6);
  });
});

describe('outputs that no node of their own makes', () => {
  const x = floatTensor([2], [1, -2]);

  it('an input, a weight, a constant, and one value under three names', async () => {
    const graph = new GraphBuilder();
    const input = graph.input('x', [2]);
    graph.output('same', input);
    graph.output('weight', graph.weight('w', floatTensor([2], [5, 6])));
    graph.output('constant', graph.constant(floatTensor([3], [7, 8, 9])));
    const value = neg(input);
    for (const name of ['first', 'second', 'third']) graph.output(name, value);
    const results = await runModel(encode(graph.build()).model, { x });
    expect(Object.fromEntries(Object.entries(results).map(([name, { data }]) => [name, [...data]]))).toEqual({
      same: [1, -2],
      weight: [5, 6],
      constant: [7, 8, 9],
      first: [-1, 2],
      second: [-1, 2],
      third: [-1, 2],
    });
  });

  it('an input under its own name', async () => {
    const graph = new GraphBuilder();
    graph.output('x', graph.input('x', [2]));
    expect((await runModel(encode(graph.build()).model, { x })).x.data).toEqual(Float32Array.of(1, -2));
  });

  it('a value that is an output and used further on', async () => {
    const graph = new GraphBuilder();
    const inner = neg(graph.input('x', [2]));
    graph.output('inner', inner);
    graph.output('outer', mul(inner, inner));
    const { inner: found, outer } = await runModel(encode(graph.build()).model, { x });
    expect([...(found.data as Float32Array), ...(outer.data as Float32Array)]).toEqual([-1, 2, 1, 4]);
  });

  it('the second output of a node whose first is dead', async () => {
    const graph = new GraphBuilder();
    graph.output('indices', topK(graph.input('x', [2]), 1).indices);
    expect((await runModel(encode(graph.build()).model, { x })).indices.data).toEqual(BigInt64Array.of(0n));
  });
});

describe('literals', () => {
  it('scalars have no axis', async () => {
    const graph = new GraphBuilder();
    const x = graph.input('x', []);
    graph.output('y', mul(add(x, 0.5), x));
    const { y } = await runModel(encode(graph.build()).model, { x: floatTensor([], [3]) });
    expect([y.dims, [...(y.data as Float32Array)]]).toEqual([[], [10.5]]);
  });

  it('a list of thousands of int64 indices', async () => {
    const [rows, picks] = [500, 6000];
    const index = Array.from({ length: picks }, (_, i) => (i * 7919) % rows);
    const graph = new GraphBuilder();
    const x = graph.input('x', [rows, 2]);
    const weights = floatTensor(
      [picks, 2],
      Float32Array.from({ length: 2 * picks }, (_, i) => i % 11),
    );
    const [dx] = gradients(reduceSum(mul(gather(x, index), graph.weight('w', weights))), [x]);
    graph.output('dx', dx);
    const expected = new Float32Array(2 * rows);
    index.forEach((row, i) => {
      for (const column of [0, 1]) expected[2 * row + column] += floats(weights)[2 * i + column];
    });
    // Whole numbers: sums are exact in any order.
    expect((await runModel(encode(graph.build()).model)).dx.data).toEqual(expected);
  });
});

describe('the bytes, read by another reader', () => {
  const graph = new GraphBuilder();
  const x = graph.input('bild.größe', [2, 3]);
  const w = graph.weight('w', floatTensor([3], [1, 2, 3]));
  const mixed = graph.scope('head', () => softmax(add(x, w)));
  graph.output('y', mixed);
  graph.output('z', mixed);
  const model = new Message(encode(graph.build()).model);
  const [body] = model.messages(7);

  it('header: IR version 8, opset 17 of the default domain', () => {
    expect(model.integers(1)).toEqual([8]);
    expect(model.texts(2)).toEqual(['darkfield']);
    expect(model.messages(8).map((opset) => [opset.texts(1), opset.integers(2)])).toEqual([[[''], [17]]]);
    expect(model.used).toEqual([1, 2, 7, 8]);
  });

  it('facts for whoever runs it', () => {
    const graph = new GraphBuilder();
    graph.output('y', neg(graph.input('x', [1])));
    const { model: bytes } = encode(graph.build(), { metadata: { classes: '["a"]', side: '224' } });
    const facts = new Message(bytes).messages(14).map((fact) => [...fact.texts(1), ...fact.texts(2)]);
    expect(facts).toEqual([
      ['classes', '["a"]'],
      ['side', '224'],
    ]);
  });

  it('nodes, and one identity for the second name', () => {
    const nodes = body
      .messages(1)
      .map((node) => [node.texts(4)[0], node.texts(1), node.texts(2), node.texts(3)[0]]);
    expect(nodes).toEqual([
      ['Add', ['bild.größe', 'w'], [nodes[1][1][0]], 'head.Add.0'],
      ['Softmax', nodes[0][2], ['y'], 'head.Softmax.1'],
      ['Identity', ['y'], ['z'], 'z.Identity'],
    ]);
  });

  it('an attribute', () => {
    const [axis] = body.messages(1)[1].messages(5);
    expect([axis.texts(1), axis.integers(3), axis.integers(20)]).toEqual([['axis'], [1], [2]]);
  });

  it('negative integers', () => {
    const written = new ProtobufWriter()
      .integer(1, -1)
      .integer(1, -(2 ** 40))
      .finish();
    expect(new Message(written).integers(1)).toEqual([-1, -(2 ** 40)]);
  });

  it('initialisers with type, shape and raw bytes', () => {
    const tensors = body.messages(5);
    expect(tensors.map((t) => [t.texts(8)[0], t.integers(1), t.integers(2)])).toEqual([['w', [3], [1]]]);
    expect(tensors[0].bytes(9)[0]).toEqual(new Uint8Array(bytesOf(Float32Array.of(1, 2, 3))));
  });

  it('inputs and outputs with type and shape', () => {
    const infos = (field: number) =>
      body.messages(field).map((info) => {
        const [tensor] = info.messages(2)[0].messages(1);
        const dims = tensor
          .messages(2)[0]
          .messages(1)
          .map((dim) => dim.integers(1)[0]);
        return [info.texts(1)[0], tensor.integers(1)[0], dims];
      });
    expect(infos(11)).toEqual([['bild.größe', 1, [2, 3]]]);
    expect(infos(12)).toEqual([
      ['y', 1, [2, 3]],
      ['z', 1, [2, 3]],
    ]);
  });

  it('as many nodes as the graph has', () => {
    const large = new GraphBuilder();
    let value = large.input('x', [4]);
    for (let i = 0; i < 300; i++) value = add(value, i + 1);
    large.output('y', value);
    const built = large.build();
    const [read] = new Message(encode(built).model).messages(7);
    expect(built.nodes.length).toBe(300);
    expect([read.messages(1).length, read.messages(5).length]).toEqual([300, 300]);
  });
});
