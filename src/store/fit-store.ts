import type { FitId } from '../base/ids';
import type { TensorData } from '../base/tensor';
import { guarded, put, within, write } from './database';
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

  putFit(fit: FitRecord): Promise<void> {
    return put(this.database, 'fits', fit);
  }

  /** Deletes a fit with its state, pieces and results. */
  deleteFit(fitId: FitId): Promise<void> {
    return write(this.database, ['fits', 'states', 'checkpoints', 'results'], (to) => [
      to.objectStore('fits').delete(fitId),
      to.objectStore('states').delete(fitId),
      to.objectStore('checkpoints').delete(within(fitId)),
      to.objectStore('results').delete(within(fitId)),
    ]);
  }

  state(fitId: FitId): Promise<Readonly<Record<string, TensorData>> | undefined> {
    return guarded(() => this.database.get('states', fitId));
  }

  putState(fitId: FitId, state: Readonly<Record<string, TensorData>>): Promise<void> {
    return put(this.database, 'states', state, fitId);
  }

  checkpoint(fitId: FitId, key: string): Promise<TensorData | undefined> {
    return guarded(() => this.database.get('checkpoints', [fitId, key]));
  }

  putCheckpoint(fitId: FitId, key: string, piece: TensorData): Promise<void> {
    return put(this.database, 'checkpoints', piece, [fitId, key]);
  }

  clearCheckpoints(fitId: FitId): Promise<void> {
    return write(this.database, ['checkpoints'], (to) => [
      to.objectStore('checkpoints').delete(within(fitId)),
    ]);
  }

  results(fitId: FitId): Promise<ResultRecord[]> {
    return guarded(() => this.database.getAll('results', within(fitId)));
  }

  putResult(result: ResultRecord): Promise<void> {
    return put(this.database, 'results', result);
  }
}
