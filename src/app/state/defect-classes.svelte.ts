import type { ClassifierDescription } from '../../protocol/classes-api';
import { ClassFitStore } from '../../store/class-fit-store';
import type { Database } from '../../store/database';
import type { ClassFitRecord, SetRecord } from '../../store/schema';
import { Classifiers } from './classifiers.svelte';
import type { ClassPlan } from './classifiers.svelte';
import { Labels } from './labels.svelte';
import type { Session } from './session.svelte';

/** What of the session the defect classes lean on. */
type Rest = Pick<Session, 'library' | 'notices' | 'jobs' | 'client' | 'inspections' | 'engine'>;

/** The defect classes of the open set: labels, and the classifiers that learn from them. */
export class DefectClasses {
  readonly labels: Labels;
  readonly fits: Classifiers;

  constructor(
    database: Database,
    private readonly session: Rest,
  ) {
    const { library, notices, jobs, client, inspections } = session;
    const store = new ClassFitStore(database);
    this.fits = new Classifiers(store, client, jobs, notices, (imageId) => inspections.results.get(imageId));
    this.labels = new Labels(library, notices, (from, to) => this.fits.rename(from, to));
  }

  get methods(): readonly ClassifierDescription[] {
    return this.session.engine?.classifiers ?? [];
  }

  titleOf(method: string): string {
    return this.methods.find(({ id }) => id === method)?.title ?? method;
  }

  async open(set: SetRecord | undefined): Promise<void> {
    this.labels.opened();
    await this.fits.openSet(set);
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

  async #then(fit: () => Promise<ClassFitRecord | undefined>): Promise<void> {
    this.session.jobs.endBackground();
    try {
      if (await fit()) await this.classify();
    } catch (error) {
      this.session.notices.fail(error);
    }
  }
}
