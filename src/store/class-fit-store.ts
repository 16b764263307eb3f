import type { FitId } from '../base/ids';
import { guarded, put, within, write } from './database';
import type { Database } from './database';
import type { ClassFitRecord, ClassResultRecord, SetId } from './schema';

/** Fits of classifiers and what they said. States and unfinished pieces lie beside those of detectors. */
export class ClassFitStore {
  constructor(private readonly database: Database) {}

  /** A set's fits, oldest first. */
  async fits(setId: SetId): Promise<ClassFitRecord[]> {
    const found = await guarded(() => this.database.getAllFromIndex('classFits', 'bySet', setId));
    return found.sort((a, b) => a.createdAt - b.createdAt);
  }

  putFit(fit: ClassFitRecord): Promise<void> {
    return put(this.database, 'classFits', fit);
  }

  /** Deletes a fit with its state, pieces and results. */
  deleteFit(fitId: FitId): Promise<void> {
    return write(this.database, ['classFits', 'states', 'checkpoints', 'classResults'], (to) => [
      to.objectStore('classFits').delete(fitId),
      to.objectStore('states').delete(fitId),
      to.objectStore('checkpoints').delete(within(fitId)),
      to.objectStore('classResults').delete(within(fitId)),
    ]);
  }

  results(fitId: FitId): Promise<ClassResultRecord[]> {
    return guarded(() => this.database.getAll('classResults', within(fitId)));
  }

  putResult(result: ClassResultRecord): Promise<void> {
    return put(this.database, 'classResults', result);
  }
}
