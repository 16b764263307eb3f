/**
 * A graphics card that isn't there: buffers are memory, sessions run on ONNX Runtime's CPU provider, and every call
 * into it is counted, so that tests see what a runtime binds, frees, overlaps and does when the device fails.
 */
import * as ort from 'onnxruntime-node';
import type { Backend, GpuWatch, OrtModule, OrtTensor, SessionOptions } from '../../src/runtime/ort';

type CallKind = 'create' | 'run' | 'release';

class FakeBuffer {
  readonly memory: ArrayBuffer;
  constructor(
    readonly size: number,
    private readonly live: Set<FakeBuffer>,
  ) {
    this.memory = new ArrayBuffer(size);
    live.add(this);
  }
  getMappedRange(): ArrayBuffer {
    return this.memory;
  }
  unmap(): void {
    // Memory needs no unmapping.
  }
  async mapAsync(): Promise<void> {
    // Nor mapping.
  }
  destroy(): void {
    this.live.delete(this);
  }
}

/** Copies wait for their submission, as on a device. */
class FakeEncoder {
  readonly #copies: (() => void)[] = [];
  copyBufferToBuffer(from: FakeBuffer, start: number, to: FakeBuffer, at: number, size: number): void {
    const source = new Uint8Array(from.memory, start, size);
    const target = new Uint8Array(to.memory, at, size);
    this.#copies.push(() => target.set(source));
  }
  finish(): () => void {
    return () => this.#copies.forEach((copy) => copy());
  }
}

export class FakeGpu {
  readonly live = new Set<FakeBuffer>();
  readonly calls: CallKind[] = [];
  /** Options of every session made. */
  readonly sessions: SessionOptions[] = [];
  /** Runs before each call; what it throws is what the call throws. */
  before: (call: CallKind) => void | Promise<void> = () => undefined;
  destroyed = false;
  /** Calls under way now, and at the most. */
  #active = 0;
  mostActive = 0;
  readonly watch: GpuWatch;
  readonly backend: Backend;

  constructor(maxTensorBytes = 2 ** 27) {
    const device = {
      createBuffer: ({ size }: { size: number }) => new FakeBuffer(size, this.live),
      createCommandEncoder: () => new FakeEncoder(),
      queue: { submit: (commands: readonly (() => void)[]) => commands.forEach((run) => run()) },
      destroy: () => (this.destroyed = true),
    } as unknown as GPUDevice;
    this.watch = { device, lost: undefined, errors: [] };
    const module = {
      Tensor: ort.Tensor,
      env: ort.env,
      InferenceSession: {
        create: (model: Uint8Array, options: SessionOptions) => this.#create(model, options),
      },
    } as unknown as OrtModule;
    this.backend = {
      ort: module,
      gpu: this.watch,
      report: { kind: 'webgpu', detail: 'fake', reason: 'A test.', maxTensorBytes },
    };
  }

  get liveBytes(): number {
    return [...this.live].reduce((sum, { size }) => sum + size, 0);
  }

  async #call<T>(kind: CallKind, body: () => Promise<T>): Promise<T> {
    this.calls.push(kind);
    this.mostActive = Math.max(this.mostActive, ++this.#active);
    try {
      await this.before(kind);
      return await body();
    } finally {
      this.#active--;
    }
  }

  #create(model: Uint8Array, options: SessionOptions) {
    return this.#call('create', async () => {
      const session = await ort.InferenceSession.create(model);
      this.sessions.push(options);
      return {
        run: (feeds: Record<string, OrtTensor>) =>
          this.#call('run', async () => {
            const inMemory = Object.entries(feeds).map(([name, feed]) => [name, toMemory(feed)] as const);
            const results = await session.run(Object.fromEntries(inMemory));
            const stays = (options.preferredOutputLocation ?? {}) as Readonly<Record<string, string>>;
            return Object.fromEntries(
              Object.entries(results).map(([name, result]) => [
                name,
                stays[name] === 'gpu-buffer' ? this.#toBuffer(result) : result,
              ]),
            );
          }),
        release: () => this.#call('release', () => session.release()),
      };
    });
  }

  #toBuffer({ data, dims }: OrtTensor): OrtTensor {
    const values = data as Float32Array;
    // ONNX Runtime's buffers have sizes in multiples of 16.
    const buffer = new FakeBuffer(Math.ceil(values.byteLength / 16) * 16, this.live);
    new Float32Array(buffer.memory).set(values);
    return ort.Tensor.fromGpuBuffer(buffer as unknown as GPUBuffer, {
      dataType: 'float32',
      dims,
      dispose: () => buffer.destroy(),
      download: async () => new Float32Array(buffer.memory, 0, values.length),
    });
  }
}

function toMemory(tensor: OrtTensor): OrtTensor {
  if (tensor.location !== 'gpu-buffer') return tensor;
  const { memory } = tensor.gpuBuffer as unknown as FakeBuffer;
  // Buffers are rounded up; the tensor is their beginning.
  return tensor.type === 'int32'
    ? new ort.Tensor('int32', new Int32Array(memory, 0, tensor.size), tensor.dims)
    : new ort.Tensor('float32', new Float32Array(memory, 0, tensor.size), tensor.dims);
}
