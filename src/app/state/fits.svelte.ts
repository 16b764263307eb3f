import { AppError } from '../../base/errors';
import type { BackboneId, FitId, ImageId, JobId } from '../../base/ids';
import type {
  Activation,
  DefectSource,
  ImageSource,
  MethodDescription,
  Options,
  SupportSpec,
} from '../../protocol/engine-api';
import type { FitStore } from '../../store/fit-store';
import type { FitRecord, ImageRecord, SetRecord, SupportSetId } from '../../store/schema';
import type { EngineClient } from '../engine-client';
import type { Jobs } from './jobs.svelte';
import type { Notices } from './notices.svelte';

/** What a new fit is asked to be. */
export interface FitPlan {
  readonly method: string;
  readonly options: Options;
  readonly backboneId: BackboneId;
  readonly side: number;
  readonly seed: number;
  /** Of a CLIP. */
  readonly activation?: Activation;
  readonly support?: SupportSpec;
}

/** An image that is fitted on: of the open set, or of a support set. */
export interface FitImage {
  readonly imageId: ImageId;
  readonly name: string;
  readonly image: ImageRecord;
  readonly mask?: Blob;
  /** Among a support set's classes. */
  readonly classIndex?: number;
}

/** What a fit is fitted on. */
export interface FitImages {
  readonly good: readonly FitImage[];
  readonly defects: readonly FitImage[];
  /** Good images beside a support set's, for the threshold. */
  readonly others?: readonly FitImage[];
  readonly supportSetId?: SupportSetId;
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

  /**
   * @param white value that becomes 1 in 16-bit images
   * @returns the fit, undefined when it was cancelled
   * @throws fit/…
   */
  async start(
    plan: FitPlan,
    title: string,
    set: SetRecord,
    images: FitImages,
    white: number,
  ): Promise<FitRecord | undefined> {
    const { good, defects, supportSetId } = images;
    const id = crypto.randomUUID() as FitId;
    const fit: FitRecord = {
      id,
      setId: set.id,
      createdAt: Date.now(),
      goodIds: good.map(({ imageId }) => imageId),
      ...(defects.length && { defectIds: defects.map(({ imageId }) => imageId) }),
      ...(supportSetId !== undefined && { supportSetId }),
      spec: { ...plan, fitId: id, white },
    };
    await this.store.putFit(fit);
    this.list = [...this.list, fit];
    return this.#run(fit, title, images);
  }

  /**
   * Takes up a fit that a closed tab or a crash left unfinished.
   * @param from images it may have been begun on
   * @throws store/missing, fit/…
   */
  async resume(
    fit: FitRecord,
    title: string,
    from: readonly FitImage[],
    others: readonly FitImage[] = [],
  ): Promise<FitRecord | undefined> {
    const byId = new Map(from.map((image) => [image.imageId, image]));
    const there = (ids: readonly ImageId[]) => ids.flatMap((id) => byId.get(id) ?? []);
    const [good, defects] = [there(fit.goodIds), there(fit.defectIds ?? [])];
    const count = fit.goodIds.length + (fit.defectIds ?? []).length;
    const missing = count - good.length - defects.length;
    if (missing)
      throw new AppError(
        'store/missing',
        `${missing} of the ${count} images of this fit are no longer in the ${fit.supportSetId ? 'support set' : 'set'}`,
        { hint: 'Start a new fit on the images that are there.' },
      );
    return this.#run(fit, title, { good, defects, others });
  }

  /** Deletes a fit; what it found goes with it. */
  async remove(fit: FitRecord): Promise<void> {
    this.list = this.list.filter(({ id }) => id !== fit.id);
    await forgetFit(this.store, this.client, fit.id);
  }

  async #run(fit: FitRecord, title: string, images: FitImages): Promise<FitRecord | undefined> {
    const { good, defects, others = [] } = images;
    try {
      const summary = await this.jobs.runFit(`Fitting ${title}`, (job) =>
        this.client.fit(
          {
            jobId: crypto.randomUUID() as JobId,
            spec: fit.spec,
            good: good.map(sourceOf),
            defects: defects.map(defectOf),
            ...(others.length && { others: others.map(sourceOf) }),
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

/** Deletes what the store and the engine have of a fit. */
export async function forgetFit(
  store: Pick<FitStore, 'deleteFit'>,
  client: Pick<EngineClient, 'engine'>,
  id: FitId,
): Promise<void> {
  await store.deleteFit(id);
  await client.engine(async (engine) => {
    await engine.forget(id);
    return { ok: true, value: undefined };
  });
}

export const sourceOf = ({
  imageId,
  name,
  image,
}: Pick<FitImage, 'imageId' | 'name' | 'image'>): ImageSource => ({
  id: imageId,
  name,
  blob: image.blob,
});

export const defectOf = ({ mask, classIndex, ...image }: FitImage): DefectSource => ({
  image: sourceOf(image),
  ...(mask && { mask }),
  ...(classIndex !== undefined && { classIndex }),
});

/** 255 for 8-bit images; otherwise the full scale of the brightest one: 2ᵏ−1, k ≥ 8. */
export function whiteOf(images: readonly Pick<FitImage, 'image'>[]): number {
  const brightest = images.reduce(
    (most, { image }) => (image.bits === 16 ? Math.max(most, image.maxValue) : most),
    0,
  );
  let white = 255;
  while (white < brightest) white = 2 * white + 1;
  return white;
}
