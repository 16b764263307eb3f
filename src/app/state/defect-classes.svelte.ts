import type { ImageId } from '../../base/ids';
import { confusionMatrix } from '../../metrics/confusion';
import type { ClassifierDescription } from '../../protocol/classes-api';
import { ClassFitStore } from '../../store/class-fit-store';
import type { Database } from '../../store/database';
import type { ClassFitRecord, SetRecord } from '../../store/schema';
import { calledOf, reviewOf, topOf } from './class-review';
import { ClassTraining } from './class-training.svelte';
import { Classifiers } from './classifiers.svelte';
import type { ClassPlan } from './classifiers.svelte';
import { numberedName } from './fit-names';
import { Labels } from './labels.svelte';
import type { Session } from './session.svelte';

/** What of the session the defect classes lean on. */
type Rest = Pick<
  Session,
  'library' | 'notices' | 'jobs' | 'client' | 'inspections' | 'engine' | 'backbones' | 'settings'
>;

/** The defect classes of the open set: labels, and the classifiers that learn from them. */
export class DefectClasses {
  readonly labels: Labels;
  readonly fits: Classifiers;
  readonly training: ClassTraining;

  /** What can be counted of the open fit. */
  review = $derived.by(() => {
    const { fit, results } = this.fits;
    return fit?.summary && reviewOf(fit, this.session.library.entries, results);
  });
  /** [C][C + 1], rows actual, the last column unknown. */
  matrix = $derived.by(() => {
    const { fit, threshold } = this.fits;
    const items = this.review?.items ?? [];
    return confusionMatrix(
      items.map(({ actual }) => actual),
      items.map((item) => calledOf(item, threshold)),
      fit?.spec.classes.length ?? 0,
      true,
    );
  });

  constructor(
    database: Database,
    private readonly session: Rest,
  ) {
    const { library, notices, jobs, client, inspections } = session;
    const store = new ClassFitStore(database);
    this.fits = new Classifiers(store, client, jobs, notices, (imageId) => inspections.results.get(imageId));
    this.labels = new Labels(library, notices, async (from, to) => {
      await this.training.renamed(from, to);
      await this.fits.rename(from, to);
    });
    this.training = new ClassTraining(session, this.labels);
  }

  get methods(): readonly ClassifierDescription[] {
    return this.session.engine?.classifiers ?? [];
  }

  titleOf(method: string): string {
    return this.methods.find(({ id }) => id === method)?.title ?? method;
  }

  nameOf(fit: ClassFitRecord): string {
    return numberedName(fit, this.fits.list, ({ spec }) => this.titleOf(spec.method));
  }

  /** The class that the open fit gives an image; undefined where it is unknown or wasn't told. */
  told(imageId: ImageId): string | undefined {
    const { fit, results, threshold } = this.fits;
    const probabilities = results.get(imageId)?.probabilities;
    if (!fit || !probabilities) return undefined;
    const { index, probability } = topOf(probabilities);
    return probability >= threshold ? fit.spec.classes[index] : undefined;
  }

  /** What the open fit's figures say of a class: right ones of how many. */
  recallOf(name: string): { readonly right: number; readonly of: number } | undefined {
    const c = this.fits.fit?.spec.classes.indexOf(name) ?? -1;
    const row = this.matrix.at(c);
    return c < 0 || !row ? undefined : { right: row[c], of: row.reduce((sum, count) => sum + count, 0) };
  }

  async open(set: SetRecord | undefined): Promise<void> {
    this.labels.opened();
    await this.training.open(set);
    await this.fits.openSet(set);
    const { settings } = this.session;
    const last = set && (await settings.get<string>(`classFit.${set.id}`));
    const fit = this.fits.list.find(({ id, summary }) => summary && id === last);
    if (fit) await this.fits.open(fit);
    this.fits.threshold = (set && (await settings.get<number>(`classThreshold.${set.id}`))) ?? 0;
  }

  /** Shows another fit's results. */
  async openFit(fit: ClassFitRecord): Promise<void> {
    await this.fits.open(fit);
    await this.session.settings.put(`classFit.${fit.setId}`, fit.id);
  }

  setThreshold(value: number): void {
    this.fits.threshold = value;
    void this.session.settings.put(`classThreshold.${this.session.library.set?.id}`, value);
  }

  /** Deletes the fits of the open set. */
  async forget(): Promise<void> {
    for (const fit of this.fits.list) await this.fits.remove(fit);
  }

  /** Trains, then tells every image of the set. Failures become notices. */
  train(plan: ClassPlan): Promise<void> {
    return this.#then(() => this.fits.start(plan, this.titleOf(plan.method), this.session.library.entries));
  }

  resume(fit: ClassFitRecord): Promise<void> {
    return this.#then(() =>
      this.fits.resume(fit, this.titleOf(fit.spec.method), this.session.library.entries),
    );
  }

  /** Tells every image of the set with the open fit. Failures become notices. */
  async classify(): Promise<void> {
    try {
      await this.fits.classify(this.session.library.entries);
    } catch (error) {
      this.session.notices.fail(error);
    }
  }

  async #then(run: () => Promise<ClassFitRecord | undefined>): Promise<void> {
    this.session.jobs.endBackground();
    try {
      const fit = await run();
      if (!fit) return;
      await this.session.settings.put(`classFit.${fit.setId}`, fit.id);
      await this.classify();
    } catch (error) {
      this.session.notices.fail(error);
    }
  }
}
