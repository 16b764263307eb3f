import type { BackboneId, ImageId } from '../../base/ids';
import { toAppError } from '../../base/errors';
import type { PathEntry } from '../../exchange/layout';
import type { EngineReport, MethodDescription, Options, SupportSpec } from '../../protocol/engine-api';
import { BackboneStore } from '../../store/backbone-store';
import type { Database } from '../../store/database';
import { FitStore } from '../../store/fit-store';
import { LibraryStore } from '../../store/library-store';
import type { FitRecord, SetRecord, SupportSetId } from '../../store/schema';
import { SettingsStore } from '../../store/settings-store';
import { SupportStore } from '../../store/support-store';
import { EngineClient } from '../engine-client';
import { Asking } from './asking.svelte';
import { BUILT_IN, BUILT_IN_ENCODER, Backbones, NO_ENCODER_YET } from './backbones.svelte';
import { Comparison } from './comparison.svelte';
import { Costs } from './costs.svelte';
import { DefectClasses } from './defect-classes.svelte';
import { FIRST_LOOK, byTextAlone, firstLookPlan } from './first-look';
import { numberedName, taughtName } from './fit-names';
import type { FitPlan } from './fits.svelte';
import { Fits, whiteOf } from './fits.svelte';
import { Inspections } from './inspections.svelte';
import { Jobs } from './jobs.svelte';
import type { JobKind } from './jobs.svelte';
import { Library } from './library.svelte';
import type { Entry } from './library.svelte';
import { LibraryFilter } from './library-filter.svelte';
import { MethodChoice } from './method-choice.svelte';
import { Notices } from './notices.svelte';
import { Shots } from './shots.svelte';
import { supportPlan } from './support-plan';
import type { TaughtMethod } from './support-plan';
import { specOf, teachProblem } from './support-rules';
import { SupportSets } from './support.svelte';

const SAMPLE_SEED = 1;
const SAMPLE_NAME = 'sample';

/** The app's state as a whole: what is open, and the ways of the work from images to results. */
export class Session {
  readonly notices = new Notices();
  readonly jobs = new Jobs();
  readonly client: EngineClient;
  readonly library: Library;
  readonly filter: LibraryFilter;
  readonly backbones: Backbones;
  readonly asking: Asking;
  readonly support: SupportSets;
  readonly fits: Fits;
  readonly inspections: Inspections;
  readonly comparison: Comparison;
  readonly costs: Costs;
  readonly shots: Shots;
  readonly classes: DefectClasses;
  readonly settings: SettingsStore;
  /** What is ticked and set under Detectors and under Teach, wherever one looks meanwhile. */
  readonly choices = { detectors: new MethodChoice('patchcore'), fewShot: new MethodChoice('semclip') };
  engine = $state.raw<EngineReport | undefined>(undefined);
  /** Why the engine could not be started. */
  engineFailure = $state.raw<{ message: string; hint: string } | undefined>(undefined);
  selected = $state.raw<ImageId | undefined>(undefined);
  /** Images to inspect that the open fit has not seen. */
  unseen = $derived.by(() =>
    this.library.toInspect.filter(({ imageId }) => !this.inspections.results.has(imageId)),
  );
  busyOpening = $state(false);
  /** Resolves when it is known which weights there are. */
  #weightsKnown: Promise<void> = Promise.resolve();
  #looking: Promise<void> = Promise.resolve();

  get selectedEntry(): Entry | undefined {
    return this.library.entries.find(({ imageId }) => imageId === this.selected);
  }

  constructor(database: Database, provider: 'auto' | 'webgpu' | 'wasm') {
    this.client = new EngineClient(provider, (report, restarts) => {
      this.engine = report;
      if (restarts) this.notices.say('The engine was started again after it ended; the work goes on.');
    });
    this.settings = new SettingsStore(database);
    this.library = new Library(new LibraryStore(database), this.client, this.notices);
    const fitStore = new FitStore(database);
    this.backbones = new Backbones(
      new BackboneStore(database),
      this.settings,
      this.client,
      this.jobs,
      this.notices,
    );
    this.asking = new Asking(this.backbones, this.client, this.jobs);
    this.support = new SupportSets(new SupportStore(database), this.settings, this.client, this.notices);
    this.fits = new Fits(fitStore, this.client, this.jobs, this.notices);
    this.inspections = new Inspections(fitStore, this.client, this.jobs, this.notices);
    this.filter = new LibraryFilter(this.library, this.inspections);
    this.comparison = new Comparison(fitStore, this.client);
    this.costs = new Costs(this.client);
    this.shots = new Shots(fitStore, this.settings, this.client, this.jobs, (method) => this.titleOf(method));
    this.classes = new DefectClasses(database, this);
  }

  /** Opens what was open before the reload. */
  async restore(): Promise<void> {
    this.#weightsKnown = this.client.ready().then(() => this.backbones.load());
    this.#weightsKnown.catch((error: unknown) => (this.engineFailure = toAppError(error)));
    await this.support.restore();
    await this.library.restore(await this.settings.get<string>('set'));
    await this.#openedSet();
    this.asking.choose(await this.settings.get<BackboneId>('encoder'));
    const threshold = await this.settings.get<number>('threshold');
    if (threshold !== undefined) this.inspections.threshold = threshold;
  }

  async openSet(set: SetRecord): Promise<void> {
    await this.library.open(set);
    await this.#openedSet();
  }

  async deleteSet(): Promise<void> {
    for (const fit of this.fits.list) await this.fits.remove(fit);
    await this.classes.forget();
    const gone = await this.library.deleteSet();
    if (gone) this.notices.say(`The set ${gone.name} was deleted.`);
    await this.#openedSet();
  }

  /** Adds files to the open set, or to the support set's class; weights among them become backbones and encoders. */
  async add(files: readonly PathEntry<File>[], to: 'set' | 'support' = 'set'): Promise<void> {
    const weights = files.filter(({ path }) => path.endsWith('.safetensors'));
    for (const { file } of weights)
      try {
        const added = await this.backbones.add(file);
        if (added?.clip) this.chooseEncoder(added.id);
      } catch (error) {
        this.notices.fail(error, file.name);
      }
    const images = files.filter((entry) => !weights.includes(entry));
    if (weights.length && !images.length) return;
    if (to === 'support') return this.support.addFiles(images);
    const before = this.library.set?.id;
    await this.library.add(images);
    if (this.library.set?.id !== before) await this.#openedSet();
    this.selected ??= this.library.entries[0]?.imageId;
    await this.settings.put('set', this.library.set?.id);
    // One after the other: the second finds the fit of the first.
    this.#looking = this.#looking.then(() => this.#firstLook());
  }

  /** The way of the first minute: sample in, PatchCore fitted on its good images, heatmaps shown. */
  async openSample(): Promise<void> {
    this.busyOpening = true;
    try {
      const known = this.library.sets.find(({ name }) => name === SAMPLE_NAME);
      if (known) await this.openSet(known);
      else {
        const files = await this.client.pixels((pixels) => pixels.sample(SAMPLE_SEED));
        await this.library.add(files.map(({ path, blob }) => ({ path, file: blob })));
        await this.#openedSet();
      }
      this.selected = this.library.entries.find(({ className }) => className !== 'good')?.imageId;
      if (!this.fits.list.length)
        await this.fit({ method: 'patchcore', options: {}, backboneId: BUILT_IN, side: 224, seed: 0 });
    } finally {
      this.busyOpening = false;
    }
  }

  /** Fits, then inspects everything that is to be inspected. Failures become notices. */
  async fit(plan: FitPlan): Promise<void> {
    const { set, good } = this.library;
    const title = this.titleOf(plan.method);
    if (!set) return;
    const defects = this.defectsFor(plan.method, plan.options);
    await this.#showFit(() => this.fits.start(plan, title, set, { good, defects }, whiteOf(good)));
  }

  /**
   * Why the open support set can't teach some methods now, in the order of what is to be done; undefined when it can.
   */
  supportProblem(methods: readonly MethodDescription[]): string | undefined {
    const { encoder } = this.asking;
    const { open, problem } = this.support;
    if (problem || !open) return problem;
    if (!this.library.set)
      return 'There is nothing to inspect yet. Drop images under Images, or open the sample.';
    const lacking = methods.flatMap((method) => teachProblem(method, open) ?? []);
    if (lacking.length) return lacking.join(' ');
    if (!methods.some(({ standsOn }) => standsOn === 'clip')) return undefined;
    if (!encoder) return NO_ENCODER_YET;
    return encoder.activation ? undefined : `Choose the activation of ${encoder.description.title} first.`;
  }

  /**
   * Fits methods on the open support set, one after the other, and inspects with each. Failures become notices, and
   * one that fails doesn't stop the rest.
   */
  async fitSupport(taught: readonly TaughtMethod[], seed: number): Promise<void> {
    const { set } = this.library;
    try {
      const teaching = await this.#teaching(taught, seed);
      if (!set || !teaching) return;
      const { plans, images, white } = teaching;
      const fitOne = (plan: FitPlan) => () =>
        this.fits.start(plan, this.titleOf(plan.method), set, images, white);
      await Promise.all(plans.map((plan) => this.#showFit(fitOne(plan))));
    } catch (error) {
      this.notices.fail(error);
    }
  }

  /** Measures methods on the open set by how many images of the support set teach them. Failures become notices. */
  async measureShots(taught: readonly TaughtMethod[], seed: number): Promise<void> {
    this.jobs.endBackground();
    try {
      const { set } = this.library;
      const teaching = await this.#teaching(taught, seed);
      if (!set || !teaching) return;
      const { plans, images, white } = teaching;
      const { all, others, supportSetId } = images;
      const support = { supportSetId, images: all, others, white };
      await this.shots.measure(plans, support, set.id, this.library.toInspect);
    } catch (error) {
      this.notices.fail(error);
    }
  }

  /** Fits one after the other; one that fails doesn't stop the rest. */
  async fitAll(plans: readonly FitPlan[]): Promise<void> {
    await Promise.all(plans.map((plan) => this.fit(plan)));
  }

  /** Puts the finished fits of the set beside each other. */
  async compare(): Promise<void> {
    const finished = this.fits.list.filter(({ summary }) => summary);
    await this.comparison.open(finished, this.library.toInspect);
  }

  /** Inspects with every finished fit what it has not seen yet. */
  async inspectAll(): Promise<void> {
    const open = this.inspections.fit;
    for (const { fit, results } of this.comparison.columns) {
      const unseen = this.library.toInspect.filter(({ imageId }) => !results.has(imageId));
      if (!unseen.length) continue;
      await this.openFit(fit);
      await this.inspect(unseen);
    }
    await this.openFit(open);
    await this.compare();
  }

  /** Defective images with masks that a method takes when its options say so. */
  defectsFor(methodId: string, options: Options): readonly Entry[] {
    const needs = this.engine?.methods.find(({ id }) => id === methodId)?.needs;
    if (!needs || needs.defects === 'none') return [];
    if (needs.defectsWhen && options[needs.defectsWhen[0]] !== needs.defectsWhen[1]) return [];
    return this.library.entries.filter(({ mask, className }) => mask && className !== 'good');
  }

  async resume(fit: FitRecord): Promise<void> {
    const title = this.titleOf(fit.spec.method);
    const { supportSetId, spec } = fit;
    await this.#showFit(async () => {
      if (!supportSetId || !spec.support) return this.fits.resume(fit, title, this.library.entries);
      const { all, others } = await this.#supportImages(supportSetId, spec.support);
      return this.fits.resume(fit, title, all, others);
    });
  }

  /** Shows another fit's results. */
  async openFit(fit: FitRecord | undefined): Promise<void> {
    await this.inspections.open(fit);
    await this.settings.put(`fit.${this.library.set?.id}`, fit?.id);
    await this.inspections.evaluate(this.library.toInspect);
  }

  async removeFit(fit: FitRecord): Promise<void> {
    await this.fits.remove(fit);
    if (this.inspections.fit?.id === fit.id)
      await this.openFit(this.fits.list.findLast(({ summary }) => summary));
  }

  /** Inspects images that the open fit has not seen yet, or all again. */
  async inspect(entries: readonly Entry[], what?: JobKind): Promise<void> {
    try {
      await this.inspections.inspect(entries, this.selected, what);
      await this.inspections.evaluate(this.library.toInspect);
    } catch (error) {
      this.notices.fail(error);
    }
  }

  chooseEncoder(id: BackboneId): void {
    this.asking.choose(id);
    void this.settings.put('encoder', id);
  }

  /** Puts the question to every image of the set. Failures become notices. */
  async ask(): Promise<void> {
    try {
      await this.asking.ask(this.library.entries);
    } catch (error) {
      this.notices.fail(error);
    }
  }

  setThreshold(value: number): void {
    this.inspections.threshold = value;
    void this.settings.put('threshold', value);
  }

  titleOf(method: string): string {
    return this.engine?.methods.find(({ id }) => id === method)?.title ?? method;
  }

  /** What a fit is called: its method, what taught it, its number where others are called the same. */
  nameOf(fit: FitRecord): string {
    const name = (own: FitRecord) => taughtName(own, this.titleOf(own.spec.method), this.support.list);
    return numberedName(fit, this.fits.list, name);
  }

  /** Fits by which the open support set teaches methods, and its images; undefined when it can't. */
  async #teaching(taught: readonly TaughtMethod[], seed: number) {
    const { open } = this.support;
    if (!open || this.supportProblem(taught.map(({ method }) => method))) return undefined;
    const support = specOf(open);
    const images = await this.#supportImages(open.id, support);
    return {
      plans: taught.flatMap((own) => supportPlan(own, this, support, seed) ?? []),
      images,
      white: whiteOf([...images.all, ...this.library.entries]),
    };
  }

  /** A support set's images, and the good ones of the open set that aren't among them. */
  async #supportImages(id: SupportSetId, { prompts, normal }: SupportSpec) {
    const all = await this.support.imagesOf(
      id,
      prompts.classes.map(({ name }) => name),
    );
    const taught = new Set(all.map(({ imageId }) => imageId));
    return {
      all,
      good: all.filter(({ classIndex }) => classIndex === normal),
      defects: all.filter(({ classIndex }) => classIndex !== normal),
      others: this.library.good.filter(({ imageId }) => !taught.has(imageId)),
      supportSetId: id,
    };
  }

  /** Shows what looks strange by text alone, as long as nothing was fitted. */
  async #firstLook(): Promise<void> {
    const { set } = this.library;
    if (!set || this.fits.list.some((fit) => !byTextAlone(fit))) return;
    try {
      await this.#weightsKnown;
      const encoder = this.backbones.all.find(({ id }) => id === BUILT_IN_ENCODER);
      const plan = firstLookPlan(this.engine?.methods ?? [], encoder);
      const { entries, good, toInspect } = this.library;
      if (!plan || !toInspect.length || set.id !== this.library.set?.id) return;
      const known = this.fits.list.find(({ summary }) => summary);
      const images = { good: [], defects: [], others: good };
      const fit =
        known ?? (await this.fits.start(plan, this.titleOf(plan.method), set, images, whiteOf(entries)));
      // Meanwhile another set may have been opened, or a fit begun.
      if (!fit || set.id !== this.library.set?.id || this.fits.list.some((own) => !byTextAlone(own))) return;
      if (this.inspections.fit?.id !== fit.id) await this.openFit(fit);
      const seen = this.inspections.results;
      await this.inspect(
        this.library.toInspect.filter(({ imageId }) => !seen.has(imageId)),
        FIRST_LOOK,
      );
    } catch (error) {
      this.notices.fail(error);
    }
  }

  async #showFit(run: () => Promise<FitRecord | undefined>): Promise<void> {
    this.jobs.endBackground();
    try {
      const fit = await run();
      if (!fit || fit.setId !== this.library.set?.id) return;
      await this.openFit(fit);
      await this.inspect(this.library.toInspect);
    } catch (error) {
      this.notices.fail(error);
    }
  }

  async #openedSet(): Promise<void> {
    const { set } = this.library;
    this.asking.clear();
    await this.settings.put('set', set?.id);
    await this.classes.open(set);
    await this.fits.open(set);
    const last = set && (await this.settings.get<string>(`fit.${set.id}`));
    const finished = this.fits.list.filter(({ summary }) => summary);
    await this.openFit(finished.find(({ id }) => id === last) ?? finished.at(-1));
    if (!this.library.entries.some(({ imageId }) => imageId === this.selected))
      this.selected = this.library.toInspect[0]?.imageId ?? this.library.entries[0]?.imageId;
  }
}
