import { guarded, put } from './database';
import type { Database } from './database';

/** Small things to be found again after a reload. */
export class SettingsStore {
  constructor(private readonly database: Database) {}

  async get<T>(name: string): Promise<T | undefined> {
    return (await guarded(() => this.database.get('settings', name))) as T | undefined;
  }

  put(name: string, value: unknown): Promise<void> {
    return put(this.database, 'settings', value, name);
  }
}
