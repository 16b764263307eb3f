import { AppError } from '../base/errors';
import { Rng } from '../base/rng';
import { floats, floatTensor } from '../base/tensor';
import type { TensorData } from '../base/tensor';
import { GraphBuilder } from '../graph/builder';
import type {
  Detector,
  EmbeddedBatch,
  FitContext,
  FitProgress,
  Inputs,
  MethodState,
} from '../methods/contract';
import type { Value } from '../graph/value';
import { completeOptions } from '../methods/options';
import { tapShapes } from '../nn/backbones/backbone';
import type { FitSpec, ImageSource } from '../protocol/engine-api';
import type { Runtime } from '../runtime/runtime';
import type { LoadedBackbone } from './backbones';
import type { Collaborators } from './collaborators';
import { FeatureExtractor, disposeTaps, stackImages } from './features';

/** Images in one run of a backbone: enough to fill a processor's cores, little enough for a small GPU. */
export const BATCH = 4;

/** The interpolation for backbones of this app; CLIP's bicubic comes with CLIP. */
export const INPUT_KERNEL = 'bilinear' as const;

/** @throws fit/too-few-images */
export function requireGoodImages(detector: Detector, count: number): void {
  const { leastGoodImages } = detector.needs;
  if (count >= leastGoodImages) return;
  const images = leastGoodImages === 1 ? 'image' : 'images';
  const are = count === 0 ? 'there is none' : count === 1 ? 'there is 1' : `there are ${count}`;
  throw new AppError(
    'fit/too-few-images',
    `${detector.title} needs at least ${leastGoodImages} good ${images}; ${are}`,
    { hint: 'Mark more images as good, or drop a folder with train/good.' },
  );
}

/** One fit's view of the world, on one runtime. A fit that starts again on another finds its checkpoint. */
export class EngineFitContext implements FitContext {
  readonly taps: FitContext['taps'];
  readonly side: number;
  readonly goodImages: number;
  readonly checkpoint: FitContext['checkpoint'];
  /** Images whose embedding came from a checkpoint. */
  resumedImages = 0;

  constructor(
    private readonly runtime: Runtime,
    private readonly backbone: LoadedBackbone,
    private readonly detector: Detector,
    private readonly spec: FitSpec,
    private readonly good: readonly ImageSource[],
    private readonly collaborators: Collaborators,
  ) {
    this.side = spec.side;
    this.goodImages = good.length;
    this.taps = tapShapes(backbone.backbone, spec.side, detector.needs.taps);
    const { checkpoints } = collaborators;
    this.checkpoint = {
      get: (key) => checkpoints.get(spec.fitId, key),
      put: (key, piece) => checkpoints.put(spec.fitId, key, piece),
    };
  }

  rng(stream: string): Rng {
    return new Rng(this.spec.seed, stream);
  }

  compile: FitContext['compile'] = (graph, resident) => this.runtime.compile(graph, { resident });

  upload: FitContext['upload'] = (tensor) => this.runtime.upload(tensor);

  async *embed(key: string, build: (inputs: Inputs) => Value): AsyncGenerator<EmbeddedBatch> {
    const batch = Math.min(BATCH, this.good.length);
    const embedder = await this.#embedder(batch, build);
    let next = this.#pixels(0, batch);
    for (let first = 0; first < this.good.length; first += batch) {
      const count = Math.min(batch, this.good.length - first);
      const kept = await this.checkpoint.get(`${key}.${first}`);
      const images = await next;
      // The next batch is decoded while this one is computed.
      next = this.#pixels(first + batch, batch);
      const values = kept ?? (await embedder(images, count));
      if (kept) this.resumedImages += count;
      else await this.checkpoint.put(`${key}.${first}`, values);
      yield { first, count, values };
    }
  }

  async #embedder(
    batch: number,
    build: (inputs: Inputs) => Value,
  ): Promise<(images: Float32Array[], count: number) => Promise<TensorData>> {
    const extractor = await FeatureExtractor.open(
      this.runtime,
      this.backbone,
      this.detector.needs.taps,
      this.side,
      batch,
      'fit',
    );
    const graph = new GraphBuilder();
    graph.output('values', build(extractor.inputsOf(graph)));
    const program = await this.runtime.compile(graph.build());
    return async (images, count) => {
      const stacked = stackImages(images, batch, this.side);
      const taps = await extractor.run(stacked, 'fit');
      const { values } = await program.run({ image: stacked, ...taps });
      disposeTaps(taps);
      const { shape } = values.values;
      const data = floats(values.values);
      return floatTensor([count, ...shape.slice(1)], data.slice(0, (data.length / batch) * count));
    };
  }

  #pixels(first: number, count: number): Promise<Float32Array[]> {
    const { side, white } = this.spec;
    const images = this.good.slice(first, first + count);
    const loading = Promise.all(
      images.map((image) => this.collaborators.loadPixels(image, { side, white, kernel: INPUT_KERNEL })),
    );
    // Awaited when its turn comes; a failure before that is not an unhandled one.
    loading.catch(() => undefined);
    return loading;
  }
}

/** Checks a fit's options and images, then runs the method. @throws fit/option, fit/too-few-images */
export function startFit(
  detector: Detector,
  context: EngineFitContext,
  spec: FitSpec,
): AsyncGenerator<FitProgress, MethodState> {
  const options = completeOptions(detector.options, spec.options);
  requireGoodImages(detector, context.goodImages);
  return detector.fit(context, options);
}
