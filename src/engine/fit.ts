import { AppError } from '../base/errors';
import { Rng } from '../base/rng';
import { floats, floatTensor, sizeOf } from '../base/tensor';
import type { TensorData } from '../base/tensor';
import { GraphBuilder } from '../graph/builder';
import type { Value } from '../graph/value';
import type {
  Detector,
  EmbeddedBatch,
  FitContext,
  FitProgress,
  Inputs,
  MethodState,
  Portion,
  StepCost,
  Support,
  View,
} from '../methods/contract';
import { completeOptions } from '../methods/options';
import { tapShapes } from '../nn/backbones/backbone';
import type { TapRole } from '../nn/backbones/backbone';
import type { DefectSource, FitSpec, ImageSource } from '../protocol/engine-api';
import type { ProviderReport } from '../runtime/ort';
import type { Runtime } from '../runtime/runtime';
import type { LoadedBackbone } from './backbones';
import type { Collaborators } from './collaborators';
import type { Encoders } from './encoders';
import { FeatureExtractor, disposeTaps, stackImages, tappedRoles } from './features';
import { estimateFit } from './memory';

/** Images in one run of a backbone: enough to fill a processor's cores, little enough for a small GPU. */
export const BATCH = 4;

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

/** @throws fit/too-few-images */
function requireDefects({ needs, title }: Detector, count: number): void {
  if (needs.defects === 'required' && !count)
    throw new AppError('fit/too-few-images', `${title} learns from defects; there is none`, {
      hint: 'Give at least one class of defects an image.',
    });
}

/** The images of a fit. */
export interface FitImages {
  readonly good: readonly ImageSource[];
  readonly defects: readonly DefectSource[];
}

/** What happens to a fit from outside while it runs, and what it says beside its result. */
export class FitControl {
  /** The user asked for the end. */
  ending = false;
  readonly remarks: string[] = [];
}

/** One fit's view of the world, on one runtime. A fit that starts again on another finds its checkpoint. */
export class EngineFitContext implements FitContext {
  readonly taps: FitContext['taps'];
  readonly side: number;
  readonly checkpoint: FitContext['checkpoint'];
  readonly trial?: FitContext['trial'];
  readonly #roles: readonly TapRole[];
  /** Images whose embedding came from a checkpoint. */
  resumedImages = 0;

  constructor(
    private readonly runtime: Runtime,
    private readonly loaded: LoadedBackbone,
    private readonly detector: Detector,
    private readonly spec: FitSpec,
    private readonly images: FitImages,
    private readonly collaborators: Collaborators,
    private readonly control = new FitControl(),
    private readonly encoders?: Encoders,
  ) {
    this.side = spec.side;
    this.#roles = tappedRoles(detector, completeOptions(detector.options, spec.options));
    this.taps = tapShapes(loaded.backbone, spec.side, this.#roles);
    const { checkpoints } = collaborators;
    this.checkpoint = {
      get: (key) => checkpoints.get(spec.fitId, key),
      put: (key, piece) => checkpoints.put(spec.fitId, key, piece),
    };
  }

  get goodImages(): number {
    return this.images.good.length;
  }

  get defectImages(): number {
    return this.detector.needs.defects === 'none' ? 0 : this.images.defects.length;
  }

  get backbone(): FitContext['backbone'] {
    return this.loaded.backbone;
  }

  backboneWeights = () => this.loaded.weights;

  get ending(): boolean {
    return this.control.ending;
  }

  get support(): Support | undefined {
    const { support, backboneId, activation = 'gelu' } = this.spec;
    const { encoders } = this;
    if (!support || !encoders) return undefined;
    const { prompts, normal } = support;
    const choice = { backboneId, activation };
    return {
      prompts,
      normal,
      defectClasses: this.images.defects.map(({ classIndex }) => classIndex!),
      masked: this.images.defects.map(({ mask }) => !!mask),
      texts: () => encoders.texts(this.runtime, choice, support, (text) => this.remark(text)),
      textTower: () => encoders.textTower(choice),
    };
  }

  remark(text: string): void {
    if (!this.control.remarks.includes(text)) this.control.remarks.push(text);
  }

  rng(stream: string): Rng {
    return new Rng(this.spec.seed, stream);
  }

  compile: FitContext['compile'] = (graph, resident) => this.runtime.compile(graph, { resident });

  upload: FitContext['upload'] = (tensor) => this.runtime.upload(tensor);

  read: FitContext['read'] = (tensor) => this.runtime.read(tensor);

  async defectMask(index: number): Promise<Uint8Array> {
    const { image, mask } = this.images.defects[index];
    if (!mask) throw new AppError('fit/mask', `${image.name} has no mask`, { hint: 'Paint or import one.' });
    return this.collaborators.loadMask({ image, mask }, this.side);
  }

  async *embed(
    key: string,
    build: (inputs: Inputs) => Value,
    of: Portion = 'good',
    view?: View,
  ): AsyncGenerator<EmbeddedBatch> {
    const all = of === 'good' ? this.images.good : this.images.defects.map(({ image }) => image);
    const batch = Math.min(BATCH, all.length);
    if (!batch) return;
    const embedder = await this.#embedder(batch, build);
    let next = this.#pixels(all, 0, batch);
    for (let first = 0; first < all.length; first += batch) {
      const count = Math.min(batch, all.length - first);
      const kept = await this.checkpoint.get(`${key}.${of}.${first}`);
      const images = await next;
      // The next batch is decoded while this one is computed.
      next = this.#pixels(all, first + batch, batch);
      const seen = async (image: Float32Array, i: number) =>
        view ? view(image, first + i, (index) => this.#good(index)) : image;
      const values = kept ?? (await embedder(await Promise.all(images.map(seen)), count));
      if (kept) this.resumedImages += count;
      else await this.checkpoint.put(`${key}.${of}.${first}`, values);
      yield { first, count, values };
    }
  }

  async #good(index: number): Promise<Float32Array> {
    const [image] = await this.#pixels(this.images.good, index, 1);
    return image;
  }

  async #embedder(
    batch: number,
    build: (inputs: Inputs) => Value,
  ): Promise<(images: Float32Array[], count: number) => Promise<TensorData>> {
    const extractor = await FeatureExtractor.open(
      this.runtime,
      this.loaded,
      this.#roles,
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
    const { side, white } = this.spec;
    const some = all.slice(first, first + count);
    const loading = Promise.all(
      some.map((image) =>
        this.collaborators.loadPixels(image, { side, white, kernel: this.backbone.kernel }),
      ),
    );
    // Awaited when its turn comes; a failure before that is not an unhandled one.
    loading.catch(() => undefined);
    return loading;
  }
}

/** Checks a fit's options, images and memory, then runs the method. @throws fit/option, fit/too-few-images, fit/memory */
export function startFit(
  detector: Detector,
  context: EngineFitContext,
  spec: FitSpec,
  report: ProviderReport,
): AsyncGenerator<FitProgress, MethodState> {
  const options = completeOptions(detector.options, spec.options);
  requireGoodImages(detector, context.goodImages);
  // What a step costs is measured before there is a defect.
  if (!context.trial) requireDefects(detector, context.defectImages);
  const { taps, side, goodImages, defectImages, backbone } = context;
  estimateFit(detector, { taps, side, goodImages, defectImages, backbone }, options, report);
  return detector.fit(context, options);
}

/** Good images of a trial: enough to fill a batch, few enough to be made up at once. */
const TRIAL_IMAGES = 40;

/**
 * A fit's world for measuring what a step of training costs here: features of the right shapes made up of random
 * numbers, nothing loaded and nothing kept.
 */
export class TrialContext extends EngineFitContext {
  cost: StepCost | undefined;
  override readonly trial = { report: (cost: StepCost) => void (this.cost = cost) };
  override readonly checkpoint: FitContext['checkpoint'] = {
    get: async () => undefined,
    put: async () => undefined,
  };

  constructor(
    runtime: Runtime,
    loaded: LoadedBackbone,
    detector: Detector,
    spec: FitSpec,
    goodImages: number,
  ) {
    const nothing: ImageSource = { id: '' as ImageSource['id'], name: '', blob: new Blob() };
    const good = new Array<ImageSource>(Math.min(goodImages, TRIAL_IMAGES)).fill(nothing);
    super(runtime, loaded, detector, spec, { good, defects: [] }, {} as Collaborators);
  }

  override async *embed(_key: string, build: (inputs: Inputs) => Value): AsyncGenerator<EmbeddedBatch> {
    const graph = new GraphBuilder();
    const taps = Object.entries(this.taps).map(([role, shape]) => [
      role,
      graph.placeholder('float32', [1, ...shape]),
    ]);
    const image = graph.placeholder('float32', [1, 1, this.side, this.side]);
    const { shape } = build({
      taps: Object.fromEntries(taps) as Inputs['taps'],
      image,
      backbone: this.backbone,
    });
    const rng = this.rng('trial');
    const data = Float32Array.from({ length: sizeOf(shape) }, () => rng.bell());
    for (let first = 0; first < this.goodImages; first++)
      yield { first, count: 1, values: floatTensor([1, ...shape.slice(1)], data) };
  }
}
