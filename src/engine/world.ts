import { floats, floatTensor, sizeOf } from '../base/tensor';
import { Rng } from '../base/rng';
import type { TensorData } from '../base/tensor';
import { GraphBuilder } from '../graph/builder';
import type { Value } from '../graph/value';
import type { EmbeddedBatch, FitWorld, Inputs, Portion, View } from '../methods/contract';
import { tapShapes } from '../nn/backbones/backbone';
import type { TapRole } from '../nn/backbones/backbone';
import type { FitSpec, ImageSource } from '../protocol/engine-api';
import type { Runtime } from '../runtime/runtime';
import type { LoadedBackbone } from './backbones';
import type { Collaborators } from './collaborators';
import { FeatureExtractor, disposeTaps, stackImages } from './features';

/** Images in one run of a backbone: enough to fill a processor's cores, little enough for a small GPU. */
export const BATCH = 4;

/** What happens to a fit from outside while it runs, and what it says beside its result. */
export class FitControl {
  /** The user asked for the end. */
  ending = false;
  readonly remarks: string[] = [];
}

/** A batch of images, of which the first `count` are asked for. */
type Embedder = (images: Float32Array[], count: number) => Promise<TensorData>;

/** What a fit's images are brought to, and what its random numbers come from. */
export type WorldSpec = Pick<FitSpec, 'fitId' | 'side' | 'seed' | 'white'>;

/** One fit's view of the world, on one runtime. A fit that starts again on another finds its checkpoint. */
export class EngineWorld implements FitWorld {
  readonly taps: FitWorld['taps'];
  readonly side: number;
  readonly checkpoint: FitWorld['checkpoint'];
  /** Where embedded batches are kept, whatever `checkpoint` is. */
  readonly #pieces: FitWorld['checkpoint'];
  readonly trial?: FitWorld['trial'];
  /** Images whose embedding came from a checkpoint. */
  resumedImages = 0;

  constructor(
    protected readonly runtime: Runtime,
    protected readonly loaded: LoadedBackbone,
    private readonly roles: readonly TapRole[],
    private readonly worldSpec: WorldSpec,
    private readonly portions: Readonly<Partial<Record<Portion, readonly ImageSource[]>>>,
    protected readonly collaborators: Collaborators,
    private readonly control: FitControl,
  ) {
    this.side = worldSpec.side;
    this.taps = tapShapes(loaded.backbone, worldSpec.side, roles);
    const { checkpoints } = collaborators;
    this.#pieces = {
      get: (key) => checkpoints.get(worldSpec.fitId, key),
      put: (key, piece) => checkpoints.put(worldSpec.fitId, key, piece),
    };
    this.checkpoint = this.#pieces;
  }

  count(of: Portion): number {
    return this.portions[of]?.length ?? 0;
  }

  get backbone(): FitWorld['backbone'] {
    return this.loaded.backbone;
  }

  backboneWeights = () => this.loaded.weights;

  get ending(): boolean {
    return this.control.ending;
  }

  remark(text: string): void {
    if (!this.control.remarks.includes(text)) this.control.remarks.push(text);
  }

  rng(stream: string): Rng {
    return new Rng(this.worldSpec.seed, stream);
  }

  compile: FitWorld['compile'] = (graph, resident) => this.runtime.compile(graph, { resident });

  upload: FitWorld['upload'] = (tensor) => this.runtime.upload(tensor);

  read: FitWorld['read'] = (tensor) => this.runtime.read(tensor);

  async *embed(
    key: string,
    build: (inputs: Inputs) => Value,
    of: Portion = 'good',
    view?: View,
  ): AsyncGenerator<EmbeddedBatch> {
    const all = this.portions[of] ?? [];
    const batch = Math.min(BATCH, all.length);
    if (!batch) return;
    let embedder: Embedder | undefined;
    const pieceOf = (first: number) => `${key}.${of}.${first}`;
    let next = this.#batchAt(all, 0, batch, pieceOf);
    for (let first = 0; first < all.length; first += batch) {
      const count = Math.min(batch, all.length - first);
      const { kept, images } = await next;
      // The next batch is decoded while this one is computed.
      next = this.#batchAt(all, first + batch, batch, pieceOf);
      if (kept) {
        this.resumedImages += count;
        yield { first, count, values: kept };
        continue;
      }
      const seen = async (image: Float32Array, i: number) =>
        view ? view(image, first + i, (index) => this.#good(index)) : image;
      embedder ??= await this.#embedder(batch, build);
      const values = await embedder(await Promise.all(images.map(seen)), count);
      await this.#pieces.put(pieceOf(first), values);
      yield { first, count, values };
    }
  }

  /** What is kept of a batch; its images where nothing is. Awaited when its turn comes. */
  #batchAt(
    all: readonly ImageSource[],
    first: number,
    batch: number,
    pieceOf: (first: number) => string,
  ): Promise<{ readonly kept?: TensorData; readonly images: Float32Array[] }> {
    const reading = (async () => {
      const kept = first < all.length ? await this.#pieces.get(pieceOf(first)) : undefined;
      return kept ? { kept, images: [] } : { images: await this.#pixels(all, first, batch) };
    })();
    // A failure before its turn is not an unhandled one.
    reading.catch(() => undefined);
    return reading;
  }

  async #good(index: number): Promise<Float32Array> {
    const [image] = await this.#pixels(this.portions.good ?? [], index, 1);
    return image;
  }

  async #embedder(batch: number, build: (inputs: Inputs) => Value): Promise<Embedder> {
    const extractor = await FeatureExtractor.open(
      this.runtime,
      this.loaded,
      this.roles,
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

  #pixels(all: readonly ImageSource[], first: number, count: number): Promise<Float32Array[]> {
    const { side, white } = this.worldSpec;
    const some = all.slice(first, first + count);
    return Promise.all(
      some.map((image) =>
        this.collaborators.loadPixels(image, { side, white, kernel: this.backbone.kernel }),
      ),
    );
  }
}

/**
 * In the place of `embed` where only the cost of a step is wanted: features of the right shapes made up of random
 * numbers, nothing loaded.
 * @param count how many images
 */
export async function* madeUp(
  world: Pick<FitWorld, 'taps' | 'side' | 'backbone' | 'rng'>,
  build: (inputs: Inputs) => Value,
  count: number,
): AsyncGenerator<EmbeddedBatch> {
  const graph = new GraphBuilder();
  const taps = Object.entries(world.taps).map(([role, shape]) => [
    role,
    graph.placeholder('float32', [1, ...shape]),
  ]);
  const image = graph.placeholder('float32', [1, 1, world.side, world.side]);
  const { shape } = build({
    taps: Object.fromEntries(taps) as Inputs['taps'],
    image,
    backbone: world.backbone,
  });
  const rng = world.rng('trial');
  const data = Float32Array.from({ length: sizeOf(shape) }, () => rng.bell());
  for (let first = 0; first < count; first++)
    yield { first, count: 1, values: floatTensor([1, ...shape.slice(1)], data) };
}

/** A checkpoint that keeps nothing. */
export const NO_CHECKPOINT: FitWorld['checkpoint'] = {
  get: async () => undefined,
  put: async () => undefined,
};
