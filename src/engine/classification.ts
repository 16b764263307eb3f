import { AppError } from '../base/errors';
import type { FitId } from '../base/ids';
import { encode } from '../graph/encode';
import * as registry from '../methods/classifier-registry';
import type { Classifier, ClassifierSize } from '../methods/classifier';
import type { MethodState } from '../methods/contract';
import { completeOptions } from '../methods/options';
import { tapShapes } from '../nn/backbones/backbone';
import type {
  ClassCost,
  ClassEstimateRequest,
  ClassFitRequest,
  ClassFitSpec,
  ClassFitSummary,
  Classification,
  ClassifyRequest,
} from '../protocol/classes-api';
import type { ImageSource, InspectionFailure, JobProgress, MemoryEstimate } from '../protocol/engine-api';
import type { LoadedBackbone } from './backbones';
import { requireArchitecture, requireLabels } from './class-checks';
import { ClassScorer, withTemperature } from './class-scorer';
import { REFITS, Rounds } from './class-rounds';
import type { ClassPlan } from './class-rounds';
import { TrialWorld } from './class-world';
import type { Collaborators } from './collaborators';
import type { Engine } from './engine';
import { classGraph } from './export-classifier';
import { fittingRoles } from './features';
import { FitJob } from './fit-job';
import { FitPrograms, FitStates } from './kept-fits';
import { requireMemory } from './memory';
import { readable } from './readable';
import { answersOf, surenessOf } from './sureness';
import { BATCH } from './world';

type ReportClass = (result: Classification | InspectionFailure) => void | Promise<void>;

/** Teaches classifiers by labelled images, and tells classes. */
export class Classifying {
  readonly #states: FitStates;
  readonly #scorers = new FitPrograms<ClassScorer>();

  constructor(
    private readonly engine: Pick<
      Engine,
      'backbone' | 'measureBackbone' | 'runtime' | 'withRecovery' | 'isCancelled' | 'endIfCancelled' | 'ended'
    >,
    private readonly collaborators: Collaborators,
  ) {
    this.#states = new FitStates(collaborators.states, 'Train again on the same labels.');
  }

  /** Every classifier by the name it is exported under, recommended ones first, then by title. */
  static readonly methods: Readonly<Record<string, Classifier>> = Object.fromEntries(
    Object.entries<Classifier>(registry).sort(
      ([, a], [, b]) =>
        Number(b.about.recommended ?? false) - Number(a.about.recommended ?? false) ||
        (a.title < b.title ? -1 : 1),
    ),
  );

  /** @throws internal */
  static method(id: string): Classifier {
    const classifier = Classifying.methods[id];
    if (!classifier) throw new AppError('internal', `there is no classifier "${id}"`);
    return classifier;
  }

  /** @throws fit/memory when the device is known not to have it, fit/option, fit/backbone */
  async estimate(request: ClassEstimateRequest): Promise<MemoryEstimate> {
    const { classifier, backbone, options } = await this.#plan(request);
    const size = sizeOf(classifier, backbone, options, request);
    return this.#requireMemory(classifier, size, options);
  }

  /** What a fit takes: a step measured on made-up features, the backbone on a made-up image. */
  async measure(request: ClassEstimateRequest): Promise<ClassCost> {
    const { classifier, backbone, options } = await this.#plan(request);
    const roles = fittingRoles(classifier, options);
    const backboneMs = await this.engine.measureBackbone(request, classifier);
    const rounds = classifier.refits(options) ? REFITS + 1 : 1;
    const training = await this.engine.withRecovery(async (runtime) => {
      const world = new TrialWorld(runtime, backbone, roles, request);
      const trial = classifier.fit(world, options);
      while (!world.cost && !(await trial.next()).done);
      await trial.return({});
      return world.cost ?? null;
    });
    return { training, rounds, passes: classifier.passes(options), backboneMs };
  }

  /**
   * Fits, learns from images that it sets aside how sure answers are, stores the state.
   * @throws fit/…, image/…, model/…, cancelled
   */
  async fit(
    { jobId, spec, images }: ClassFitRequest,
    report: (progress: JobProgress) => void,
  ): Promise<ClassFitSummary> {
    const start = performance.now();
    const job = new FitJob(this.engine, jobId, report);
    try {
      const plan = await this.#plan(spec);
      const { classifier, backbone, options } = plan;
      requireLabels(spec.classes, images);
      await this.#requireMemory(
        classifier,
        sizeOf(classifier, backbone, options, {
          ...spec,
          images: images.length,
          classes: spec.classes.length,
        }),
        options,
      );
      const fitted = await this.engine.withRecovery((runtime) =>
        new Rounds(runtime, plan, { spec, images }, this.collaborators, job).run(),
      );
      const sureness = surenessOf(fitted.held, spec.classes.length);
      const temperature = sureness?.temperature ?? 1;
      const state = withTemperature(fitted.state, temperature);
      await this.#states.put(spec.fitId, state);
      await this.collaborators.checkpoints.clear(spec.fitId);
      return {
        sureness,
        heldOut: answersOf(fitted.held, spec.classes.length, temperature),
        durationMs: performance.now() - start,
        stateBytes: Object.values(state).reduce((sum, { data }) => sum + data.byteLength, 0),
        provider: (await this.engine.runtime()).report.kind,
        resumedImages: fitted.resumedImages,
        steps: job.steps,
        remarks: job.control.remarks,
      };
    } finally {
      this.engine.ended(jobId);
    }
  }

  /**
   * Tells the classes of images with a stored fit, reporting each as it comes; an image that fails is reported as such
   * and the rest goes on.
   * @throws store/missing, model/…, cancelled
   */
  async classify({ jobId, spec, images }: ClassifyRequest, report: ReportClass): Promise<void> {
    try {
      const plan = await this.#plan(spec);
      const state = await this.#states.get(spec.fitId);
      const batch = Math.min(BATCH, images.length);
      for (let first = 0; first < images.length; first += batch) {
        this.engine.endIfCancelled(jobId);
        await this.#classifyBatch(plan, spec, state, images.slice(first, first + batch), batch, report);
      }
    } finally {
      this.engine.ended(jobId);
    }
  }

  /** From grey pixels to probabilities as one model. @throws store/missing, model/… */
  async export(spec: ClassFitSpec): Promise<Uint8Array<ArrayBuffer>> {
    const { classifier, backbone, options } = await this.#plan(spec);
    const { graph, metadata } = classGraph(
      classifier,
      backbone,
      await this.#states.get(spec.fitId),
      options,
      spec,
    );
    return encode(graph, { metadata }).model;
  }

  /** Forgets a fit's state and programs; it is read from the store when it is needed again. */
  forget(fitId: FitId): void {
    this.#states.forget(fitId);
    this.#scorers.forget(fitId);
  }

  async #plan({
    method,
    options,
    backboneId,
    activation,
  }: Pick<ClassFitSpec, 'method' | 'options' | 'backboneId' | 'activation'>): Promise<ClassPlan> {
    const classifier = Classifying.method(method);
    const backbone = await this.engine.backbone(backboneId, activation);
    requireArchitecture(classifier, backbone);
    return { classifier, backbone, options: completeOptions(classifier.options, options) };
  }

  async #requireMemory(
    classifier: Classifier,
    size: ClassifierSize,
    options: ClassPlan['options'],
  ): Promise<MemoryEstimate> {
    const { report } = await this.engine.runtime();
    const memory = (tried: ClassPlan['options'], images: number) =>
      classifier.memory({ ...size, images }, tried);
    const { title, options: specs } = classifier;
    return requireMemory(
      { title, options: specs, memory, images: size.images, of: 'labelled images' },
      options,
      report,
    );
  }

  async #classifyBatch(
    { classifier, backbone, options }: ClassPlan,
    spec: ClassFitSpec,
    state: MethodState,
    images: readonly ImageSource[],
    batch: number,
    report: ReportClass,
  ): Promise<void> {
    const good = await readable(images, (image) => this.#load(image, backbone, spec), report);
    if (!good.length) return;
    const start = performance.now();
    const found = await this.engine.withRecovery(async (runtime) => {
      const size = { side: spec.side, batch, priority: 'inspect' } as const;
      const scorer = await this.#scorers.get(runtime, spec.fitId, batch, () =>
        ClassScorer.open(runtime, backbone, classifier, state, options, size),
      );
      return scorer.classify(good.map(({ pixels }) => pixels));
    });
    const durationMs = (performance.now() - start) / good.length;
    for (const [i, { probabilities, experts, attention }] of found.entries())
      await report({
        imageId: good[i].image.id,
        probabilities,
        ...(experts && { experts }),
        ...(attention && { attention }),
        durationMs,
      });
  }

  #load(
    image: ImageSource,
    { backbone }: LoadedBackbone,
    { side, white }: ClassFitSpec,
  ): Promise<Float32Array> {
    return this.collaborators.loadPixels(image, { side, white, kernel: backbone.kernel });
  }
}

const sizeOf = (
  classifier: Classifier,
  { backbone }: LoadedBackbone,
  options: ClassPlan['options'],
  { side, images, classes }: { side: number; images: number; classes: number },
): ClassifierSize => ({
  taps: tapShapes(backbone, side, fittingRoles(classifier, options)),
  side,
  backbone,
  images,
  classes,
});
