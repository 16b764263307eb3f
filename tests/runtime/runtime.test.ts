import { describe, expect, it } from 'vitest';
import { Rng } from '../../src/base/rng';
import { floatTensor, floats, intTensor, zeros } from '../../src/base/tensor';
import type { TensorData } from '../../src/base/tensor';
import { GraphBuilder } from '../../src/graph/builder';
import type { Graph } from '../../src/graph/builder';
import { add, matMul, mul, neg, reshape } from '../../src/graph/ops/index';
import { Runtime } from '../../src/runtime/runtime';
import { FakeGpu } from '../support/fake-gpu';
import { relativeError } from '../support/golden';
import { float } from '../graph/samples';

const failure = (code: string, message: string) => expect.objectContaining({ code, message }) as Error;

const X = floatTensor([2], [3, 4]);

/** y = x · factor */
function scaled(factor: number, extra = 0): Graph {
  const graph = new GraphBuilder();
  // Unused things don't count.
  for (let i = 0; i < extra; i++) graph.input(`unused${i}`, [i]);
  graph.output('y', mul(graph.input('x', [2]), factor));
  return graph.build();
}

function open(maxTensorBytes?: number): { gpu: FakeGpu; runtime: Runtime } {
  const gpu = new FakeGpu(maxTensorBytes);
  return { gpu, runtime: new Runtime(gpu.backend) };
}

describe('programs', () => {
  it('are made once for equal graphs', async () => {
    const { gpu, runtime } = open();
    const first = await runtime.compile(scaled(2));
    expect(await runtime.compile(scaled(2))).toBe(first);
    expect(await runtime.compile(scaled(2, 5))).toBe(first);
    expect(gpu.calls).toEqual(['create']);
    expect(await runtime.compile(scaled(2.5))).not.toBe(first);
    expect(gpu.calls).toEqual(['create', 'create']);
  });

  it('are made once when asked for at the same time', async () => {
    const { gpu, runtime } = open();
    const programs = await Promise.all([1, 2, 3].map(() => runtime.compile(scaled(2))));
    expect([new Set(programs).size, gpu.calls.length]).toEqual([1, 1]);
  });

  it('are others when other outputs stay on the device, in whatever order these are named', async () => {
    const { gpu, runtime } = open();
    const graph = new GraphBuilder();
    const x = graph.input('x', [2]);
    graph.output('a', neg(x));
    graph.output('b', add(x, 1));
    const built = graph.build();
    const both = await runtime.compile(built, { resident: ['a', 'b'] });
    expect(await runtime.compile(built, { resident: ['b', 'a'] })).toBe(both);
    expect(await runtime.compile(built, { resident: ['a'] })).not.toBe(both);
    expect(gpu.sessions.map((options) => options.preferredOutputLocation)).toEqual([
      { a: 'gpu-buffer', b: 'gpu-buffer' },
      { a: 'gpu-buffer' },
    ]);
  });

  it('that could not be made may be tried again', async () => {
    const { gpu, runtime } = open();
    gpu.before = () => {
      throw new Error('Kernel not found: Conv');
    };
    await expect(runtime.compile(scaled(2))).rejects.toThrow(
      failure('run/invalid', 'Kernel not found: Conv'),
    );
    gpu.before = () => undefined;
    const { values } = await (await runtime.compile(scaled(2))).run({ x: X });
    expect([...floats(values.y)]).toEqual([6, 8]);
  });

  it('of a broken graph are refused before the device hears of it', async () => {
    const { gpu, runtime } = open();
    const graph = scaled(2);
    await expect(runtime.compile({ ...graph, inputs: new Map() })).rejects.toThrow(
      failure('graph/invalid', 'node 0 (Mul): float32[2] is used before it is made'),
    );
    expect(gpu.calls).toEqual([]);
  });

  it('run on the GPU alone, without silent copies to the processor', async () => {
    const { gpu, runtime } = open();
    await runtime.compile(scaled(2));
    expect(gpu.sessions[0]).toMatchObject({
      executionProviders: [{ name: 'webgpu', device: gpu.watch.device }],
      extra: { session: { disable_cpu_ep_fallback: '1' } },
    });
  });

  it('are released when they are forgotten, and made again', async () => {
    const { gpu, runtime } = open();
    await runtime.compile(scaled(2));
    await runtime.compile(scaled(3));
    await runtime.forgetPrograms();
    expect(gpu.calls).toEqual(['create', 'create', 'release', 'release']);
    const { values } = await (await runtime.compile(scaled(2))).run({ x: X });
    expect([...floats(values.y)]).toEqual([6, 8]);
  });
});

describe('calls into ONNX Runtime', () => {
  it('never overlap, creation and release included', async () => {
    const { gpu, runtime } = open();
    gpu.before = () => new Promise((resume) => setTimeout(resume, 1));
    const programs = await Promise.all([1, 2, 3].map((factor) => runtime.compile(scaled(factor))));
    await Promise.all([
      ...programs.map((program) => program.run({ x: X })),
      runtime.compile(scaled(9)),
      runtime.forgetPrograms(),
      runtime.compile(scaled(10)),
    ]);
    expect(gpu.mostActive).toBe(1);
    expect(gpu.calls.filter((call) => call === 'run').length).toBe(3);
  });
});

describe('a device that fails', () => {
  const lost = failure('gpu/lost', 'the GPU was lost: unplugged');

  it('before a call: nothing is asked of it any more', async () => {
    const { gpu, runtime } = open();
    const program = await runtime.compile(scaled(2));
    expect(runtime.lost).toBeUndefined();
    gpu.watch.lost = 'unplugged';
    expect(runtime.lost).toBe('unplugged');
    await expect(program.run({ x: X })).rejects.toThrow(lost);
    await expect(runtime.compile(scaled(3))).rejects.toThrow(lost);
    await expect(program.run({ x: X })).rejects.toMatchObject({
      hint: 'The work resumes on a new device, or on the CPU.',
    });
    expect(gpu.calls).toEqual(['create']);
  });

  it('during a call: its result is not believed', async () => {
    const { gpu, runtime } = open();
    const program = await runtime.compile(scaled(2));
    gpu.before = () => void (gpu.watch.lost = 'unplugged');
    await expect(program.run({ x: X })).rejects.toThrow(lost);
  });

  it('with an error of its own: the loss is told, the error kept as its cause', async () => {
    const { gpu, runtime } = open();
    const program = await runtime.compile(scaled(2));
    const cause = new Error('mapAsync failed');
    gpu.before = () => {
      // The event comes with a later task than the rejection.
      setTimeout(() => (gpu.watch.lost = 'unplugged'), 0);
      throw cause;
    };
    await expect(program.run({ x: X })).rejects.toMatchObject({ code: 'gpu/lost', cause });
  });

  it('with uncaptured errors: the first is told, and the next call is fine', async () => {
    const { gpu, runtime } = open();
    const program = await runtime.compile(scaled(2));
    gpu.before = () => void gpu.watch.errors.push('binding too large', 'and another');
    await expect(program.run({ x: X })).rejects.toThrow(
      failure('run/invalid', 'the GPU refused a command: binding too large'),
    );
    gpu.before = () => undefined;
    expect([...floats((await program.run({ x: X })).values.y)]).toEqual([6, 8]);
  });

  it.each(['Out of memory', 'std::bad_alloc', 'failed to allocate a buffer'])(
    'without memory: %s',
    async (text) => {
      const { gpu, runtime } = open();
      const program = await runtime.compile(scaled(2));
      gpu.before = () => {
        throw new Error(text);
      };
      await expect(program.run({ x: X })).rejects.toThrow(
        failure('gpu/memory', `the device is out of memory: ${text}`),
      );
    },
  );

  it('with anything else: run/invalid with its text and cause', async () => {
    const { gpu, runtime } = open();
    const program = await runtime.compile(scaled(2));
    gpu.before = () => {
      // ONNX Runtime's WebAssembly throws numbers now and then.
      // eslint-disable-next-line @typescript-eslint/only-throw-error
      throw 4711;
    };
    await expect(program.run({ x: X })).rejects.toMatchObject({
      code: 'run/invalid',
      message: '4711',
      cause: 4711,
    });
  });
});

describe('uploads', () => {
  it('beyond what the device can bind are refused with both numbers', () => {
    const { gpu, runtime } = open(1024);
    expect(() => runtime.upload(zeros([257]))).toThrow(
      failure('gpu/memory', "a tensor of 1040 bytes is beyond this GPU's 1024"),
    );
    expect([gpu.liveBytes, runtime.ledger.liveBytes]).toEqual([0, 0]);
    expect(runtime.upload(zeros([256])).bytes).toBe(1024);
  });

  it('of types that GPU kernels lack are refused', () => {
    const { runtime } = open();
    expect(() => runtime.upload(zeros([2], 'int64'))).toThrow(failure('internal', 'int64 stays off the GPU'));
  });

  it('of nothing take the smallest buffer', () => {
    const { gpu, runtime } = open();
    expect([runtime.upload(zeros([0, 3])).bytes, gpu.liveBytes]).toEqual([0, 16]);
  });

  it('feed a program', async () => {
    const { runtime } = open();
    const x = runtime.upload(X);
    const { values } = await (await runtime.compile(scaled(2))).run({ x });
    expect([...floats(values.y)]).toEqual([6, 8]);
  });

  it('can be read back', async () => {
    const { gpu, runtime } = open();
    for (const tensor of [X, intTensor([5], [1, -2, 3, 4, 5]), zeros([0, 3])])
      expect(await runtime.read(runtime.upload(tensor))).toEqual(tensor);
    expect(gpu.live.size).toBe(3);
  });
});

describe('the ledger', () => {
  it('is where it was after runs whose results are disposed', async () => {
    const { gpu, runtime } = open();
    const program = await runtime.compile(scaled(1.5), { resident: ['y'] });
    let state = runtime.upload(X);
    const before = [runtime.ledger.liveBytes, runtime.ledger.liveTensors, gpu.live.size];
    for (let step = 0; step < 20; step++) {
      const { resident } = await program.run({ x: state });
      state.dispose();
      state = resident.y;
    }
    expect([runtime.ledger.liveBytes, runtime.ledger.liveTensors, gpu.live.size]).toEqual(before);
    expect(runtime.ledger.peakBytes).toBe(16);
    state.dispose();
    expect([runtime.ledger.liveBytes, gpu.live.size]).toEqual([0, 0]);
  });

  it('counts what is read as still there', async () => {
    const { runtime } = open();
    const program = await runtime.compile(scaled(1.5), { resident: ['y'] });
    const { resident } = await program.run({ x: X });
    expect([...floats(await runtime.read(resident.y))]).toEqual([4.5, 6]);
    expect([...floats(await runtime.read(resident.y))]).toEqual([4.5, 6]);
    expect(runtime.ledger.liveBytes).toBe(8);
  });

  it('agrees with the device when a result was read before it was disposed', async () => {
    const { gpu, runtime } = open();
    const program = await runtime.compile(scaled(1.5), { resident: ['y'] });
    const { resident } = await program.run({ x: X });
    await runtime.read(resident.y);
    resident.y.dispose();
    expect([runtime.ledger.liveBytes, gpu.liveBytes]).toEqual([0, 0]);
  });
});

describe('weights', () => {
  // 64·64·4 bytes are what is worth a buffer of its own.
  const large = float(new Rng(1, 'runtime.weights'), [64, 64]);

  function layer(weight: TensorData, factor: number): Graph {
    const graph = new GraphBuilder();
    const w = graph.weight('w', weight);
    graph.output('y', mul(matMul(graph.input('x', [1, 64]), reshape(w, [64, 64])), factor));
    return graph.build();
  }

  it('are uploaded once for all programs, and freed with the runtime', async () => {
    const { gpu, runtime } = open();
    const x = float(new Rng(2, 'runtime.x'), [1, 64]);
    const [once, twice] = [await runtime.compile(layer(large, 1)), await runtime.compile(layer(large, 2))];
    expect([gpu.live.size, runtime.ledger.liveBytes]).toEqual([1, 64 * 64 * 4]);
    const [a, b] = [await once.run({ x }), await twice.run({ x })];
    const doubled = floats(a.values.y).map((value) => 2 * value);
    expect(relativeError(floats(b.values.y), doubled)).toBeLessThan(1e-6);
    await runtime.forgetPrograms();
    expect(runtime.ledger.liveBytes).toBe(64 * 64 * 4);
    await runtime.close();
    expect([gpu.live.size, runtime.ledger.liveBytes]).toEqual([0, 0]);
  });

  it('that are small go with the model', async () => {
    const { gpu, runtime } = open();
    const graph = new GraphBuilder();
    graph.output('y', add(graph.input('x', [2]), graph.weight('w', X)));
    const { values } = await (await runtime.compile(graph.build())).run({ x: X });
    expect([[...floats(values.y)], gpu.live.size]).toEqual([[6, 8], 0]);
  });

  it('of the same data in two shapes both work', async () => {
    const { runtime } = open();
    const x = float(new Rng(2, 'runtime.x'), [1, 64]);
    const flat = await runtime.compile(layer({ ...large, shape: [4096] }, 1));
    const square = await runtime.compile(layer(large, 1));
    expect((await flat.run({ x })).values).toEqual((await square.run({ x })).values);
  });

  it('of the same data in two shapes are both freed', async () => {
    const { gpu, runtime } = open();
    await runtime.compile(layer({ ...large, shape: [4096] }, 1));
    await runtime.compile(layer(large, 1));
    await runtime.close();
    expect(gpu.live.size).toBe(0);
  });
});

describe('a closed runtime', () => {
  it('has released its programs and its device, and refuses work', async () => {
    const { gpu, runtime } = open();
    const program = await runtime.compile(scaled(2));
    await runtime.close();
    expect([gpu.calls, gpu.destroyed]).toEqual([['create', 'release'], true]);
    const closed = failure('gpu/lost', 'this runtime was closed');
    await expect(program.run({ x: X })).rejects.toThrow(closed);
    await expect(runtime.compile(scaled(2))).rejects.toThrow(closed);
  });
});
