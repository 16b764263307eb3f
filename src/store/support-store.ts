import type { ImageId } from '../base/ids';
import { guarded } from './database';
import type { Database } from './database';
import type { ImageRecord, SupportSetId, SupportSetRecord } from './schema';

/** Support sets, and the images that they teach by. */
export class SupportStore {
  constructor(private readonly database: Database) {}

  /** All, oldest first. */
  async all(): Promise<SupportSetRecord[]> {
    const found = await guarded(() => this.database.getAll('supportSets'));
    return found.sort((a, b) => a.createdAt - b.createdAt);
  }

  image(id: ImageId): Promise<ImageRecord | undefined> {
    return guarded(() => this.database.get('images', id));
  }

  /**
   * A set and its new images in one transaction: both are there, or neither.
   * @returns the set as it is stored: a dropped mask may be moved or deleted on the disk, the store's copy not
   * @throws store/quota
   */
  put(set: SupportSetRecord, images: readonly ImageRecord[] = []): Promise<SupportSetRecord> {
    return guarded(async () => {
      const transaction = this.database.transaction(['images', 'supportSets'], 'readwrite');
      await Promise.all([
        ...images.map((image) => transaction.objectStore('images').put(image)),
        transaction.objectStore('supportSets').put(set),
        transaction.done,
      ]);
      return (await this.database.get('supportSets', set.id))!;
    });
  }

  /** Deletes a set; its images go at the next start, unless something else holds them. */
  delete(id: SupportSetId): Promise<void> {
    return guarded(() => this.database.delete('supportSets', id));
  }
}
