/** The app's database, new for every test of a file. */
import { afterEach, beforeEach } from 'vitest';
import { openDatabase } from '../../src/store/database';
import type { Database } from '../../src/store/database';
import { DATABASE } from '../../src/store/schema';

const finished = <T>(request: IDBRequest<T>): Promise<T> =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(new Error('the request failed', { cause: request.error }));
  });
const wipe = () => finished(indexedDB.deleteDatabase(DATABASE));

/** Wipes the database before and after each test. @returns what opens it, closed when the test ends */
export function freshDatabase(): () => Promise<Database> {
  const opened: Database[] = [];
  beforeEach(wipe);
  afterEach(async () => {
    for (const database of opened.splice(0)) database.close();
    await wipe();
  });
  return async () => {
    const database = await openDatabase();
    opened.push(database);
    return database;
  };
}

/** Makes the database as an earlier version of the app left it. */
export async function leaveVersion(
  version: number,
  fill: (database: IDBDatabase, transaction: IDBTransaction) => void,
): Promise<void> {
  const opening = indexedDB.open(DATABASE, version);
  opening.onupgradeneeded = () => fill(opening.result, opening.transaction!);
  (await finished(opening)).close();
}
