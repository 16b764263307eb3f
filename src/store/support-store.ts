import type { ImageId } from '../base/ids';
import { guarded, write } from './database';
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
  async put(set: SupportSetRecord, images: readonly ImageRecord[] = []): Promise<SupportSetRecord> {
    await write(this.database, ['images', 'supportSets'], (to) => [
      ...images.map((image) => to.objectStore('images').put(image)),
      to.objectStore('supportSets').put(set),
    ]);
    return (await guarded(() => this.database.get('supportSets', set.id)))!;
  }

  /** Deletes a set; its images go at the next start, unless something else holds them. */
  delete(id: SupportSetId): Promise<void> {
    return write(this.database, ['supportSets'], (to) => [to.objectStore('supportSets').delete(id)]);
  }
}
