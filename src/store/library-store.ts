import type { ImageId } from '../base/ids';
import { guarded, put, within, write } from './database';
import type { Database } from './database';
import type { EntryRecord, ImageRecord, SetId, SetRecord } from './schema';

/** Images and sets. An image is stored once by the hash of its bytes; sets hold entries that point to it. */
export class LibraryStore {
  constructor(private readonly database: Database) {}

  sets(): Promise<SetRecord[]> {
    return guarded(() => this.database.getAll('sets'));
  }

  putSet(set: SetRecord): Promise<void> {
    return put(this.database, 'sets', set);
  }

  /** Entries of a set in the order of adding. */
  async entries(setId: SetId): Promise<EntryRecord[]> {
    const found = await guarded(() => this.database.getAllFromIndex('entries', 'bySet', setId));
    return found.sort((a, b) => a.position - b.position);
  }

  image(id: ImageId): Promise<ImageRecord | undefined> {
    return guarded(() => this.database.get('images', id));
  }

  /**
   * Image and entry in one transaction: both are there, or neither.
   * @returns both as they are stored: a dropped file may be moved or deleted on the disk, the store's copy not
   * @throws store/quota
   */
  async add(image: ImageRecord, entry: EntryRecord): Promise<{ image: ImageRecord; entry: EntryRecord }> {
    await write(this.database, ['images', 'entries'], (to) => [
      to.objectStore('images').put(image),
      to.objectStore('entries').put(entry),
    ]);
    return guarded(async () => {
      const [storedImage, storedEntry] = await Promise.all([
        this.database.get('images', image.id),
        this.database.get('entries', [entry.setId, entry.imageId]),
      ]);
      return { image: storedImage!, entry: storedEntry! };
    });
  }

  putEntries(entries: readonly EntryRecord[]): Promise<void> {
    return write(this.database, ['entries'], (to) =>
      entries.map((entry) => to.objectStore('entries').put(entry)),
    );
  }

  deleteEntries(entries: readonly EntryRecord[]): Promise<void> {
    return write(this.database, ['entries'], (to) =>
      entries.map(({ setId, imageId }) => to.objectStore('entries').delete([setId, imageId])),
    );
  }

  /** Deletes a set with its entries; images that nothing else holds go with it at the next start. */
  deleteSet(setId: SetId): Promise<void> {
    return write(this.database, ['sets', 'entries'], (to) => [
      to.objectStore('entries').delete(within(setId)),
      to.objectStore('sets').delete(setId),
    ]);
  }

  /**
   * Deletes images that neither an entry nor a support set points to. Undo of a delete is over when this has run: called
   * at start-up.
   */
  sweep(): Promise<void> {
    return guarded(async () => {
      const transaction = this.database.transaction(['images', 'entries', 'supportSets'], 'readwrite');
      const entries = await transaction.objectStore('entries').getAllKeys();
      const supports = await transaction.objectStore('supportSets').getAll();
      const used = new Set(entries.map(([, imageId]) => imageId));
      for (const { classes } of supports)
        for (const { images } of classes) for (const { imageId } of images) used.add(imageId);
      const images = transaction.objectStore('images');
      const stale = (await images.getAllKeys()).filter((id) => !used.has(id));
      await Promise.all([...stale.map((id) => images.delete(id)), transaction.done]);
    });
  }
}
