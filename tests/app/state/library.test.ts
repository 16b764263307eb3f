import { beforeEach, describe, expect, it } from 'vitest';
import type { PathEntry } from '../../../src/exchange/layout';
import { Library } from '../../../src/app/state/library.svelte';
import { Notices } from '../../../src/app/state/notices.svelte';
import type { LibraryStore } from '../../../src/store/library-store';
import type { EntryRecord, ImageRecord } from '../../../src/store/schema';

const files = (...names: readonly string[]): PathEntry<Blob>[] =>
  names.map((name) => ({ path: name, file: new Blob([name]) }));

/** Reads a file by its name alone: what is called broken is. */
const pixels = {
  hash: (file: Blob) => file.text(),
  summarise: async (_file: Blob, name: string) => {
    if (name.startsWith('broken')) throw new Error('is cut off');
    return { width: 64, height: 64 };
  },
};

let library: Library;
beforeEach(() => {
  const store = {
    putSet: async () => undefined,
    entries: async () => [],
    add: async (image: ImageRecord, entry: EntryRecord) => ({ image, entry }),
    deleteEntries: async () => undefined,
    putEntries: async () => undefined,
  };
  const client = { pixelWorkers: 2, pixels: (ask: (own: typeof pixels) => unknown) => ask(pixels) };
  library = new Library(store as unknown as LibraryStore, client as never, new Notices());
});

const names = () => library.entries.map(({ name }) => name);

describe('images that are added to a set', () => {
  it('come after all others, also where files were left out', async () => {
    await library.add(files('broken-1.png', 'broken-2.png', 'a.png', 'b.png'));
    expect(names()).toEqual(['a.png', 'b.png']);
    await library.add(files('c.png', 'd.png'));
    expect(names()).toEqual(['a.png', 'b.png', 'c.png', 'd.png']);
  });

  it('come after all others, also where some were taken out', async () => {
    await library.add(files('a.png', 'b.png', 'c.png'));
    await library.remove(library.entries.slice(0, 2));
    await library.add(files('d.png', 'e.png'));
    expect(names()).toEqual(['c.png', 'd.png', 'e.png']);
    expect(new Set(library.entries.map(({ position }) => position)).size).toBe(3);
  });
});
