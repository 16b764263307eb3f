import type { FitId } from '../base/ids';
import type { TensorData } from '../base/tensor';
import { guarded } from './database';
import type { Database } from './database';
import type { FitRecord, ResultRecord, SetId } from './schema';

/** Fits, their states, their unfinished pieces, and what they found. The engine's worker holds one of its own. */
export class FitStore {
  constructor(private readonly database: Database) {}

  /** A set's fits, oldest first. */
  async fits(setId: SetId): Promise<FitRecord[]> {
    const found = await guarded(() => this.database.getAllFromIndex('fits', 'bySet', setId));
    return found.sort((a, b) => a.createdAt - b.createdAt);
  }

  putFit(fit: FitRecord): Promise<unknown> {
    return guarded(() => this.database.put('fits', fit));
  }

  /** Deletes a fit with its state, pieces and results. */
  deleteFit(fitId: FitId): Promise<void> {
    return guarded(async () => {
      const stores = ['fits', 'states', 'checkpoints', 'results'] as const;
      const transaction = this.database.transaction(stores, 'readwrite');
      await Promise.all([
        transaction.objectStore('fits').delete(fitId),
        transaction.objectStore('states').delete(fitId),
        transaction.objectStore('checkpoints').delete(within(fitId)),
        transaction.objectStore('results').delete(within(fitId)),
        transaction.done,
      ]);
    });
  }

  state(fitId: FitId): Promise<Readonly<Record<string, TensorData>> | undefined> {
    return guarded(() => this.database.get('states', fitId));
  }

  putState(fitId: FitId, state: Readonly<Record<string, TensorData>>): Promise<unknown> {
    return guarded(() => this.database.put('states', state, fitId));
  }

  checkpoint(fitId: FitId, key: string): Promise<TensorData | undefined> {
    return guarded(() => this.database.get('checkpoints', [fitId, key]));
  }

  putCheckpoint(fitId: FitId, key: string, piece: TensorData): Promise<unknown> {
    return guarded(() => this.database.put('checkpoints', piece, [fitId, key]));
  }

  clearCheckpoints(fitId: FitId): Promise<void> {
    return guarded(() => this.database.delete('checkpoints', within(fitId)));
  }

  results(fitId: FitId): Promise<ResultRecord[]> {
    return guarded(() => this.database.getAll('results', within(fitId)));
  }

  putResult(result: ResultRecord): Promise<unknown> {
    return guarded(() => this.database.put('results', result));
  }
}

/** All compound keys that begin with a fit. An empty array sorts behind every string. */
export const within = (fitId: FitId): IDBKeyRange => IDBKeyRange.bound([fitId], [fitId, []]);
