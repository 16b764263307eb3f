import type { Value } from '../graph/value';
import type { ClassifierContext, Labels } from '../methods/classifier';
import type { EmbeddedBatch, Inputs, StepCost } from '../methods/contract';
import type { TapRole } from '../nn/backbones/backbone';
import type { ClassEstimateRequest, LabelledSource } from '../protocol/classes-api';
import type { Runtime } from '../runtime/runtime';
import type { LoadedBackbone } from './backbones';
import type { Collaborators } from './collaborators';
import { EngineWorld, FitControl, NO_CHECKPOINT, madeUp } from './world';
import type { WorldSpec } from './world';

/** What a classifier's fit asks of the world. */
export class LabelledWorld extends EngineWorld implements ClassifierContext {
  override readonly checkpoint: ClassifierContext['checkpoint'];

  /** @param round which of several fits on parts of the images: each has unfinished work of its own, features are shared */
  constructor(
    runtime: Runtime,
    loaded: LoadedBackbone,
    roles: readonly TapRole[],
    spec: WorldSpec,
    images: readonly LabelledSource[],
    readonly labels: Labels,
    collaborators: Collaborators,
    control: FitControl,
    round: number,
  ) {
    const labelled = images.map(({ image }) => image);
    super(runtime, loaded, roles, spec, { labelled }, collaborators, control);
    const { checkpoints } = collaborators;
    this.checkpoint = {
      get: (key) => checkpoints.get(spec.fitId, `${round}.${key}`),
      put: (key, piece) => checkpoints.put(spec.fitId, `${round}.${key}`, piece),
    };
  }
}

/** Images of a trial: enough to fill a batch of a few of each class. */
const TRIAL_IMAGES = 64;

/** A classifier's world for measuring what a step of training costs: nothing is loaded, nothing kept. */
export class TrialWorld extends EngineWorld implements ClassifierContext {
  readonly labels: Labels;
  cost: StepCost | undefined;
  override readonly trial = { report: (cost: StepCost) => void (this.cost = cost) };
  override readonly checkpoint = NO_CHECKPOINT;

  constructor(
    runtime: Runtime,
    loaded: LoadedBackbone,
    roles: readonly TapRole[],
    { side, images, classes }: ClassEstimateRequest,
  ) {
    const spec = { fitId: '' as WorldSpec['fitId'], side, seed: 0, white: 255 };
    super(runtime, loaded, roles, spec, {}, {} as Collaborators, new FitControl());
    const count = Math.max(classes, Math.min(images, TRIAL_IMAGES));
    const all = Array.from({ length: count }, (_, i) => i);
    this.labels = {
      classes: Array.from({ length: classes }, (_, c) => String(c)),
      classOf: all.map((i) => i % classes),
      trained: all,
    };
  }

  override count(): number {
    return this.labels.classOf.length;
  }

  override embed(_key: string, build: (inputs: Inputs) => Value): AsyncGenerator<EmbeddedBatch> {
    return madeUp(this, build, this.count());
  }
}
