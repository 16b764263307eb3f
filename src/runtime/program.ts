import { AppError, assert } from '../base/errors';
import { sameShape } from '../base/tensor';
import type { TensorData, TypedArray } from '../base/tensor';
import type { Graph } from '../graph/builder';
import type { DeviceTensor } from './device-tensor';
import type { OrtSession, OrtTensor } from './ort';
import type { Priority } from './queue';
import type { Runtime } from './runtime';

/** Results of a run: those that stay on the device, and those read back. */
export interface RunResult {
  readonly resident: Readonly<Record<string, DeviceTensor>>;
  readonly values: Readonly<Record<string, TensorData>>;
}

export type Feeds = Readonly<Record<string, TensorData | DeviceTensor>>;

/** A compiled graph. */
export class Program {
  constructor(
    private readonly runtime: Runtime,
    private readonly session: OrtSession,
    readonly graph: Graph,
    private readonly residentNames: ReadonlySet<string>,
    private readonly bound: Readonly<Record<string, DeviceTensor>>,
  ) {}

  /**
   * One run. Feeds that are plain data are uploaded for it; device tensors stay the caller's.
   * @param options.finite refuse results that hold NaN or infinity (on by default; only for values read back)
   * @throws run/invalid for a feed of another type or shape, run/not-finite, gpu/lost, gpu/memory
   */
  async run(feeds: Feeds, options: { priority?: Priority; finite?: boolean } = {}): Promise<RunResult> {
    const ortFeeds: Record<string, OrtTensor> = {};
    for (const [name, tensor] of Object.entries(this.bound)) ortFeeds[name] = tensor.ort;
    for (const [name, { dtype, shape }] of this.graph.inputs) {
      if (!(name in feeds)) throw new AppError('run/invalid', `input "${name}" is missing`);
      ortFeeds[name] = this.runtime.toFeed(name, feeds[name], dtype, shape);
    }
    const raw = await this.runtime.exclusive(options.priority ?? 'fit', () => this.session.run(ortFeeds));
    const resident: Record<string, DeviceTensor> = {};
    const values: Record<string, TensorData> = {};
    for (const [name, { dtype, shape }] of this.graph.outputs)
      if (this.residentNames.has(name)) resident[name] = this.runtime.wrap(raw[name], dtype, shape);
      else values[name] = { dtype, shape, data: raw[name].data as TypedArray };
    try {
      for (const [name, { shape }] of this.graph.outputs)
        assert(
          sameShape(raw[name].dims, shape),
          `output "${name}" came as [${raw[name].dims.join()}], not [${shape.join()}]`,
        );
      if (options.finite ?? true)
        for (const [name, value] of Object.entries(values)) requireFinite(name, value);
    } catch (error) {
      // Nobody else gets them to dispose.
      for (const tensor of Object.values(resident)) tensor.dispose();
      throw error;
    }
    return { resident, values };
  }

  /** For the runtime alone. */
  release(): Promise<void> {
    return this.session.release();
  }
}

/** One sum finds every NaN and infinity: both survive addition. */
function requireFinite(name: string, { data }: TensorData): void {
  if (!(data instanceof Float32Array)) return;
  let sum = 0;
  for (let i = 0; i < data.length; i++) sum += data[i];
  if (!Number.isFinite(sum))
    throw new AppError('run/not-finite', `result "${name}" holds a value that is not a number`);
}
