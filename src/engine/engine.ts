import { AppError } from '../base/errors';
import type { BackboneId, FitId, JobId } from '../base/ids';
import { kept } from '../base/kept';
import type { Detector, FitSize, MethodState, StepCost } from '../methods/contract';
import { completeOptions } from '../methods/options';
import type { Options } from '../methods/options';
import * as registry from '../methods/registry';
import { tapShapes } from '../nn/backbones/backbone';
import type {
  Activation,
  BackboneRequest,
  FitCalibration,
  FitProgress,
  FitRequest,
  FitSpec,
  FitSummary,
  ImageSource,
  InspectRequest,
  Inspection,
  InspectionFailure,
  JobProgress,
  MemoryEstimate,
  MemoryRequest,
  ReconstructRequest,
  Reconstruction,
} from '../protocol/engine-api';
import type { Runtime } from '../runtime/runtime';
import { quantile } from '../metrics/statistics';
import { Rng } from '../base/rng';
import { loadBackbone } from './backbones';
import type { LoadedBackbone } from './backbones';
import { GoodScores, heldOutImages } from './calibrate';
import type { HeldOut } from './calibrate';
import type { Collaborators } from './collaborators';
import { Encoders, keyOf } from './encoders';
import { EngineFitContext, TrialContext, startFit } from './fit';
import { FitJob } from './fit-job';
import { FeatureExtractor, disposeTaps, stackImages, tappedRoles } from './features';
import type { Tapping } from './features';
import { FitPrograms, FitStates } from './kept-fits';
import { estimateFit } from './memory';
import { readable } from './readable';
import { Redrawer } from './redrawer';
import { Scorer } from './scorer';
import { BATCH } from './world';

/** What the SEM encoder's stem is made of. */
const STEM_BACKBONE = 'builtin:efficientnet-lite0' as BackboneId;

const WARM_UP = 2;
const MEASURED_BATCHES = 9;

/** Takes one result; awaited, so that all are delivered before the job's end is. */
type ReportInspection = (result: Inspection | InspectionFailure) => void | Promise<void>;

/** How often a lost device is replaced before the work goes to the processor. */
const MOST_LOSSES = 2;

/** Fits and scores: owns the runtime, runs jobs, survives lost devices. Knows nothing of workers, pages or databases. */
export class Engine {
  #runtime: Promise<Runtime> | undefined;
  #losses = 0;
  /** By weights and activation. */
  readonly #backbones = new Map<string, Promise<LoadedBackbone>>();
  readonly #states: FitStates;
  readonly #cancelled = new Set<JobId>();
  /** Fits begun so far: one ends the measuring that is under way. */
  #fits = 0;
  readonly #scorers = new FitPrograms<Scorer>();

  readonly encoders: Encoders;

  constructor(private readonly collaborators: Collaborators) {
    this.#states = new FitStates(collaborators.states, 'Fit again on the same good images.');
    this.encoders = new Encoders(collaborators, ({ backboneId, activation }) =>
      this.backbone(backboneId, activation),
    );
  }

  /** Every method by the name it is exported under, recommended ones first, then by title. */
  static readonly methods: Readonly<Record<string, Detector>> = Object.fromEntries(
    Object.entries<Detector>(registry).sort(
      ([, a], [, b]) =>
        Number(b.about.recommended ?? false) - Number(a.about.recommended ?? false) ||
        (a.title < b.title ? -1 : 1),
    ),
  );

  /** The runtime in use, opened when there is none or the last one was lost. */
  async runtime(): Promise<Runtime> {
    const current = await this.#runtime;
    if (current && !current.lost) return current;
    const without = new Set<'webgpu'>(this.#losses > MOST_LOSSES ? ['webgpu'] : []);
    this.#runtime = this.collaborators.openRuntime(without);
    return this.#runtime;
  }

  /** A detector by its registry name. @throws internal */
  static method(id: string): Detector {
    const detector = Engine.methods[id];
    if (!detector) throw new AppError('internal', `there is no method "${id}"`);
    return detector;
  }

  /** @param activation of a CLIP whose file doesn't tell it */
  backbone(id: BackboneId, activation: Activation = 'gelu'): Promise<LoadedBackbone> {
    const stem = () => this.backbone(STEM_BACKBONE);
    return kept(this.#backbones, keyOf({ backboneId: id, activation }), async () =>
      loadBackbone(await this.collaborators.openWeights(id), { activation, stem }),
    );
  }

  /** @throws fit/memory when the device is known not to have it, fit/option */
  async estimate(request: MemoryRequest): Promise<MemoryEstimate> {
    const { detector, size, options } = await this.#sized(request);
    const { report } = await this.runtime();
    return estimateFit(detector, size, options, report);
  }

  /** Milliseconds until features are there of all images, in all pictures that are made of them. */
  async measureFeatures(request: MemoryRequest): Promise<number> {
    const { detector, size, options } = await this.#sized(request);
    const pictures = detector.pictures?.(size, options) ?? size.goodImages;
    return pictures * (await this.measureBackbone(request));
  }

  async #sized(request: MemoryRequest): Promise<{ detector: Detector; size: FitSize; options: Options }> {
    const { method, options, backboneId, activation, side, goodImages, defectImages } = request;
    const detector = Engine.method(method);
    const { backbone } = await this.backbone(backboneId, activation);
    const complete = completeOptions(detector.options, options);
    const taps = tapShapes(backbone, side, tappedRoles(detector, complete));
    const size: FitSize = { taps, side, goodImages, defectImages, backbone };
    return { detector, size, options: complete };
  }

  /**
   * Runs the method's own training for a few steps on made-up features. Null for methods that take no steps.
   * @throws cancelled when a fit begins meanwhile: the device is the fit's
   */
  async measureTraining(request: MemoryRequest): Promise<StepCost | null> {
    const { method, options, backboneId, activation, side, goodImages } = request;
    const begun = this.#fits;
    const detector = Engine.method(method);
    const backbone = await this.backbone(backboneId, activation);
    const spec: FitSpec = {
      fitId: '' as FitId,
      method,
      options,
      backboneId,
      side,
      seed: 0,
      white: 255,
    };
    if (detector.leavesOut) return null;
    return this.withRecovery(async (runtime) => {
      const context = new TrialContext(runtime, backbone, detector, spec, goodImages);
      const trial = startFit(detector, context, spec, runtime.report);
      while (!context.cost && begun === this.#fits && !(await trial.next()).done);
      await trial.return({});
      if (!context.cost && begun !== this.#fits) throw new AppError('cancelled', 'a fit has begun');
      return context.cost ?? null;
    });
  }

  /**
   * Milliseconds an image takes through the bare backbone, with the layers a method taps: the median of several
   * batches after a warm-up. 0 for methods without a backbone.
   */
  async measureBackbone(
    { method, options, backboneId, activation, side }: BackboneRequest,
    tapping: Tapping = Engine.method(method),
  ): Promise<number> {
    const roles = tappedRoles(tapping, completeOptions(tapping.options, options));
    if (!roles.length) return 0;
    const backbone = await this.backbone(backboneId, activation);
    const runtime = await this.runtime();
    const extractor = await FeatureExtractor.open(runtime, backbone, roles, side, BATCH, 'fit');
    const rng = new Rng(0, 'measure');
    const image = Float32Array.from({ length: side * side }, () => rng.uniform());
    const stacked = stackImages([image], BATCH, side);
    const times: number[] = [];
    for (let i = 0; i < MEASURED_BATCHES + WARM_UP; i++) {
      const start = performance.now();
      disposeTaps(await extractor.run(stacked, 'fit'));
      if (i >= WARM_UP) times.push((performance.now() - start) / BATCH);
    }
    return quantile(times, 0.5)!;
  }

  /** Asks a job to end at its next tick; a fit that is usable by then ends with what it has. */
  cancel(jobId: JobId): void {
    this.#cancelled.add(jobId);
  }

  /** Forgets a fit's state; it is read from the store when it is needed again. */
  forget(fitId: FitId): void {
    this.#states.forget(fitId);
    this.#scorers.forget(fitId);
  }

  /**
   * Fits, calibrates on the good images, stores the state.
   * @throws fit/…, image/…, model/…, cancelled
   */
  async fit(
    { jobId, spec, good, defects, others = [] }: FitRequest,
    report: (progress: JobProgress) => void,
  ): Promise<FitSummary> {
    this.#fits++;
    const start = performance.now();
    const job = new FitJob(this, jobId, report);
    try {
      const backbone = await this.backbone(spec.backboneId, spec.activation);
      const detector = Engine.method(spec.method);
      const images = { good, defects };
      const { state, resumedImages } = await this.withRecovery(async (runtime) => {
        const context = new EngineFitContext(
          runtime,
          backbone,
          detector,
          spec,
          images,
          this.collaborators,
          job.control,
          this.encoders,
        );
        const fitted = await job.run(startFit(detector, context, spec, runtime.report));
        return { state: fitted, resumedImages: context.resumedImages };
      });
      const durationMs = performance.now() - start;
      const held = heldOutImages(detector, spec, { good, others }, (image) =>
        this.#load(image, backbone, spec),
      );
      const calibration = await this.withRecovery((runtime) =>
        this.#calibrate(runtime, backbone, spec, state, held, (progress) => job.tick(progress)),
      );
      await this.#states.put(spec.fitId, state);
      await this.collaborators.checkpoints.clear(spec.fitId);
      return {
        calibration,
        durationMs,
        resumedImages,
        calibrationMs: performance.now() - start - durationMs,
        stateBytes: Object.values(state).reduce((sum, { data }) => sum + data.byteLength, 0),
        provider: (await this.runtime()).report.kind,
        steps: job.steps,
        remarks: job.control.remarks,
      };
    } finally {
      this.ended(jobId);
    }
  }

  async #calibrate(
    runtime: Runtime,
    backbone: LoadedBackbone,
    spec: FitSpec,
    state: MethodState,
    held: HeldOut,
    tick: (progress: FitProgress) => void,
  ): Promise<FitCalibration> {
    const detector = Engine.method(spec.method);
    const scores = new GoodScores(spec.side, held.count, held.way);
    if (!held.count) return scores.finish();
    const options = completeOptions(detector.options, spec.options);
    const batch = Math.min(BATCH, held.count);
    const size = { side: spec.side, batch, heldOut: detector.leavesOut, priority: 'fit' } as const;
    const scorer = await Scorer.open(runtime, backbone, detector, state, options, size);
    const all = Array.from({ length: held.count }, (_, i) => i);
    for (let first = 0; first < held.count; first += batch) {
      const some = all.slice(first, first + batch);
      const images = await Promise.all(some.map((index) => held.load(index)));
      const scored = await scorer.score(images, held.fitted && some.map((index) => held.fitted!(index)));
      scored.forEach((result) => scores.add(result));
      tick({ phase: 'calibration', done: first + some.length, total: held.count, unit: 'images' });
    }
    return scores.finish();
  }

  /**
   * Scores images with a stored fit, reporting each as it comes; an image that fails is reported as such and the
   * rest goes on.
   * @throws store/missing, model/…, cancelled
   */
  async inspect({ jobId, spec, images }: InspectRequest, report: ReportInspection): Promise<void> {
    try {
      const backbone = await this.backbone(spec.backboneId, spec.activation);
      const state = await this.#states.get(spec.fitId);
      const batch = Math.min(BATCH, images.length);
      for (let first = 0; first < images.length; first += batch) {
        this.endIfCancelled(jobId);
        await this.#inspectBatch(backbone, spec, state, images.slice(first, first + batch), batch, report);
      }
    } finally {
      this.ended(jobId);
    }
  }

  async #inspectBatch(
    backbone: LoadedBackbone,
    spec: FitSpec,
    state: MethodState,
    images: InspectRequest['images'],
    batch: number,
    report: ReportInspection,
  ): Promise<void> {
    const good = await readable(images, (image) => this.#load(image, backbone, spec), report);
    if (!good.length) return;
    const start = performance.now();
    const scored = await this.withRecovery(async (runtime) => {
      const scorer = await this.#scorer(runtime, backbone, spec, state, batch);
      return scorer.score(good.map(({ pixels }) => pixels));
    });
    const durationMs = (performance.now() - start) / good.length;
    for (const [i, found] of scored.entries())
      await report({ imageId: good[i].image.id, ...found, side: spec.side, durationMs });
  }

  /** A fit's own picture of an image. @throws fit/option, store/missing, image/… */
  async reconstruct({ spec, image }: ReconstructRequest): Promise<Reconstruction> {
    const backbone = await this.backbone(spec.backboneId, spec.activation);
    const detector = Engine.method(spec.method);
    const state = await this.#states.get(spec.fitId);
    const pixels = await this.#load(image, backbone, spec);
    const options = completeOptions(detector.options, spec.options);
    const picture = await this.withRecovery(async (runtime) => {
      const redrawer = await Redrawer.open(runtime, backbone, detector, state, options, spec.side);
      return redrawer.redraw(pixels);
    });
    return { side: spec.side, image: pixels.slice(), picture };
  }

  /** The scorer of a fit and a batch size on the current runtime. */
  #scorer(
    runtime: Runtime,
    backbone: LoadedBackbone,
    spec: FitSpec,
    state: MethodState,
    batch: number,
  ): Promise<Scorer> {
    return this.#scorers.get(runtime, spec.fitId, batch, () => {
      const detector = Engine.method(spec.method);
      const options = completeOptions(detector.options, spec.options);
      const size = { side: spec.side, batch, heldOut: false, priority: 'inspect' } as const;
      return Scorer.open(runtime, backbone, detector, state, options, size);
    });
  }

  #load(image: ImageSource, { backbone }: LoadedBackbone, { side, white }: FitSpec): Promise<Float32Array> {
    return this.collaborators.loadPixels(image, { side, white, kernel: backbone.kernel });
  }

  /** Runs work on the runtime; when the device is lost under it, once more on a new one. */
  async withRecovery<T>(work: (runtime: Runtime) => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await work(await this.runtime());
      } catch (error) {
        if (!(error instanceof AppError && error.code === 'gpu/lost') || this.#losses > MOST_LOSSES)
          throw error;
        this.#losses++;
        this.#runtime = undefined;
      }
    }
  }

  isCancelled(jobId: JobId): boolean {
    return this.#cancelled.has(jobId);
  }

  /** @throws cancelled when the user asked for a job's end */
  endIfCancelled(jobId: JobId): void {
    if (this.isCancelled(jobId)) throw new AppError('cancelled', 'cancelled');
  }

  /** A job is over, however it went. */
  ended(jobId: JobId): void {
    this.#cancelled.delete(jobId);
  }
}
