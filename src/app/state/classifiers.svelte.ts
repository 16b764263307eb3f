import { SvelteMap } from 'svelte/reactivity';
import { AppError, toAppError } from '../../base/errors';
import type { BackboneId, FitId, ImageId, JobId } from '../../base/ids';
import type {
  ClassFitRequest,
  ClassFitSpec,
  ClassifierDescription,
  Classification,
} from '../../protocol/classes-api';
import type { Activation, Crop, ImageSource, InspectionFailure, Options } from '../../protocol/engine-api';
import { fromWire } from '../../protocol/outcome';
import { cropAroundMask, cropAroundPeak } from '../../review/crop';
import type { ClassFitStore } from '../../store/class-fit-store';
import type { ClassFitRecord, ClassResultRecord, ResultRecord, SetRecord } from '../../store/schema';
import { plural } from '../actions/format';
import type { EngineClient } from '../engine-client';
import { reviewOf } from './class-review';
import type { Review } from './class-review';
import { sourceOf, whiteOf } from './fits.svelte';
import type { Jobs } from './jobs.svelte';
import type { Entry } from './library.svelte';
import type { Notice, Notices } from './notices.svelte';
import { failureOf, reasonOf } from './reason';

/** What a new fit of a classifier is asked to be. */
export interface ClassPlan {
  readonly method: string;
  readonly options: Options;
  readonly backboneId: BackboneId;
  readonly side: number;
  readonly seed: number;
  readonly view: ClassFitSpec['view'];
  /** Names; images of other classes are not taught. */
  readonly classes: readonly string[];
  readonly activation?: Activation;
}

/** Masks are brought to this side to find their middle. */
const MASK_SIDE = 64;

type Client = Pick<EngineClient, 'fitClasses' | 'classify' | 'engine' | 'pixels'>;

/** Classifiers of the open set: fits, what the open one says, and how much of it a review can count. */
export class Classifiers {
  list = $state.raw<readonly ClassFitRecord[]>([]);
  fit = $state.raw<ClassFitRecord | undefined>(undefined);
  readonly results = new SvelteMap<ImageId, ClassResultRecord>();
  readonly failures = new SvelteMap<ImageId, string>();
  /** Images less sure than this are unknown. */
  threshold = $state(0);
  #set: SetRecord | undefined;

  /** @param mapOf what a detector found in an image: where the crop is taken */
  constructor(
    private readonly store: ClassFitStore,
    private readonly client: Client,
    private readonly jobs: Jobs,
    private readonly notices: Notices,
    private readonly mapOf: (imageId: ImageId) => Pick<ResultRecord, 'map' | 'side'> | undefined,
  ) {}

  /** Shows a set's fits, the newest finished one open. */
  async openSet(set: SetRecord | undefined): Promise<void> {
    this.#set = set;
    this.list = set ? await this.store.fits(set.id) : [];
    await this.open(this.list.findLast(({ summary }) => summary));
  }

  async open(fit: ClassFitRecord | undefined): Promise<void> {
    const records = fit ? await this.store.results(fit.id) : [];
    this.fit = fit;
    this.results.clear();
    this.failures.clear();
    for (const record of records) this.results.set(record.imageId, record);
  }

  /** What can be counted of a fit, the open one or another of the set. */
  async review(fit: ClassFitRecord, entries: readonly Entry[]): Promise<Review> {
    if (fit.id === this.fit?.id) return reviewOf(fit, entries, this.results);
    const records = await this.store.results(fit.id);
    return reviewOf(fit, entries, new Map(records.map((record) => [record.imageId, record])));
  }

  /**
   * Teaches a classifier and asks it about every image of the set.
   * @returns the fit, undefined when it was cancelled
   * @throws fit/…
   */
  async start(
    plan: ClassPlan,
    title: string,
    entries: readonly Entry[],
  ): Promise<ClassFitRecord | undefined> {
    const set = this.#set;
    if (!set) return undefined;
    const labelled = entries.filter(
      ({ className }) => className !== undefined && plan.classes.includes(className),
    );
    const crops = plan.view === 'crop' ? await this.#crops(labelled) : new Map<ImageId, Crop>();
    const whole = plan.view === 'crop' ? labelled.length - crops.size : 0;
    if (whole)
      this.notices.say(
        `${plural(whole, 'image')} without a mask and without a region: the whole frame was taught.`,
        {
          hint: 'Inspect the images with a detector first, or add masks.',
        },
      );
    const id = crypto.randomUUID() as FitId;
    const fit: ClassFitRecord = {
      id,
      setId: set.id,
      createdAt: Date.now(),
      taught: labelled.map(({ imageId, className }) => {
        const crop = crops.get(imageId);
        return { imageId, classIndex: plan.classes.indexOf(className!), ...(crop && { crop }) };
      }),
      spec: { ...plan, fitId: id, white: whiteOf(labelled) },
    };
    return this.#begin(fit, title, entries);
  }

  /** Takes up a fit that a closed tab or a crash left unfinished. @throws store/missing, fit/… */
  async resume(
    fit: ClassFitRecord,
    title: string,
    entries: readonly Entry[],
  ): Promise<ClassFitRecord | undefined> {
    const there = new Set(entries.map(({ imageId }) => imageId));
    const missing = fit.taught.filter(({ imageId }) => !there.has(imageId)).length;
    if (missing)
      throw new AppError(
        'store/missing',
        `${missing} of the ${fit.taught.length} images of this fit are no longer in the set`,
        { hint: 'Train again on the images that are there.' },
      );
    return this.#run(fit, title, entries);
  }

  /** Deletes a fit; what it said goes with it. */
  async remove(fit: ClassFitRecord): Promise<void> {
    this.list = this.list.filter(({ id }) => id !== fit.id);
    await this.store.deleteFit(fit.id);
    await this.client.engine(async (engine) => {
      await engine.forget(fit.id);
      return { ok: true, value: undefined };
    });
    if (this.fit?.id === fit.id) await this.open(this.list.findLast(({ summary }) => summary));
  }

  /** A fit as one ONNX model from grey pixels to probabilities. @throws store/missing, model/… */
  export({ spec }: ClassFitRecord): Promise<Uint8Array<ArrayBuffer>> {
    return this.client.engine((engine) => engine.exportClassifier(spec));
  }

  /** Every fit calls a class by its new name. One of that name before was deleted from the set, and is marked so. */
  async rename(from: string, to: string): Promise<void> {
    const deleted = (name: string) => `${name} (deleted)`;
    const names = new Map([
      [from, to],
      [to, deleted(to)],
      [deleted(from), from],
    ]);
    const renamed = (fit: ClassFitRecord): ClassFitRecord => ({
      ...fit,
      spec: { ...fit.spec, classes: fit.spec.classes.map((name) => names.get(name) ?? name) },
    });
    const concerned = this.list.filter(({ spec }) => spec.classes.some((name) => names.has(name)));
    for (const fit of concerned) await this.store.putFit(renamed(fit));
    this.list = this.list.map(renamed);
    if (this.fit) this.fit = renamed(this.fit);
  }

  /**
   * Tells the classes of images with the open fit; results are shown and stored as they come. Where a region is known
   * both the crop around it and the whole frame are told.
   */
  async classify(entries: readonly Entry[]): Promise<void> {
    const { fit } = this;
    if (!fit?.summary || !entries.length) return;
    const crops = await this.#crops(entries);
    const cropsFirst = fit.spec.view === 'crop';
    const both = entries.filter(({ imageId }) => crops.has(imageId));
    const total = entries.length + both.length;
    const start = performance.now();
    let done = 0;
    const names = new Map(entries.map(({ imageId, name }) => [imageId, name]));
    const unread = new Map<ImageId, Notice['details'][number]>();
    await this.jobs.run('Telling classes', async (job) => {
      const ask = (
        some: readonly Entry[],
        near: boolean,
        take: (told: Classification, crop?: Crop) => void,
      ) => {
        const images = some.map((entry): ImageSource => {
          const crop = near ? crops.get(entry.imageId) : undefined;
          return { ...sourceOf(entry), ...(crop && { crop }) };
        });
        return this.client.classify(
          { jobId: crypto.randomUUID() as JobId, spec: fit.spec, images },
          (result) => {
            job.count('images', ++done, total, start);
            if ('error' in result) {
              const name = names.get(result.imageId) ?? '';
              unread.set(result.imageId, { name, reason: reasonOf(fromWire(result.error), name) });
              this.#failed(fit, result);
            } else take(result, near ? crops.get(result.imageId) : undefined);
          },
          job.signal,
        );
      };
      const first = new Map<ImageId, ClassResultRecord>();
      job.count('images', 0, total, start);
      await ask(entries, cropsFirst, (told, crop) => {
        const record: ClassResultRecord = { fitId: fit.id, ...told, ...(crop && { crop }) };
        first.set(told.imageId, record);
        this.#keep(record);
      });
      await ask(both, !cropsFirst, ({ imageId, probabilities }, crop) => {
        const record = first.get(imageId);
        if (record) this.#keep({ ...record, other: probabilities, ...(crop && { crop }) });
      });
    });
    if (unread.size)
      this.notices.say(`${plural(unread.size, 'image')} can’t be read: no class is told.`, {
        details: [...unread.values()],
      });
  }

  /** The part of each image around its region: its mask's, or where a detector finds it strangest. */
  async #crops(entries: readonly Entry[]): Promise<Map<ImageId, Crop>> {
    const found = new Map<ImageId, Crop>();
    for (const { imageId, name, mask } of entries) {
      const inside = mask && (await this.client.pixels((pixels) => pixels.mask(mask, name, MASK_SIDE)));
      const result = inside ? undefined : this.mapOf(imageId);
      const crop = inside
        ? cropAroundMask(inside, MASK_SIDE)
        : result && cropAroundPeak(result.map, result.side);
      if (crop) found.set(imageId, crop);
    }
    return found;
  }

  async #begin(
    fit: ClassFitRecord,
    title: string,
    entries: readonly Entry[],
  ): Promise<ClassFitRecord | undefined> {
    await this.store.putFit(fit);
    this.list = [...this.list, fit];
    return this.#run(fit, title, entries);
  }

  async #run(
    fit: ClassFitRecord,
    title: string,
    entries: readonly Entry[],
  ): Promise<ClassFitRecord | undefined> {
    const byId = new Map(entries.map((entry) => [entry.imageId, entry]));
    const images: ClassFitRequest['images'] = fit.taught.map(({ imageId, classIndex, crop }) => ({
      image: { ...sourceOf(byId.get(imageId)!), ...(crop && { crop }) },
      classIndex,
    }));
    try {
      const summary = await this.jobs.runFit(`Training ${title}`, (job) =>
        this.client.fitClasses(
          { jobId: crypto.randomUUID() as JobId, spec: fit.spec, images },
          (progress) => job.tick(progress),
          job.signal,
        ),
      );
      if (!summary) {
        await this.remove(fit);
        return undefined;
      }
      const now = this.list.find(({ id }) => id === fit.id);
      // Deleted while it ran.
      if (!now) return undefined;
      const done: ClassFitRecord = { ...now, summary };
      await this.store.putFit(done);
      this.list = this.list.map((other) => (other.id === fit.id ? done : other));
      await this.open(done);
      if (summary.resumedImages)
        this.notices.say(
          `${title} went on from its checkpoint: ${plural(summary.resumedImages, 'image')} done already.`,
        );
      return done;
    } catch (error) {
      await this.remove(fit);
      return this.#runWithoutUnread(error, fit, title, entries);
    }
  }

  /**
   * Begins a fit anew without the images that can't be read: what is kept of an unfinished one is by their places.
   * @throws the failure of the fit where it was not an image's
   */
  async #runWithoutUnread(
    failure: unknown,
    fit: ClassFitRecord,
    title: string,
    entries: readonly Entry[],
  ): Promise<ClassFitRecord | undefined> {
    if (!toAppError(failure).code.startsWith('image/')) throw failure;
    const taught = new Set(fit.taught.map(({ imageId }) => imageId));
    const unread = await this.#unread(entries.filter(({ imageId }) => taught.has(imageId)));
    if (!unread?.size) throw failure;
    this.notices.say(`${title} is taught without ${plural(unread.size, 'image')} that can’t be read.`, {
      details: [...unread.values()],
    });
    const id = crypto.randomUUID() as FitId;
    const rest = fit.taught.filter(({ imageId }) => !unread.has(imageId));
    const spec = { ...fit.spec, fitId: id };
    return this.#begin({ ...fit, id, taught: rest, unread: [...unread.keys()], spec }, title, entries);
  }

  /** Why images can't be read; undefined when looking was cancelled. */
  #unread(entries: readonly Entry[]): Promise<Map<ImageId, Notice['details'][number]> | undefined> {
    const found = new Map<ImageId, Notice['details'][number]>();
    const start = performance.now();
    return this.jobs.run('Looking for images that can’t be read', async (job) => {
      for (const [i, { imageId, name, image }] of entries.entries()) {
        if (job.signal.aborted) throw new AppError('cancelled', 'cancelled');
        job.count('images', i, entries.length, start);
        try {
          await this.client.pixels((pixels) => pixels.summarise(image.blob, name));
        } catch (error) {
          found.set(imageId, { name, reason: reasonOf(error, name) });
        }
      }
      return found;
    });
  }

  #failed(fit: ClassFitRecord, failure: InspectionFailure): void {
    if (this.fit?.id === fit.id) this.failures.set(failure.imageId, failureOf(failure));
  }

  #keep(record: ClassResultRecord): void {
    if (this.fit?.id === record.fitId) {
      this.results.set(record.imageId, record);
      this.failures.delete(record.imageId);
    }
    // Shown even when it can't be stored; the notice says that a reload would lose it.
    this.store.putResult(record).catch((error: unknown) => this.notices.fail(error));
  }
}

/** Why training can't start now; undefined when it can. */
export function classProblem(
  method: Pick<ClassifierDescription, 'title'>,
  classes: readonly string[],
  counts: readonly number[],
): string | undefined {
  const images = counts.reduce((sum, count) => sum + count, 0);
  if (!images) return `${method.title} learns from labelled images; there is none. Label some: keys 1 to 9.`;
  if (classes.length < 2) return `There is one class only, ${classes[0]}. Label images of a second class.`;
  if (classes.length > images)
    return `There are more classes than labelled images, ${classes.length} for ${images}. Label more images or leave classes out.`;
  const empty = classes.filter((_, c) => !counts[c]);
  if (empty.length) return `No image is labelled ${empty.join(', ')}. Label some or leave these classes out.`;
  return undefined;
}

/** What to know before training starts. */
export function classRemarks(classes: readonly string[], counts: readonly number[]): readonly string[] {
  const single = classes.filter((_, c) => counts[c] === 1);
  return single.length
    ? [`One image of ${single.join(', ')}: it is taught, and nothing is left to judge the class by.`]
    : [];
}
