import { AppError, assert } from '../base/errors';
import { kept } from '../base/kept';
import { BYTES_PER_ELEMENT, bytesOf, formatShape, sameShape, sizeOf } from '../base/tensor';
import type { DType, Shape, TensorData, TypedArray } from '../base/tensor';
import type { Graph } from '../graph/builder';
import { convolveByColumns } from '../graph/convolutions-by-columns';
import { encode } from '../graph/encode';
import { hashGraph } from '../graph/print';
import { verify } from '../graph/verify';
import { DeviceTensor } from './device-tensor';
import { bufferOf, bufferSize, readBuffer } from './gpu-buffer';
import { Ledger } from './ledger';
import type { Backend, OrtSession, OrtTensor, ProviderReport, SessionOptions } from './ort';
import { Program } from './program';
import { RunQueue } from './queue';
import type { Priority } from './queue';

/** Weights from this size on are shared between programs on the GPU; smaller ones aren't worth a binding. */
const SHARED_WEIGHT_BYTES = 16 * 1024;
/** Protocol buffers end at 2 GiB; weights beyond this go beside the model. */
const EXTERNAL_FROM_BYTES = 1 << 20;

export interface CompileOptions {
  /** Outputs that stay on the device as `DeviceTensor`s; the others are read back. */
  readonly resident?: readonly string[];
  readonly priority?: Priority;
}

/**
 * Compiles and runs graphs on one provider. Everything that touches ONNX Runtime goes through one queue; programs are
 * cached by the hash of their graph; after a run the device's state is looked at before a number is believed.
 */
export class Runtime {
  readonly ledger = new Ledger();
  readonly #queue = new RunQueue();
  readonly #programs = new Map<string, Promise<Program>>();
  /** By their data; one upload for each shape. */
  readonly #sharedWeights = new Map<TypedArray, DeviceTensor[]>();
  #closed = false;

  constructor(private readonly backend: Backend) {}

  get report(): ProviderReport {
    return this.backend.report;
  }

  /** Why this runtime can't be used any more, `undefined` while it can. */
  get lost(): string | undefined {
    return this.backend.gpu?.lost;
  }

  /**
   * The program of a graph, made on first use.
   * @throws graph/invalid, run/invalid when the provider can't run the graph, gpu/lost
   */
  async compile(graph: Graph, options: CompileOptions = {}): Promise<Program> {
    const resident = [...(options.resident ?? [])].sort();
    // A graph that failed may be tried again, on a fresh device say.
    return kept(this.#programs, `${hashGraph(graph)}|${resident.join()}`, () =>
      this.#create(graph, resident, options.priority ?? 'fit'),
    );
  }

  async #create(graph: Graph, resident: readonly string[], priority: Priority): Promise<Program> {
    verify(graph);
    const onGpu = this.report.kind === 'webgpu';
    const { model, external } = encode(onGpu ? graph : convolveByColumns(graph), {
      inputsFromBytes: onGpu ? SHARED_WEIGHT_BYTES : undefined,
      externalFromBytes: this.report.kind === 'cpu' ? undefined : EXTERNAL_FROM_BYTES,
    });
    const options: SessionOptions = {
      executionProviders: onGpu ? [{ name: 'webgpu', device: this.backend.gpu!.device }] : [this.report.kind],
      ...(onGpu && {
        preferredOutputLocation: Object.fromEntries(resident.map((name) => [name, 'gpu-buffer' as const])),
        // A node that can't run on the GPU is an error, not a silent copy.
        extra: { session: { disable_cpu_ep_fallback: '1' } },
      }),
      // A plan of all tensors in one block is made beside what the first run took, and doubles a training's memory.
      ...(!onGpu && { enableMemPattern: false }),
      // Every session has threads of its own; idle ones would go on spinning on the cores that the next session needs.
      ...(this.report.kind === 'cpu' && { extra: { session: { force_spinning_stop: '1' } } }),
      ...(this.backend.threads && { intraOpNumThreads: this.backend.threads }),
      ...(external && { externalData: [{ path: external.path, data: external.bytes }] }),
    };
    const session = await this.exclusive(priority, () =>
      this.backend.ort.InferenceSession.create(model, options),
    );
    const bound = onGpu ? this.#bindWeights(graph) : {};
    return new Program(this, session, graph, new Set(resident), bound);
  }

  #bindWeights(graph: Graph): Record<string, DeviceTensor> {
    const bound: Record<string, DeviceTensor> = {};
    for (const [name, { origin }] of graph.weights) {
      if (origin.kind !== 'weight' || origin.tensor.data.byteLength < SHARED_WEIGHT_BYTES) continue;
      const { tensor } = origin;
      const uploads = this.#sharedWeights.get(tensor.data) ?? [];
      this.#sharedWeights.set(tensor.data, uploads);
      let shared = uploads.find(({ shape }) => sameShape(shape, tensor.shape));
      if (!shared) uploads.push((shared = this.upload(tensor)));
      bound[name] = shared;
    }
    return bound;
  }

  /** A tensor on the device; the caller disposes it. */
  upload(tensor: TensorData): DeviceTensor {
    const { ort, gpu } = this.backend;
    if (!gpu) return this.wrap(toOrt(ort.Tensor, tensor), tensor.dtype, tensor.shape);
    assert(tensor.dtype === 'float32' || tensor.dtype === 'int32', `${tensor.dtype} stays off the GPU`);
    const bytes = bytesOf(tensor.data);
    const size = bufferSize(bytes.byteLength);
    if (size > this.report.maxTensorBytes)
      throw new AppError(
        'gpu/memory',
        `a tensor of ${size} bytes is beyond this GPU's ${this.report.maxTensorBytes}`,
        {
          hint: 'Lower the number of images, the coreset share or the image size.',
        },
      );
    const buffer = bufferOf(gpu.device, bytes);
    const handle = ort.Tensor.fromGpuBuffer(buffer, { dataType: tensor.dtype, dims: [...tensor.shape] });
    return new DeviceTensor(handle, tensor.dtype, tensor.shape, this.ledger, () => buffer.destroy());
  }

  /** The values of a device tensor, which stays where it is. @throws gpu/lost */
  async read(tensor: DeviceTensor, priority: Priority = 'fit'): Promise<TensorData> {
    const { dtype, shape } = tensor;
    return this.exclusive(priority, async () => {
      const { ort } = tensor;
      // Empty results are on the CPU wherever they were wished to be.
      if (ort.location === 'gpu-buffer')
        return readBuffer(this.backend.gpu!.device, ort.gpuBuffer, dtype, shape);
      return { dtype, shape, data: ort.data as TypedArray };
    });
  }

  /** Frees every program and shared weight. The runtime is not usable afterwards. */
  async close(): Promise<void> {
    this.#closed = true;
    const programs = await Promise.allSettled(this.#programs.values());
    this.#programs.clear();
    for (const result of programs)
      if (result.status === 'fulfilled') await this.#queue.run('inspect', () => result.value.release());
    for (const shared of [...this.#sharedWeights.values()].flat()) shared.dispose();
    this.#sharedWeights.clear();
    this.backend.gpu?.device.destroy();
  }

  /** Frees the programs that `keep` doesn't name by their graphs: WASM memory is only given back with its worker. */
  async forgetPrograms(): Promise<void> {
    const programs = [...this.#programs.values()];
    this.#programs.clear();
    for (const program of programs) {
      const { value } = await settled(program);
      if (value) await this.#queue.run('fit', () => value.release());
    }
  }

  /** For `Program`: one call into ONNX Runtime, with the device looked at before and after. */
  async exclusive<T>(priority: Priority, call: () => Promise<T>): Promise<T> {
    return this.#queue.run(priority, async () => {
      this.#refuseWhenLost();
      try {
        const result = await call();
        this.#refuseWhenLost();
        return result;
      } catch (error) {
        // The "lost" event comes with a later task; without this pause the next run can spin for ever (runtime.md 7).
        await new Promise<void>((resume) => setTimeout(resume, 0));
        this.#refuseWhenLost(error);
        throw error instanceof AppError ? error : translate(error);
      }
    });
  }

  /** For `Program`. */
  wrap(tensor: OrtTensor, dtype: DType, shape: Shape): DeviceTensor {
    return new DeviceTensor(tensor, dtype, shape, this.ledger);
  }

  /** For `Program`: a feed as ONNX Runtime takes it. @throws run/invalid */
  toFeed(name: string, feed: TensorData | DeviceTensor, dtype: DType, shape: Shape): OrtTensor {
    if (feed.dtype !== dtype || !sameShape(feed.shape, shape))
      throw new AppError(
        'run/invalid',
        `input "${name}" is ${dtype}${formatShape(shape)}, fed with ${feed.dtype}${formatShape(feed.shape)}`,
      );
    return feed instanceof DeviceTensor ? feed.ort : toOrt(this.backend.ort.Tensor, feed);
  }

  #refuseWhenLost(cause?: unknown): void {
    if (this.#closed) throw new AppError('gpu/lost', 'this runtime was closed', { cause });
    const { gpu } = this.backend;
    if (!gpu) return;
    if (gpu.lost)
      throw new AppError('gpu/lost', `the GPU was lost: ${gpu.lost}`, {
        hint: 'The work resumes on a new device, or on the CPU.',
        cause,
      });
    if (gpu.errors.length) {
      const [first] = gpu.errors.splice(0);
      throw new AppError('run/invalid', `the GPU refused a command: ${first}`, { cause });
    }
  }
}

function toOrt(Tensor: Backend['ort']['Tensor'], { dtype, shape, data }: TensorData): OrtTensor {
  assert(data.length === sizeOf(shape), `${data.length} values for ${formatShape(shape)}`);
  assert(BYTES_PER_ELEMENT[dtype] === data.BYTES_PER_ELEMENT, `${dtype} held in the wrong array`);
  return new Tensor(dtype, data as Float32Array, [...shape]);
}

function translate(error: unknown): AppError {
  const text = error instanceof Error ? error.message : String(error);
  if (/out of memory|bad_alloc|allocat/i.test(text))
    return new AppError('gpu/memory', `the device is out of memory: ${text}`, {
      hint: 'Lower the number of images, the image size or the batch, or close other tabs.',
      cause: error,
    });
  return new AppError('run/invalid', text, { cause: error });
}

async function settled<T>(promise: Promise<T>): Promise<{ value?: T; error?: unknown }> {
  try {
    return { value: await promise };
  } catch (error) {
    return { error };
  }
}

export type { OrtSession };
