import { AppError } from '../base/errors';
import type { Value } from '../graph/value';
import type {
  Detector,
  EmbeddedBatch,
  FitContext,
  FitProgress,
  Inputs,
  MethodState,
  StepCost,
  Support,
} from '../methods/contract';
import { completeOptions } from '../methods/options';
import type { DefectSource, FitSpec, ImageSource } from '../protocol/engine-api';
import type { ProviderReport } from '../runtime/ort';
import type { Runtime } from '../runtime/runtime';
import type { LoadedBackbone } from './backbones';
import type { Collaborators } from './collaborators';
import type { Encoders } from './encoders';
import { tappedRoles } from './features';
import { estimateFit } from './memory';
import { EngineWorld, FitControl, NO_CHECKPOINT, madeUp } from './world';

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

/** What a detector's fit asks of the world. */
export class EngineFitContext extends EngineWorld implements FitContext {
  constructor(
    runtime: Runtime,
    loaded: LoadedBackbone,
    private readonly detector: Detector,
    private readonly spec: FitSpec,
    private readonly images: FitImages,
    collaborators: Collaborators,
    control = new FitControl(),
    private readonly encoders?: Encoders,
  ) {
    const roles = tappedRoles(detector, completeOptions(detector.options, spec.options));
    const portions = { good: images.good, defects: images.defects.map(({ image }) => image) };
    super(runtime, loaded, roles, spec, portions, collaborators, control);
  }

  get goodImages(): number {
    return this.images.good.length;
  }

  get defectImages(): number {
    return this.detector.needs.defects === 'none' ? 0 : this.images.defects.length;
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

  async defectMask(index: number): Promise<Uint8Array> {
    const { image, mask } = this.images.defects[index];
    if (!mask) throw new AppError('fit/mask', `${image.name} has no mask`, { hint: 'Paint or import one.' });
    return this.collaborators.loadMask({ image, mask }, this.side);
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
  override readonly checkpoint = NO_CHECKPOINT;

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

  override embed(_key: string, build: (inputs: Inputs) => Value): AsyncGenerator<EmbeddedBatch> {
    return madeUp(this, build, this.goodImages);
  }
}
