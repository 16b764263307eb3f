import type { FitId } from '../base/ids';
import { guarded } from './database';
import type { Database } from './database';
import { within } from './fit-store';
import type { ClassFitRecord, ClassResultRecord, SetId } from './schema';

/** Fits of classifiers and what they said. States and unfinished pieces lie beside those of detectors. */
export class ClassFitStore {
  constructor(private readonly database: Database) {}

  /** A set's fits, oldest first. */
  async fits(setId: SetId): Promise<ClassFitRecord[]> {
    const found = await guarded(() => this.database.getAllFromIndex('classFits', 'bySet', setId));
    return found.sort((a, b) => a.createdAt - b.createdAt);
  }

  putFit(fit: ClassFitRecord): Promise<unknown> {
    return guarded(() => this.database.put('classFits', fit));
  }

  /** Deletes a fit with its state, pieces and results. */
  deleteFit(fitId: FitId): Promise<void> {
    return guarded(async () => {
      const stores = ['classFits', 'states', 'checkpoints', 'classResults'] as const;
      const transaction = this.database.transaction(stores, 'readwrite');
      await Promise.all([
        transaction.objectStore('classFits').delete(fitId),
        transaction.objectStore('states').delete(fitId),
        transaction.objectStore('checkpoints').delete(within(fitId)),
        transaction.objectStore('classResults').delete(within(fitId)),
        transaction.done,
      ]);
    });
  }

  results(fitId: FitId): Promise<ClassResultRecord[]> {
    return guarded(() => this.database.getAll('classResults', within(fitId)));
  }

  putResult(result: ClassResultRecord): Promise<unknown> {
    return guarded(() => this.database.put('classResults', result));
  }
}
