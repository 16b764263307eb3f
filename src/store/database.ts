import { openDB } from 'idb';
import type { IDBPDatabase, IDBPTransaction, StoreKey, StoreNames, StoreValue } from 'idb';
import { AppError, toAppError } from '../base/errors';
import { DATABASE, VERSION } from './schema';
import type { Schema } from './schema';

export type Database = IDBPDatabase<Schema>;

/**
 * Opens the database, bringing an older one up to date.
 * @param onBlocked another tab holds an older version open
 * @throws store/blocked where the browser has no storage (some private windows)
 */
export async function openDatabase(onBlocked: () => void = () => undefined): Promise<Database> {
  try {
    return await openDB<Schema>(DATABASE, VERSION, {
      upgrade(database, from) {
        if (from < 1) {
          database.createObjectStore('images', { keyPath: 'id' });
          database.createObjectStore('sets', { keyPath: 'id' });
          database
            .createObjectStore('entries', { keyPath: ['setId', 'imageId'] })
            .createIndex('bySet', 'setId');
          database.createObjectStore('fits', { keyPath: 'id' }).createIndex('bySet', 'setId');
          database.createObjectStore('states');
          database.createObjectStore('checkpoints');
          database.createObjectStore('results', { keyPath: ['fitId', 'imageId'] });
          database.createObjectStore('backbones', { keyPath: 'description.id' });
          database.createObjectStore('settings');
        }
        if (from < 2) database.createObjectStore('embeddings');
        if (from < 3) database.createObjectStore('supportSets', { keyPath: 'id' });
        if (from < 4) {
          database.createObjectStore('classFits', { keyPath: 'id' }).createIndex('bySet', 'setId');
          database.createObjectStore('classResults', { keyPath: ['fitId', 'imageId'] });
        }
      },
      blocked: onBlocked,
      blocking: (_current, _blocked, event) => (event.target as IDBDatabase).close(),
    });
  } catch (error) {
    throw new AppError('store/blocked', 'the browser refuses to store anything for this page', {
      hint: 'Leave the private window, or allow site data. Work goes on, but a reload loses it.',
      cause: error,
    });
  }
}

/** Any failure of the database as an `AppError`; a full disk gets its own code. */
export function storeError(error: unknown): AppError {
  if (error instanceof DOMException && error.name === 'QuotaExceededError')
    return new AppError('store/quota', 'the browser has no room left to store this', {
      hint: 'Delete sets or fits that are no longer needed; what is on screen is not lost.',
      cause: error,
    });
  return toAppError(error);
}

/** Runs a piece of work on the database with its failures translated. @throws store/quota */
export async function guarded<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw storeError(error);
  }
}

/**
 * Writes in one transaction: all of it, or nothing. It is committed as soon as every write is asked for. Left to itself
 * the browser waits until the page has heard of each, and a page that is reloaded or closed before then loses them.
 * @throws store/quota
 */
export function write<const Names extends readonly StoreNames<Schema>[]>(
  database: Database,
  stores: Names,
  writes: (transaction: IDBPTransaction<Schema, Names, 'readwrite'>) => readonly Promise<unknown>[],
): Promise<void> {
  return guarded(async () => {
    const transaction = database.transaction(stores, 'readwrite');
    const asked = writes(transaction);
    transaction.commit();
    await Promise.all([...asked, transaction.done]);
  });
}

/** Writes one record. @param key where the record itself has none @throws store/quota */
export const put = <Name extends StoreNames<Schema>>(
  database: Database,
  store: Name,
  record: StoreValue<Schema, Name>,
  key?: StoreKey<Schema, Name>,
): Promise<void> => write(database, [store], (to) => [to.objectStore(store).put(record, key)]);

/** All compound keys that begin with an id. An empty array sorts behind every string. */
export const within = (id: string): IDBKeyRange => IDBKeyRange.bound([id], [id, []]);
