import type { BackboneId } from '../base/ids';
import { guarded, put, write } from './database';
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

  put(record: BackboneRecord): Promise<void> {
    return put(this.database, 'backbones', record);
  }

  /** Deletes weights, and what they saw in images. */
  delete(id: BackboneId): Promise<void> {
    return write(this.database, ['backbones', 'embeddings'], (to) => [
      to.objectStore('backbones').delete(id),
      to.objectStore('embeddings').delete(IDBKeyRange.bound([`${id}.`], [`${id}.~`])),
    ]);
  }
}
