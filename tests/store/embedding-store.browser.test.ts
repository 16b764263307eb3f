/** The stores of weights and of what they saw, in the browser's own IndexedDB. */
import { expect, it } from 'vitest';
import type { BackboneId, ImageId } from '../../src/base/ids';
import { BackboneStore } from '../../src/store/backbone-store';
import { EmbeddingStore } from '../../src/store/embedding-store';
import type { BackboneRecord } from '../../src/store/schema';
import { freshDatabase, leaveVersion } from '../support/fresh-database';

const image = (name: string) => name as ImageId;
const CLIP: BackboneRecord = {
  description: {
    id: 'ab' as BackboneId,
    title: 'CLIP',
    architecture: 'clip',
    sides: { multipleOf: 8, least: 8, usual: 32 },
    clip: { activation: 'ask' },
  },
  fileName: 'clip.safetensors',
  blob: new Blob(['weights']),
};

const opened = freshDatabase();

it('a database of the first version keeps its weights and gains the embeddings', async () => {
  await leaveVersion(1, (old, transaction) => {
    for (const [name, keyPath] of [
      ['backbones', 'description.id'],
      ['settings', null],
    ] as const)
      old.createObjectStore(name, { keyPath });
    transaction.objectStore('backbones').put(CLIP);
  });
  const store = new BackboneStore(await opened());
  expect((await store.all()).map(({ fileName }) => fileName)).toEqual(['clip.safetensors']);
  await new EmbeddingStore(opened()).put('ab.gelu', image('one'), Float32Array.of(1));
});

it('embeddings go with their weights, whatever the activation, and no others', async () => {
  const database = await opened();
  const store = new BackboneStore(database);
  const embeddings = new EmbeddingStore(Promise.resolve(database));
  await store.put(CLIP);
  for (const encoder of ['ab.gelu', 'ab.quickGelu', 'abc.gelu', 'aa.gelu'])
    await embeddings.put(encoder, image('one'), Float32Array.of(0.6, 0.8));
  expect(await embeddings.get('ab.gelu', image('one'))).toEqual(Float32Array.of(0.6, 0.8));
  expect(await embeddings.get('ab.gelu', image('two'))).toBeUndefined();
  await store.delete(CLIP.description.id);
  expect(await store.all()).toEqual([]);
  const left = async (encoder: string) => !!(await embeddings.get(encoder, image('one')));
  expect(await Promise.all(['ab.gelu', 'ab.quickGelu', 'abc.gelu', 'aa.gelu'].map(left))).toEqual([
    false,
    false,
    true,
    true,
  ]);
});
