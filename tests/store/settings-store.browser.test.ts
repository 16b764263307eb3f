/** The store of settings in the browser's own IndexedDB. */
import { expect, it } from 'vitest';
import { SettingsStore } from '../../src/store/settings-store';
import { freshDatabase } from '../support/fresh-database';

const opened = freshDatabase();

it('what was asked for is kept though the one who asked is gone before it hears so', async () => {
  const settings = new SettingsStore(await opened());
  const writer = new Worker(new URL('./closing-writer.ts', import.meta.url), { type: 'module' });
  await new Promise((resolve) => (writer.onmessage = resolve));
  writer.terminate();
  expect(await settings.get('threshold')).toBe(0.5);
});
