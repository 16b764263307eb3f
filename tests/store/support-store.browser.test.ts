/** The store of support sets, in the browser's own IndexedDB. */
import { expect, it } from 'vitest';
import type { ImageId } from '../../src/base/ids';
import { LibraryStore } from '../../src/store/library-store';
import type { ImageRecord, SupportSetRecord } from '../../src/store/schema';
import { SupportStore } from '../../src/store/support-store';
import { freshDatabase, leaveVersion } from '../support/fresh-database';

const image = (name: string): ImageRecord => ({
  id: name as ImageId,
  blob: new Blob([name]),
  width: 32,
  height: 32,
  bits: 8,
  maxValue: 255,
  format: 'png',
  metadata: { notes: [] },
  thumbnail: new Blob(),
});
const set = (id: string, createdAt: number, ...images: string[]): SupportSetRecord => ({
  id,
  name: id,
  createdAt,
  classes: [
    { name: 'good', states: ['{o}'], images: [] },
    {
      name: 'hole',
      states: ['{o} with a hole'],
      images: images.map((name) => ({
        imageId: name as ImageId,
        name: `${name}.png`,
        mask: new Blob(['mask']),
        maskShare: 0.25,
      })),
    },
  ],
  normal: 0,
  objects: ['wafer surface'],
  templates: ['a photo of a {s}.'],
});

const opened = freshDatabase();

it('a database of the second version keeps its sets and gains support sets', async () => {
  await leaveVersion(2, (old, transaction) => {
    for (const [name, keyPath] of [
      ['images', 'id'],
      ['sets', 'id'],
      ['backbones', 'description.id'],
      ['settings', null],
      ['embeddings', null],
    ] as const)
      old.createObjectStore(name, { keyPath });
    const entries = old.createObjectStore('entries', { keyPath: ['setId', 'imageId'] });
    entries.createIndex('bySet', 'setId');
    transaction.objectStore('sets').put({ id: 'one', name: 'wafer 7', createdAt: 1 });
    transaction.objectStore('embeddings').put(Float32Array.of(1), ['ab.gelu', 'a']);
  });
  const database = await opened();
  expect((await new LibraryStore(database).sets()).map(({ name }) => name)).toEqual(['wafer 7']);
  expect(await database.count('embeddings')).toBe(1);
  const store = new SupportStore(database);
  await store.put(set('few', 1));
  expect((await store.all()).map(({ name }) => name)).toEqual(['few']);
});

it('a set, its images and masks are kept, changed and deleted; sets come oldest first', async () => {
  const store = new SupportStore(await opened());
  await store.put(set('late', 2));
  const stored = await store.put(set('early', 1, 'a'), [image('a')]);
  expect(await stored.classes[1].images[0].mask!.text()).toBe('mask');
  expect(await (await store.image('a' as ImageId))!.blob.text()).toBe('a');
  expect((await store.all()).map(({ id }) => id)).toEqual(['early', 'late']);
  await store.put({ ...stored, name: 'renamed' });
  expect((await store.all()).map(({ name }) => name)).toEqual(['renamed', 'late']);
  await store.delete('early');
  expect((await store.all()).map(({ id }) => id)).toEqual(['late']);
});

it('images of support sets outlive the library’s sets, until nothing points to them', async () => {
  const database = await opened();
  const [store, library] = [new SupportStore(database), new LibraryStore(database)];
  for (const name of ['a', 'b', 'c'])
    await library.add(image(name), {
      setId: 'one',
      imageId: name as ImageId,
      position: 0,
      name,
      role: 'inspect',
    });
  await store.put(set('few', 1, 'b'), [image('b')]);
  await library.deleteEntries([
    { setId: 'one', imageId: 'a' as ImageId, position: 0, name: 'a', role: 'inspect' },
    { setId: 'one', imageId: 'b' as ImageId, position: 0, name: 'b', role: 'inspect' },
  ]);
  await library.sweep();
  expect(await database.getAllKeys('images')).toEqual(['b', 'c']);
  await store.delete('few');
  await library.sweep();
  expect(await database.getAllKeys('images')).toEqual(['c']);
});
