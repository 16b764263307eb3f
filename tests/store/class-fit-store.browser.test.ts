/** The store of classifiers' fits, in the browser's own IndexedDB. */
import { expect, it } from 'vitest';
import type { FitId, ImageId } from '../../src/base/ids';
import { floatTensor } from '../../src/base/tensor';
import { ClassFitStore } from '../../src/store/class-fit-store';
import { FitStore } from '../../src/store/fit-store';
import type { ClassFitRecord, ClassResultRecord } from '../../src/store/schema';
import { freshDatabase, leaveVersion } from '../support/fresh-database';

const fit = (id: string, setId: string, createdAt: number): ClassFitRecord =>
  ({
    id: id as FitId,
    setId,
    createdAt,
    taught: [],
    spec: { classes: ['bridge'] },
  }) as unknown as ClassFitRecord;
const result = (fitId: string, imageId: string): ClassResultRecord => ({
  fitId: fitId as FitId,
  imageId: imageId as ImageId,
  probabilities: Float32Array.of(0.25, 0.75),
  durationMs: 1,
});

const opened = freshDatabase();

it('a database of the third version keeps its support sets and gains fits of classifiers', async () => {
  await leaveVersion(3, (old, transaction) => {
    for (const [name, keyPath] of [
      ['images', 'id'],
      ['sets', 'id'],
      ['results', ['fitId', 'imageId']],
      ['backbones', 'description.id'],
      ['supportSets', 'id'],
    ] as const)
      old.createObjectStore(name, { keyPath: keyPath as string | string[] });
    for (const name of ['states', 'checkpoints', 'settings', 'embeddings']) old.createObjectStore(name);
    old.createObjectStore('entries', { keyPath: ['setId', 'imageId'] }).createIndex('bySet', 'setId');
    old.createObjectStore('fits', { keyPath: 'id' }).createIndex('bySet', 'setId');
    transaction.objectStore('supportSets').put({ id: 'few', name: 'few', classes: [] });
  });
  const database = await opened();
  expect(await database.count('supportSets')).toBe(1);
  const store = new ClassFitStore(database);
  await store.putFit(fit('one', 'set', 1));
  expect((await store.fits('set')).map(({ id }) => id)).toEqual(['one']);
});

it('fits come oldest first by set; one goes with its state, its pieces and what it said', async () => {
  const database = await opened();
  const store = new ClassFitStore(database);
  const states = new FitStore(database);
  for (const own of [fit('late', 'a', 2), fit('early', 'a', 1), fit('other', 'b', 1)])
    await store.putFit(own);
  expect((await store.fits('a')).map(({ id }) => id)).toEqual(['early', 'late']);
  for (const id of ['early', 'late']) {
    await states.putState(id as FitId, { weight: floatTensor([1], [1]) });
    await states.putCheckpoint(id as FitId, 'rows', floatTensor([1], [1]));
    await store.putResult(result(id, 'x'));
  }
  expect([...(await store.results('late' as FitId))[0].probabilities]).toEqual([0.25, 0.75]);
  await store.deleteFit('early' as FitId);
  expect((await store.fits('a')).map(({ id }) => id)).toEqual(['late']);
  expect(await states.state('early' as FitId)).toBeUndefined();
  expect(await states.checkpoint('early' as FitId, 'rows')).toBeUndefined();
  expect(await store.results('early' as FitId)).toEqual([]);
  expect(await store.results('late' as FitId)).toHaveLength(1);
});
