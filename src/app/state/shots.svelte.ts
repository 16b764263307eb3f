import { SvelteMap } from 'svelte/reactivity';
import { isCancelled, toAppError } from '../../base/errors';
import type { FitId, ImageId, JobId } from '../../base/ids';
import type { FitRequest, FitSpec, ImageSource, Inspection, SupportSpec } from '../../protocol/engine-api';
import type { FitStore } from '../../store/fit-store';
import type { SetId, SupportSetId } from '../../store/schema';
import type { SettingsStore } from '../../store/settings-store';
import type { EngineClient } from '../engine-client';
import type { FitImage, FitPlan } from './fits.svelte';
import { defectOf, forgetFit, sourceOf } from './fits.svelte';
import type { Job, Jobs } from './jobs.svelte';
import type { Entry } from './library.svelte';
import { draw } from './support-rules';

/** Images of each class that figures are measured with. */
export const SHOTS = [1, 2, 5, 10] as const;

/** A method's figures after so many images of each class; null where labels don't define one. */
export interface ShotFigures {
  readonly method: string;
  readonly shots: number;
  readonly imageAuroc: number | null;
  readonly pixelAuroc: number | null;
  readonly pixelF1: number | null;
  /** Labelled images that were tested; those of the support set are none of them, whatever the number of shots. */
  readonly tested: number;
  /** Why there are no figures. */
  readonly problem?: string;
}

const NOTHING = { imageAuroc: null, pixelAuroc: null, pixelF1: null, tested: 0 };

/** Figures, and what they are figures of. Those that an earlier version stored lack what is optional here. */
export interface ShotMeasurement {
  /** The set whose labelled images were tested. */
  readonly setId: SetId;
  /** What taught, whole: each number of shots is a part of it. */
  readonly support: SupportSpec;
  readonly imageIds: readonly ImageId[];
  readonly seed: number;
  /** When the measuring began, Date.now(). */
  readonly begunAt?: number;
  /** How each method was fitted. */
  readonly plans?: readonly ShotPlan[];
  readonly rows: readonly ShotFigures[];
}

export type ShotPlan = Pick<FitPlan, 'method' | 'options' | 'backboneId' | 'side'>;

/** What figures are measured with. */
export interface ShotSupport {
  readonly supportSetId: SupportSetId;
  readonly images: readonly FitImage[];
  /** Good images beside the support set's, for the threshold. */
  readonly others: readonly FitImage[];
  readonly white: number;
}

/** How many images of each class are worth a column: more than the largest class has would change nothing. */
export function shotsFor(largestClass: number): number[] {
  return SHOTS.filter((shots, i) => shots <= largestClass || (i > 0 && SHOTS[i - 1] < largestClass));
}

/** Figures of methods by the number of images that teach them, on the user's own labelled images. */
export class Shots {
  /** The last measurement with each support set that was looked at. */
  readonly #last = new SvelteMap<SupportSetId, ShotMeasurement>();

  constructor(
    private readonly store: Pick<FitStore, 'deleteFit'>,
    private readonly settings: Pick<SettingsStore, 'get' | 'put'>,
    private readonly client: Pick<EngineClient, 'fit' | 'inspect' | 'pixels' | 'engine'>,
    private readonly jobs: Pick<Jobs, 'runFit'>,
    private readonly titleOf: (method: string) => string,
  ) {}

  /** The last measurement with a support set. */
  with(supportSetId: SupportSetId): ShotMeasurement | undefined {
    return this.#last.get(supportSetId);
  }

  /** Finds what was measured before a reload. */
  async restore(supportSetId: SupportSetId): Promise<void> {
    const stored = await this.settings.get<ShotMeasurement>(settingOf(supportSetId));
    // Meanwhile a new measurement may have begun.
    if (stored && !this.#last.has(supportSetId)) this.#last.set(supportSetId, stored);
  }

  /**
   * Fits, inspects and judges every plan at every number of shots; rows come one by one and stay when it is cancelled.
   * A row that could not be made says why.
   * @param plans at least one, all on the same support set and seed
   * @throws store/quota
   */
  async measure(
    plans: readonly FitPlan[],
    support: ShotSupport,
    setId: SetId,
    entries: readonly Entry[],
  ): Promise<void> {
    const begunAt = Date.now();
    const imageIds = support.images.map(({ imageId }) => imageId);
    const taught = new Set(imageIds);
    const tested = entries.filter(
      ({ imageId, className }) => className !== undefined && !taught.has(imageId),
    );
    const keep = async (rows: readonly ShotFigures[]) => {
      const [{ support: spec, seed }] = plans;
      const fitted = plans.map(({ method, options, backboneId, side }) => ({
        method,
        options,
        backboneId,
        side,
      }));
      const measured = { setId, support: spec!, imageIds, seed, begunAt, plans: fitted, rows };
      this.#last.set(support.supportSetId, measured);
      await this.settings.put(settingOf(support.supportSetId), measured);
    };
    const rows: ShotFigures[] = [];
    await this.jobs.runFit('Measuring by shots', async (job) => {
      for (const shots of shotsFor(largestClassOf(support.images)))
        for (const plan of plans) {
          const row = await this.#row(job, plan, shots, support, tested).catch((error: unknown) => {
            if (isCancelled(error)) throw error;
            return { ...NOTHING, method: plan.method, shots, problem: toAppError(error).message };
          });
          rows.push(row);
          await keep([...rows]);
        }
    });
  }

  async #row(
    job: Job,
    plan: FitPlan,
    shots: number,
    { images, others, white }: ShotSupport,
    tested: readonly Entry[],
  ): Promise<ShotFigures> {
    const fitId = crypto.randomUUID() as FitId;
    const spec: FitSpec = { ...plan, fitId, white };
    const normal = plan.support!.normal;
    const drawn = drawShots(images, shots, plan.seed);
    const request: FitRequest = {
      jobId: crypto.randomUUID() as JobId,
      spec,
      good: drawn.filter(({ classIndex }) => classIndex === normal).map(sourceOf),
      defects: drawn.filter(({ classIndex }) => classIndex !== normal).map(defectOf),
      others: others.map(sourceOf),
    };
    const named = (phase: string) => `${this.titleOf(plan.method)}, ${shots} a class: ${phase}`;
    try {
      await this.client.fit(
        request,
        (progress) => (job.progress = { ...progress, phase: named(progress.phase) }),
        job.signal,
      );
      const found = await this.#inspect(job, spec, tested, named('images'));
      const items = tested.flatMap(({ imageId, name, className, mask }) => {
        const result = found.get(imageId);
        return result ? [{ name, ...result, defective: className !== 'good', mask }] : [];
      });
      const { image, pixel } = await this.client.pixels((pixels) =>
        pixels.evaluate({ side: spec.side, items }),
      );
      return {
        method: plan.method,
        shots,
        imageAuroc: image.auroc,
        pixelAuroc: pixel.auroc,
        pixelF1: pixel.f1,
        tested: image.count,
      };
    } finally {
      await forgetFit(this.store, this.client, fitId);
    }
  }

  async #inspect(
    job: Job,
    spec: FitSpec,
    tested: readonly Entry[],
    phase: string,
  ): Promise<ReadonlyMap<ImageSource['id'], Inspection>> {
    const found = new Map<ImageSource['id'], Inspection>();
    const start = performance.now();
    await this.client.inspect(
      { jobId: crypto.randomUUID() as JobId, spec, images: tested.map(sourceOf) },
      (result) => {
        if ('error' in result) return;
        found.set(result.imageId, result);
        job.count(phase, found.size, tested.length, start);
      },
      job.signal,
    );
    return found;
  }
}

const settingOf = (id: SupportSetId): string => `shots.${id}`;

/** Of each class that many images, all of a smaller one; the same for the same seed. */
export function drawShots(images: readonly FitImage[], shots: number, seed: number): FitImage[] {
  return classesOf(images).flatMap(([index, own]) => draw(own, shots, seed, `shots ${index}`));
}

const largestClassOf = (images: readonly FitImage[]): number =>
  Math.max(0, ...classesOf(images).map(([, own]) => own.length));

function classesOf(images: readonly FitImage[]): [number, FitImage[]][] {
  const byClass = new Map<number, FitImage[]>();
  for (const image of images)
    byClass.set(image.classIndex!, [...(byClass.get(image.classIndex!) ?? []), image]);
  return [...byClass];
}
