import { SvelteMap } from 'svelte/reactivity';
import type { FitId, ImageId } from '../../base/ids';
import { calibrate, uncalibrate } from '../../metrics/threshold';
import { findRegions } from '../../review/regions';
import type { Region } from '../../review/regions';
import { verdict } from '../../review/verdict';
import type { Verdict } from '../../review/verdict';
import type { Inspection } from '../../protocol/engine-api';
import type { EvaluationItem, SetFigures } from '../../protocol/pixels-api';
import type { FitRecord, ResultRecord } from '../../store/schema';
import type { FitStore } from '../../store/fit-store';
import type { EngineClient } from '../engine-client';
import { sourceOf } from './fits.svelte';
import type { JobKind, Jobs } from './jobs.svelte';
import type { Entry } from './library.svelte';
import type { Notices } from './notices.svelte';
import { failureOf } from './reason';

/** What the open fit found, image by image, and the figures where labels are there. */
export class Inspections {
  readonly results = new SvelteMap<ImageId, ResultRecord>();
  /** Images that could not be inspected, and why. */
  readonly failures = new SvelteMap<ImageId, string>();
  fit = $state.raw<FitRecord | undefined>(undefined);
  /** On the calibrated scale, 0 … 1: for images and for map pixels. */
  threshold = $state(0.5);
  figures = $state.raw<SetFigures | undefined>(undefined);
  evaluating = $state(false);
  /** The images, with their roles and labels, that the figures are of. */
  #evaluated: readonly Entry[] | undefined;
  #turn = 0;

  constructor(
    private readonly store: FitStore,
    private readonly client: Pick<EngineClient, 'inspect' | 'pixels'>,
    private readonly jobs: Jobs,
    private readonly notices: Notices,
  ) {}

  /** Shows a fit's stored results, or none. */
  async open(fit: FitRecord | undefined): Promise<void> {
    const records = fit ? await this.store.results(fit.id) : [];
    this.fit = fit;
    this.results.clear();
    this.failures.clear();
    this.figures = undefined;
    for (const record of records) this.results.set(record.imageId, record);
  }

  /** Calibrated value of an image; undefined before inspection, and where good images were too few to calibrate. */
  value(imageId: ImageId): number | undefined {
    const result = this.results.get(imageId);
    const calibration = this.fit?.summary?.calibration.image;
    return result && calibration ? calibrate(calibration, result.score) : undefined;
  }

  verdict(imageId: ImageId): Verdict {
    return verdict(this.value(imageId), this.threshold);
  }

  /** Places of a map above the threshold, the strangest first; undefined where good images were too few to calibrate. */
  regions({ map, side }: ResultRecord): Region[] | undefined {
    const pixel = this.fit?.summary?.calibration.pixel;
    return pixel ? findRegions(map, side, side, uncalibrate(pixel, this.threshold)) : undefined;
  }

  /** Inspects images, the one that is looked at first; results are shown and stored as they come. */
  async inspect(
    entries: readonly Entry[],
    first: ImageId | undefined,
    what: string | JobKind = 'Inspecting',
  ): Promise<void> {
    const { fit } = this;
    if (!fit?.summary || !entries.length) return;
    const ordered = [...entries].sort((a, b) => Number(b.imageId === first) - Number(a.imageId === first));
    const start = performance.now();
    let done = 0;
    await this.jobs.run(what, (job) => {
      const tick = () => job.count('images', done, ordered.length, start);
      tick();
      return this.client.inspect(
        {
          jobId: crypto.randomUUID() as Parameters<EngineClient['inspect']>[0]['jobId'],
          spec: fit.spec,
          images: ordered.map(sourceOf),
        },
        (result) => {
          done++;
          tick();
          const shown = this.fit?.id === fit.id;
          if (!('error' in result)) this.#keep(fit.id, result, shown);
          else if (shown) this.failures.set(result.imageId, failureOf(result));
        },
        job.signal,
      );
    });
  }

  /** Figures of merit over labelled images, computed off the page's thread. */
  async evaluate(entries: readonly Entry[]): Promise<void> {
    const { fit } = this;
    const turn = ++this.#turn;
    this.#evaluated = entries;
    const items = fit ? evaluationItems(fit, entries, (id) => this.results.get(id)) : [];
    if (!fit || !items.some(({ defective }) => defective !== undefined)) {
      this.figures = undefined;
      this.evaluating = false;
      return;
    }
    this.evaluating = true;
    try {
      const { side } = fit.spec;
      const figures = await this.client.pixels((pixels) => pixels.evaluate({ side, items }));
      if (turn === this.#turn) this.figures = figures;
    } catch (error) {
      this.notices.fail(error);
    } finally {
      if (turn === this.#turn) this.evaluating = false;
    }
  }

  /** Computes the figures anew when images, roles or labels are others than those that they are of. */
  async follow(entries: readonly Entry[]): Promise<void> {
    if (entries !== this.#evaluated) await this.evaluate(entries);
  }

  #keep(fitId: FitId, result: Inspection, shown: boolean): void {
    const { imageId } = result;
    const record: ResultRecord = { fitId, ...result };
    if (shown) {
      this.results.set(imageId, record);
      this.failures.delete(imageId);
    }
    // Shown even when it can't be stored; the notice says that a reload would lose it.
    this.store.putResult(record).catch((error: unknown) => this.notices.fail(error));
  }
}

/** Images that a fit was given to learn from, used or not. */
export const fittedOn = ({
  goodIds,
  defectIds = [],
}: Pick<FitRecord, 'goodIds' | 'defectIds'>): ReadonlySet<ImageId> => new Set([...goodIds, ...defectIds]);

/** What figures are computed from: inspected images, less those that the fit was given. */
export function evaluationItems(
  fit: FitRecord,
  entries: readonly Entry[],
  resultOf: (imageId: ImageId) => ResultRecord | undefined,
): EvaluationItem[] {
  const given = fittedOn(fit);
  return entries.flatMap(({ imageId, name, className, mask }) => {
    const result = resultOf(imageId);
    const defective = className === undefined ? undefined : className !== 'good';
    if (!result || given.has(imageId)) return [];
    return [{ name, score: result.score, map: result.map, defective, mask }];
  });
}
