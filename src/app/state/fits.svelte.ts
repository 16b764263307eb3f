import { AppError } from '../../base/errors';
import type { BackboneId, FitId, ImageId, JobId } from '../../base/ids';
import type { MethodDescription, Options } from '../../protocol/engine-api';
import type { FitStore } from '../../store/fit-store';
import type { FitRecord, SetRecord } from '../../store/schema';
import type { EngineClient } from '../engine-client';
import type { Jobs } from './jobs.svelte';
import type { Entry } from './library.svelte';
import type { Notices } from './notices.svelte';

/** What a new fit is asked to be. */
export interface FitPlan {
  readonly method: string;
  readonly options: Options;
  readonly backboneId: BackboneId;
  readonly side: number;
  readonly seed: number;
}

/** Fits of the open set. */
export class Fits {
  list = $state.raw<readonly FitRecord[]>([]);

  constructor(
    private readonly store: FitStore,
    private readonly client: EngineClient,
    private readonly jobs: Jobs,
    private readonly notices: Notices,
  ) {}

  async open(set: SetRecord | undefined): Promise<void> {
    this.list = set ? await this.store.fits(set.id) : [];
  }

  /** Why this plan can't start now; undefined when it can. */
  problem(method: MethodDescription, good: number): string | undefined {
    const { leastGoodImages } = method.needs;
    if (good >= leastGoodImages) return undefined;
    const images = leastGoodImages === 1 ? 'image' : 'images';
    const there = good === 0 ? 'there is none' : good === 1 ? 'there is 1' : `there are ${good}`;
    return `${method.title} needs at least ${leastGoodImages} good ${images}; ${there}.`;
  }

  /** Fits on the good images. @returns the fit, undefined when it was cancelled @throws fit/… */
  async start(
    plan: FitPlan,
    title: string,
    set: SetRecord,
    good: readonly Entry[],
    defects: readonly Entry[],
  ): Promise<FitRecord | undefined> {
    const record: FitRecord = {
      id: crypto.randomUUID() as FitId,
      setId: set.id,
      createdAt: Date.now(),
      goodIds: good.map(({ imageId }) => imageId),
      ...(defects.length && { defectIds: defects.map(({ imageId }) => imageId) }),
      spec: { ...plan, fitId: '' as FitId, white: whiteOf(good) },
    };
    const fit = { ...record, spec: { ...record.spec, fitId: record.id } };
    await this.store.putFit(fit);
    this.list = [...this.list, fit];
    return this.#run(fit, title, good, defects);
  }

  /** Takes up a fit that a closed tab or a crash left unfinished. @throws store/missing, fit/… */
  async resume(fit: FitRecord, title: string, entries: readonly Entry[]): Promise<FitRecord | undefined> {
    const byId = new Map(entries.map((entry) => [entry.imageId, entry]));
    const there = (ids: readonly ImageId[]) => ids.flatMap((id) => byId.get(id) ?? []);
    const ids = [...fit.goodIds, ...(fit.defectIds ?? [])];
    const missing = ids.length - there(ids).length;
    if (missing)
      throw new AppError(
        'store/missing',
        `${missing} of the ${ids.length} images of this fit are no longer in the set`,
        { hint: 'Start a new fit on the images that are there.' },
      );
    return this.#run(fit, title, there(fit.goodIds), there(fit.defectIds ?? []));
  }

  /** Deletes a fit; what it found goes with it. */
  async remove(fit: FitRecord): Promise<void> {
    this.list = this.list.filter(({ id }) => id !== fit.id);
    await this.store.deleteFit(fit.id);
    await this.client.engine(async (engine) => {
      await engine.forget(fit.id);
      return { ok: true, value: undefined };
    });
  }

  async #run(
    fit: FitRecord,
    title: string,
    good: readonly Entry[],
    defects: readonly Entry[],
  ): Promise<FitRecord | undefined> {
    try {
      const summary = await this.jobs.runFit(`Fitting ${title}`, (job) =>
        this.client.fit(
          {
            jobId: crypto.randomUUID() as JobId,
            spec: fit.spec,
            good: good.map(({ imageId, name, image }) => ({ id: imageId, name, blob: image.blob })),
            defects: defects.flatMap(({ imageId, name, image, mask }) =>
              mask ? [{ image: { id: imageId, name, blob: image.blob }, mask }] : [],
            ),
          },
          (progress) => job.tick(progress),
          job.signal,
        ),
      );
      if (!summary) {
        await this.remove(fit);
        return undefined;
      }
      const done = { ...fit, summary };
      await this.store.putFit(done);
      this.list = this.list.map((other) => (other.id === fit.id ? done : other));
      if (summary.resumedImages)
        this.notices.say(
          `${title} went on from its checkpoint: ${summary.resumedImages} images were done already.`,
        );
      return done;
    } catch (error) {
      await this.remove(fit);
      throw error;
    }
  }
}

/** 255 for 8-bit images; otherwise the full scale of the brightest good image: 2ᵏ−1, k ≥ 8. */
export function whiteOf(good: readonly Pick<Entry, 'image'>[]): number {
  const brightest = good.reduce(
    (most, { image }) => (image.bits === 16 ? Math.max(most, image.maxValue) : most),
    0,
  );
  let white = 255;
  while (white < brightest) white = 2 * white + 1;
  return white;
}
