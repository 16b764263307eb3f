import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as ort from 'onnxruntime-node';
import { AppError } from '../../src/base/errors';
import type { BackboneId, FitId, JobId } from '../../src/base/ids';
import type { Collaborators } from '../../src/engine/collaborators';
import { Classifying } from '../../src/engine/classification';
import { Engine } from '../../src/engine/engine';
import { decodeImage } from '../../src/image/decode';
import { toModelInput } from '../../src/image/model-input';
import type { TensorData } from '../../src/base/tensor';
import type { MethodState } from '../../src/methods/contract';
import type { ClassFitSpec, ClassFitSummary, Classification } from '../../src/protocol/classes-api';
import type { FitSpec, ImageSource } from '../../src/protocol/engine-api';
import { nodeBackend } from '../../src/runtime/node';
import { Runtime } from '../../src/runtime/runtime';
import { bytesAsSource } from '../../src/weights/byte-source';
import { parseManifest } from '../../src/weights/manifest';
import type { BenchImage } from './dataset';
import { readMask, sharpDecoder } from './decode';
import type { BenchHost, HostResult, Look } from './host';
import { scoreByMeanImage } from './mean-image';

/** Weights by the name of a built-in, or a `.safetensors` file. */
export function openWeightsFile(id: BackboneId): ReturnType<typeof bytesAsSource> {
  const entry = parseManifest(readFileSync('public/models/manifest.json', 'utf8')).find(
    (known) => `builtin:${known.id}` === id,
  );
  const path = entry ? join('public/models', entry.file) : id;
  try {
    return bytesAsSource(readFileSync(path));
  } catch (cause) {
    throw new AppError('usage', `--backbone ${id}: no built-in backbone and no readable file of that name`, {
      cause,
    });
  }
}

/** A classifier that was taught. */
export interface TaughtClasses {
  readonly summary: ClassFitSummary;
  /** From the last of the backbone's features on; null where none were computed. */
  readonly trainMs: number | null;
  readonly classify: (images: readonly BenchImage[]) => Promise<Classification[]>;
}

/** The engine in this process, on onnxruntime-node's CPU provider. Inputs are decoded once and kept. */
export class NodeHost implements BenchHost {
  readonly provider = 'cpu';
  readonly #engine: Engine;
  readonly #classifying: Classifying;
  readonly #states = new Map<FitId, MethodState>();
  readonly #pixels = new Map<string, Float32Array>();
  readonly #masks = new Map<string, string>();
  readonly #files = new Map<string, string>();
  readonly #embeddings = new Map<string, Float32Array>();
  readonly #pieces = new Map<string, TensorData>();

  /** @param threads that one session computes on; one per core when left out */
  constructor(threads?: number) {
    const collaborators: Collaborators = {
      openRuntime: async () => new Runtime(nodeBackend(ort, threads)),
      loadPixels: (image, { side, white, kernel }) => this.#load(image, side, white, kernel),
      loadMask: async ({ image }, side) => readMask(this.#masks.get(image.id)!, side),
      openWeights: async (id) => openWeightsFile(id),
      checkpoints: {
        // Only what a fit reads again: features too large for memory.
        get: async (id, key) => (key.includes('.half.') ? this.#pieces.get(`${id}|${key}`) : undefined),
        put: async (id, key, piece) => {
          if (key.includes('.half.')) this.#pieces.set(`${id}|${key}`, piece);
        },
        clear: async () => this.#pieces.clear(),
      },
      openMerges: async () => readFileSync('public/models/clip-merges.txt', 'utf8'),
      embeddings: {
        get: async (encoder, of) => this.#embeddings.get(`${encoder}|${of}`),
        put: async (encoder, of, embedding) => void this.#embeddings.set(`${encoder}|${of}`, embedding),
      },
      states: {
        get: async (id) => this.#states.get(id),
        put: async (id, state) => void this.#states.set(id, state),
      },
    };
    this.#engine = new Engine(collaborators);
    this.#classifying = new Classifying(this.#engine, collaborators);
  }

  async fit(
    spec: FitSpec,
    good: readonly BenchImage[],
    defects: readonly BenchImage[] = [],
    looked: (look: Look) => void = () => undefined,
  ) {
    await this.#decode(spec, [...good, ...defects]);
    const names = spec.support?.prompts.classes.map(({ name }) => name) ?? [];
    const known = defects.map((image) => {
      if (image.maskFile) this.#masks.set(image.id, image.maskFile);
      const mask = image.maskFile ? new Blob() : undefined;
      return { image: toSource(image), mask, classIndex: names.indexOf(image.className) };
    });
    return this.#engine.fit(
      { jobId: 'fit' as JobId, spec, good: good.map(toSource), defects: known },
      ({ phase, done: step, heldOutLoss: loss }) => {
        if (loss !== undefined) looked({ phase, step, loss });
      },
    );
  }

  /** Teaches a classifier and forgets it when `use` is done. */
  async withClasses<T>(
    spec: ClassFitSpec,
    images: readonly BenchImage[],
    use: (taught: TaughtClasses) => Promise<T>,
  ): Promise<T> {
    await this.#decode(spec, images);
    const labelled = images.map((image) => ({
      image: toSource(image),
      classIndex: spec.classes.indexOf(image.className),
    }));
    let cached: number | undefined;
    const summary = await this.#classifying.fit(
      { jobId: 'fit' as JobId, spec, images: labelled },
      ({ phase }) => {
        if (phase === 'features') cached = performance.now();
      },
    );
    const trainMs = cached === undefined ? null : Math.round(performance.now() - cached);
    const classify = async (some: readonly BenchImage[]) => {
      await this.#decode(spec, some);
      const found = new Map<string, Classification>();
      await this.#classifying.classify(
        { jobId: 'classify' as JobId, spec, images: some.map(toSource) },
        (result) => {
          if ('error' in result) throw new AppError('usage', result.error.message);
          found.set(result.imageId, result);
        },
      );
      return some.map(({ id }) => found.get(id)!);
    };
    try {
      return await use({ summary, trainMs, classify });
    } finally {
      this.#states.delete(spec.fitId);
      this.#classifying.forget(spec.fitId);
      await (await this.#engine.runtime()).forgetPrograms();
    }
  }

  async usualSide(backboneId: BackboneId) {
    return (await this.#engine.backbone(backboneId)).backbone.sides.usual;
  }

  async inspect(spec: FitSpec, images: readonly BenchImage[]) {
    await this.#decode(spec, images);
    const found = new Map<string, HostResult>();
    // The first batch makes the programs; it is run once more than it counts.
    await this.#run(spec, images.slice(0, 4), new Map());
    const start = performance.now();
    await this.#run(spec, images, found);
    const durationMs = performance.now() - start;
    return { results: images.map(({ id }) => found.get(id)!), durationMs };
  }

  /** A fit's state, for another host to inspect with. */
  state({ fitId }: FitSpec): MethodState | undefined {
    return this.#states.get(fitId);
  }

  measure(spec: FitSpec) {
    return this.#engine.measureBackbone(spec);
  }

  async forget({ fitId }: FitSpec) {
    this.#states.delete(fitId);
    this.#engine.forget(fitId);
    await (await this.#engine.runtime()).forgetPrograms();
  }

  measureTraining({ method, options, backboneId, side }: FitSpec, goodImages: number) {
    return this.#engine.measureTraining({ method, options, backboneId, side, goodImages, defectImages: 0 });
  }

  async meanImage(spec: FitSpec, good: readonly BenchImage[], test: readonly BenchImage[]) {
    await this.#decode(spec, good);
    await this.#decode(spec, test);
    const planes = (images: readonly BenchImage[]) =>
      Promise.all(images.map((image) => this.#load(toSource(image), spec.side, spec.white, 'bilinear')));
    return scoreByMeanImage(await planes(good), await planes(test));
  }

  async close() {
    await (await this.#engine.runtime()).close();
  }

  async #run(spec: FitSpec, images: readonly BenchImage[], found: Map<string, HostResult>): Promise<void> {
    await this.#engine.inspect(
      { jobId: 'inspect' as JobId, spec, images: images.map(toSource) },
      (result) => {
        if ('error' in result) throw new AppError('usage', result.error.message);
        found.set(result.imageId, result);
      },
    );
  }

  async #decode(
    spec: Pick<FitSpec, 'backboneId' | 'side' | 'white'>,
    images: readonly BenchImage[],
  ): Promise<void> {
    const { kernel } = (await this.#engine.backbone(spec.backboneId)).backbone;
    for (const image of images) {
      this.#files.set(image.id, image.file);
      await this.#load(toSource(image), spec.side, spec.white, kernel);
    }
  }

  async #load(
    { id, name }: Pick<ImageSource, 'id' | 'name'>,
    side: number,
    white: number,
    kernel: 'bilinear' | 'bicubic',
  ): Promise<Float32Array> {
    const key = `${id}|${side}|${white}|${kernel}`;
    let pixels = this.#pixels.get(key);
    if (!pixels) {
      const { raster } = await decodeImage(readFileSync(this.#files.get(id)!), name, sharpDecoder);
      pixels = toModelInput(raster, { size: side, kernel, white });
      this.#pixels.set(key, pixels);
    }
    return pixels;
  }
}

/** In this process an image is read by its path; the blob stays empty. */
const toSource = ({ id, path }: BenchImage): ImageSource => ({ id, name: path, blob: new Blob() });
