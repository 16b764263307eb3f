import { Rng } from '../base/rng';
import type { Classifier } from '../methods/classifier';
import type { MethodState } from '../methods/contract';
import { classParts } from '../methods/kit/held-out';
import type { Options } from '../methods/options';
import type { ClassFitRequest } from '../protocol/classes-api';
import type { Runtime } from '../runtime/runtime';
import type { LoadedBackbone } from './backbones';
import { ClassScorer, withTemperature } from './class-scorer';
import { LabelledWorld } from './class-world';
import type { Collaborators } from './collaborators';
import { fittingRoles } from './features';
import type { FitJob } from './fit-job';
import type { HeldOut } from './sureness';
import { BATCH } from './world';

/** A classifier that is fitted several times sets a third aside each time. */
export const REFITS = 3;
/** The others set a fifth aside, once. */
const PARTS = 5;
/** Images a class must have for some to be set aside. */
const LEAST = { refits: 2, once: 10 } as const;

/** A classifier with what it stands on. */
export interface ClassPlan {
  readonly classifier: Classifier;
  readonly backbone: LoadedBackbone;
  /** Complete ones. */
  readonly options: Options;
}

/** What several fits on parts of the labelled images come to. */
export interface Fitted {
  readonly state: MethodState;
  readonly held: HeldOut;
  /** Images whose features were found in a checkpoint. */
  readonly resumedImages: number;
}

/** A classifier's fit: rounds that set images aside and tell them, and one on everything where rounds are cheap. */
export class Rounds {
  readonly #classOf: readonly number[];
  readonly #refits: boolean;
  readonly #held: HeldOut = { logits: [], labels: [], images: [] };
  #resumedImages = 0;

  constructor(
    private readonly runtime: Runtime,
    private readonly plan: ClassPlan,
    private readonly request: Pick<ClassFitRequest, 'spec' | 'images'>,
    private readonly collaborators: Collaborators,
    private readonly job: FitJob,
  ) {
    this.#classOf = request.images.map(({ classIndex }) => classIndex);
    this.#refits = plan.classifier.refits(plan.options);
  }

  /** @throws fit/…, image/…, cancelled */
  async run(): Promise<Fitted> {
    const all = this.#classOf.map((_, i) => i);
    const parts = this.#parts();
    let state: MethodState | undefined;
    for (const [round, part] of parts.entries()) {
      const apart = new Set(part);
      state = await this.#fit(
        all.filter((i) => !apart.has(i)),
        round,
      );
      // Only what learns from everything is worth keeping.
      if (this.#refits) this.job.endIfAsked();
      await this.#tell(state, [...part]);
    }
    if (this.#refits || !state) state = await this.#fit(all, parts.length);
    return { state, held: this.#held, resumedImages: this.#resumedImages };
  }

  #parts(): readonly Int32Array[] {
    const { seed } = this.request.spec;
    const world = { rng: (stream: string) => new Rng(seed, stream) };
    return this.#refits
      ? classParts(this.#classOf, world, LEAST.refits, REFITS)
      : classParts(this.#classOf, world, LEAST.once, PARTS).slice(0, 1);
  }

  async #fit(trained: readonly number[], round: number): Promise<MethodState> {
    const { classifier, backbone, options } = this.plan;
    const { spec, images } = this.request;
    const world = new LabelledWorld(
      this.runtime,
      backbone,
      fittingRoles(classifier, options),
      spec,
      images,
      { classes: spec.classes, classOf: this.#classOf, trained },
      this.collaborators,
      this.job.control,
      round,
    );
    const state = await this.job.run(classifier.fit(world, options));
    // Later rounds find what the first one embedded.
    if (!round) this.#resumedImages = world.resumedImages;
    return withTemperature(state, 1);
  }

  /** What a fit says of images that it was not trained on. */
  async #tell(state: MethodState, part: readonly number[]): Promise<void> {
    const { classifier, backbone, options } = this.plan;
    const { side, white } = this.request.spec;
    const batch = Math.min(BATCH, part.length);
    const size = { side, batch, priority: 'fit' } as const;
    const scorer = await ClassScorer.open(this.runtime, backbone, classifier, state, options, size);
    const { kernel } = backbone.backbone;
    for (let first = 0; first < part.length; first += batch) {
      const some = part.slice(first, first + batch);
      const pixels = await Promise.all(
        some.map((i) => this.collaborators.loadPixels(this.request.images[i].image, { side, white, kernel })),
      );
      for (const [b, { logits }] of (await scorer.classify(pixels)).entries()) {
        this.#held.logits.push(...logits);
        this.#held.labels.push(this.#classOf[some[b]]);
        this.#held.images.push(this.request.images[some[b]].image.id);
      }
      const done = first + some.length;
      this.job.tick({ phase: 'calibration', done, total: part.length, unit: 'images' });
    }
  }
}
