import * as ort from 'onnxruntime-node';
import { describe, expect, it, vi } from 'vitest';
import { floatTensor, floats, intTensor, zeros } from '../../src/base/tensor';
import type { TensorData } from '../../src/base/tensor';
import { GraphBuilder } from '../../src/graph/builder';
import { add, cast, div, log, mul, neg, topK } from '../../src/graph/ops/index';
import type { Value } from '../../src/graph/value';
import type { Feeds } from '../../src/runtime/program';
import { nodeBackend } from '../../src/runtime/node';
import type { SessionOptions } from '../../src/runtime/ort';
import { Runtime } from '../../src/runtime/runtime';
import { FakeGpu } from '../support/fake-gpu';
import { openNodeRuntime } from '../support/node-runtime';

const failure = (code: string, message: string) => expect.objectContaining({ code, message }) as Error;

/** y = a + b of float32[2] each, s = a + n of float32[2] and int32[2]. */
async function sums(runtime: Runtime, resident: readonly string[] = []) {
  const graph = new GraphBuilder();
  const [a, b, n] = [graph.input('a', [2]), graph.input('b', [2]), graph.input('n', [2], 'int32')];
  graph.output('y', add(a, b));
  graph.output('s', add(a, cast(n)));
  return runtime.compile(graph.build(), { resident });
}

const FEEDS = { a: floatTensor([2], [1, 2]), b: floatTensor([2], [10, 20]), n: intTensor([2], [5, 6]) };

describe('feeds', () => {
  it('give results with type and shape', async () => {
    const { values, resident } = await (await sums(openNodeRuntime())).run(FEEDS);
    expect(values).toEqual({ y: floatTensor([2], [11, 22]), s: floatTensor([2], [6, 8]) });
    expect(resident).toEqual({});
  });

  it.each<[string, Feeds, string]>([
    ['missing', { a: FEEDS.a, n: FEEDS.n }, 'input "b" is missing'],
    ['too long', { ...FEEDS, b: zeros([3]) }, 'input "b" is float32[2], fed with float32[3]'],
    ['of another rank', { ...FEEDS, a: zeros([1, 2]) }, 'input "a" is float32[2], fed with float32[1,2]'],
    ['integer', { ...FEEDS, a: zeros([2], 'int32') }, 'input "a" is float32[2], fed with int32[2]'],
    ['no integer', { ...FEEDS, n: zeros([2]) }, 'input "n" is int32[2], fed with float32[2]'],
  ])('%s: an error', async (_, feeds, message) => {
    const program = await sums(openNodeRuntime());
    await expect(program.run(feeds)).rejects.toThrow(failure('run/invalid', message));
  });

  it('on the device are checked the same way', async () => {
    const runtime = openNodeRuntime();
    const program = await sums(runtime);
    await expect(program.run({ ...FEEDS, a: runtime.upload(zeros([3])) })).rejects.toThrow(
      failure('run/invalid', 'input "a" is float32[2], fed with float32[3]'),
    );
  });

  it.each<[string, TensorData, string]>([
    [
      'fewer values than its shape',
      { dtype: 'float32', shape: [2], data: new Float32Array(3) },
      '3 values for [2]',
    ],
    [
      'an array of another type',
      { dtype: 'float32', shape: [2], data: new Uint8Array(2) },
      'float32 held in the wrong array',
    ],
  ])('that contradict themselves are refused: %s', async (_, a, message) => {
    const program = await sums(openNodeRuntime());
    await expect(program.run({ ...FEEDS, a })).rejects.toThrow(failure('internal', message));
  });

  it('beyond the inputs are left alone: a dead input needs no feed', async () => {
    const graph = new GraphBuilder();
    graph.input('image', [9]);
    graph.output('y', neg(graph.input('x', [1])));
    const program = await openNodeRuntime().compile(graph.build());
    const feeds = { x: floatTensor([1], [4]), image: zeros([9]) };
    expect(floats((await program.run(feeds)).values.y)[0]).toBe(-4);
  });
});

describe('results that are no numbers', () => {
  async function evaluated(build: (x: Value) => Value, x: readonly number[], finite?: boolean) {
    const graph = new GraphBuilder();
    graph.output('y', build(graph.input('x', [x.length])));
    const program = await openNodeRuntime().compile(graph.build());
    return program.run({ x: floatTensor([x.length], x) }, { finite });
  }
  const refused = failure('run/not-finite', 'result "y" holds a value that is not a number');

  it.each<[string, (x: Value) => Value, number[]]>([
    ['NaN', log, [1, -1]],
    ['infinity', (x) => div(1, x), [1, 0]],
    ['−infinity', log, [0, 1]],
    ['both infinities', (x) => div(1, x), [0, -0]],
    ['an overflow', (x) => mul(x, x), [1, 1e30]],
  ])('%s is an error', async (_, build, x) => {
    await expect(evaluated(build, x)).rejects.toThrow(refused);
  });

  it('are given to who asks for them', async () => {
    const { values } = await evaluated((x) => div(1, x), [0, 2], false);
    expect([...floats(values.y)]).toEqual([Infinity, 0.5]);
  });

  it('are not seen in large numbers', async () => {
    const most = 3.4e38;
    const { values } = await evaluated(neg, new Array<number>(1000).fill(most));
    expect(floats(values.y)[999]).toBe(Math.fround(-most));
  });

  it('do not concern integers', async () => {
    const graph = new GraphBuilder();
    graph.output('where', topK(graph.input('x', [3]), 2).indices);
    const program = await openNodeRuntime().compile(graph.build());
    const { values } = await program.run({ x: floatTensor([3], [1, 3, 2]) });
    expect(values.where.data).toEqual(BigInt64Array.of(1n, 2n));
  });
});

describe('threads', () => {
  it.each([
    ['of each session are those asked for', 1, '1 thread'],
    ['are left to ONNX Runtime when none are', undefined, 'one thread per core'],
  ])('%s', async (_, threads, detail) => {
    const create = vi.spyOn(ort.InferenceSession, 'create');
    const runtime = new Runtime(nodeBackend(ort, threads));
    const { values } = await (await sums(runtime)).run(FEEDS);
    const [, options] = create.mock.lastCall as unknown as [Uint8Array, SessionOptions];
    create.mockRestore();
    expect(options.intraOpNumThreads).toBe(threads);
    expect(runtime.report.detail).toBe(detail);
    expect(values.y).toEqual(floatTensor([2], [11, 22]));
  });
});

describe('resident results', () => {
  it('stay on the device, feed the next run, and are read when asked for', async () => {
    const runtime = openNodeRuntime();
    const program = await sums(runtime, ['y']);
    const first = await program.run(FEEDS);
    expect(Object.keys(first.values)).toEqual(['s']);
    const second = await program.run({ ...FEEDS, a: first.resident.y });
    expect(await runtime.read(second.resident.y)).toEqual(floatTensor([2], [21, 42]));
    expect(runtime.ledger.liveBytes).toBe(16);
    first.resident.y.dispose();
    second.resident.y.dispose();
    expect([runtime.ledger.liveBytes, runtime.ledger.liveTensors]).toEqual([0, 0]);
  });

  it('are not looked at', async () => {
    const graph = new GraphBuilder();
    graph.output('y', log(graph.input('x', [1])));
    const program = await openNodeRuntime().compile(graph.build(), { resident: ['y'] });
    const { resident } = await program.run({ x: floatTensor([1], [-1]) });
    expect(resident.y.bytes).toBe(4);
  });

  it('are freed when the others hold no numbers', async () => {
    const gpu = new FakeGpu();
    const runtime = new Runtime(gpu.backend);
    const graph = new GraphBuilder();
    const x = graph.input('x', [4]);
    graph.output('kept', neg(x));
    graph.output('loss', log(x));
    const program = await runtime.compile(graph.build(), { resident: ['kept'] });
    await expect(program.run({ x: floatTensor([4], [1, 1, -1, 1]) })).rejects.toMatchObject({
      code: 'run/not-finite',
    });
    expect([runtime.ledger.liveBytes, gpu.live.size]).toEqual([0, 0]);
  });

  it('of a graph that has no such output are an oversight that changes nothing', async () => {
    const { values } = await (await sums(openNodeRuntime(), ['z'])).run(FEEDS);
    expect(Object.keys(values)).toEqual(['y', 's']);
  });
});
