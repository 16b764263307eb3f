import type { BackboneId } from '../base/ids';
import { guarded } from './database';
import type { Database } from './database';
import type { BackboneRecord } from './schema';

/** Weights files that the user dropped in. */
export class BackboneStore {
  constructor(private readonly database: Database) {}

  all(): Promise<BackboneRecord[]> {
    return guarded(() => this.database.getAll('backbones'));
  }

  async blob(id: BackboneId): Promise<Blob | undefined> {
    return (await guarded(() => this.database.get('backbones', id)))?.blob;
  }

  put(record: BackboneRecord): Promise<unknown> {
    return guarded(() => this.database.put('backbones', record));
  }

  /** Deletes weights, and what they saw in images. */
  delete(id: BackboneId): Promise<void> {
    return guarded(async () => {
      const transaction = this.database.transaction(['backbones', 'embeddings'], 'readwrite');
      await Promise.all([
        transaction.objectStore('backbones').delete(id),
        transaction.objectStore('embeddings').delete(IDBKeyRange.bound([`${id}.`], [`${id}.~`])),
        transaction.done,
      ]);
    });
  }
}
