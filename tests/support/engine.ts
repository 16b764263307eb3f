/** The app's engine on onnxruntime-node with images in memory: what a worker hands it, without a browser. */
import { readFileSync } from 'node:fs';
import type { BackboneId, FitId, ImageId, JobId } from '../../src/base/ids';
import type { TensorData } from '../../src/base/tensor';
import type { Collaborators } from '../../src/engine/collaborators';
import { Engine } from '../../src/engine/engine';
import type { MethodState } from '../../src/methods/contract';
import { completeOptions } from '../../src/methods/options';
import type { FitSpec, FitSummary, ImageSource, JobProgress } from '../../src/protocol/engine-api';
import { bytesAsSource } from '../../src/weights/byte-source';
import { MERGES } from '../text/shipped-tokenizer';
import { openNodeRuntime } from './node-runtime';

export interface Found {
  readonly score: number;
  readonly map: Float32Array;
}

/** Images are grey planes of one side, given by name. */
export class TestEngine {
  readonly states = new Map<FitId, MethodState>();
  readonly checkpoints = new Map<string, TensorData>();
  /** Weights files dropped beside the shipped ones. */
  readonly weights = new Map<BackboneId, Uint8Array>();
  readonly embeddings = new Map<string, Float32Array>();
  readonly collaborators: Collaborators;
  readonly engine: Engine;
  readonly #planes = new Map<string, Float32Array>();
  readonly #masks = new Map<string, Uint8Array>();
  #jobs = 0;

  /** @param memoryBytes what the device is said to have */
  constructor(
    readonly side: number,
    memoryBytes?: number,
  ) {
    this.collaborators = {
      openRuntime: async () => openNodeRuntime(memoryBytes),
      loadPixels: async ({ name }) => this.#planes.get(name)!,
      loadMask: async ({ image }) => this.#masks.get(image.name)!,
      openWeights: async (id) =>
        bytesAsSource(
          this.weights.get(id) ?? readFileSync(`public/models/${id.replace('builtin:', '')}.safetensors`),
        ),
      checkpoints: {
        get: async (id, key) => this.checkpoints.get(`${id}|${key}`),
        put: async (id, key, piece) => void this.checkpoints.set(`${id}|${key}`, structuredClone(piece)),
        clear: async (id) => {
          for (const key of [...this.checkpoints.keys()])
            if (key.startsWith(`${id}|`)) this.checkpoints.delete(key);
        },
      },
      openMerges: async () => MERGES,
      embeddings: {
        get: async (encoder, of) => this.embeddings.get(`${encoder}|${of}`),
        put: async (encoder, of, embedding) => void this.embeddings.set(`${encoder}|${of}`, embedding),
      },
      states: {
        get: async (id) => this.states.get(id),
        put: async (id, state) => void this.states.set(id, structuredClone(state)),
      },
    };
    this.engine = new Engine(this.collaborators);
  }

  /** Puts an image in; one with a mask may be fitted on as a defect. */
  add(name: string, plane: Float32Array, mask?: Uint8Array): ImageSource {
    this.#planes.set(name, plane);
    if (mask) this.#masks.set(name, mask);
    return { id: name as ImageId, name, blob: new Blob() };
  }

  spec(method: string, options: Readonly<Record<string, unknown>> = {}, seed = 0): FitSpec {
    return {
      fitId: `${method}.${seed}.${JSON.stringify(options)}` as FitId,
      method,
      options: completeOptions(Engine.method(method).options, options),
      backboneId: 'builtin:efficientnet-lite0' as BackboneId,
      side: this.side,
      seed,
      white: 255,
    };
  }

  fit(
    spec: FitSpec,
    good: readonly ImageSource[],
    report: (progress: JobProgress) => void = () => undefined,
    defects: readonly ImageSource[] = [],
  ): Promise<FitSummary> {
    const pairs = defects.map((image) => ({ image, mask: new Blob() }));
    return this.engine.fit({ jobId: this.#job(), spec, good, defects: pairs }, report);
  }

  /** Inspects images together. @throws when one fails */
  async inspect(spec: FitSpec, images: readonly ImageSource[]): Promise<Found[]> {
    const found = new Map<string, Found>();
    await this.engine.inspect({ jobId: this.#job(), spec, images }, (result) => {
      if ('error' in result) throw new Error(result.error.message);
      found.set(result.imageId, { score: result.score, map: result.map });
    });
    return images.map(({ id }) => found.get(id)!);
  }

  #job(): JobId {
    return `job.${this.#jobs++}` as JobId;
  }
}
