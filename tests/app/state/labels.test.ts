import { beforeEach, describe, expect, it } from 'vitest';
import type { ImageId } from '../../../src/base/ids';
import { Labels } from '../../../src/app/state/labels.svelte';
import type { Entry } from '../../../src/app/state/library.svelte';
import { Library } from '../../../src/app/state/library.svelte';
import { Notices } from '../../../src/app/state/notices.svelte';
import type { LibraryStore } from '../../../src/store/library-store';
import type { EntryRecord, SetRecord } from '../../../src/store/schema';

const entry = (id: string, className?: string): Entry =>
  ({
    imageId: id as ImageId,
    setId: 'one',
    name: `${id}.png`,
    image: {},
    ...(className && { className }),
  }) as Entry;

let library: Library;
let notices: Notices;
let labels: Labels;
let renames: string[];
let stored: Map<string, EntryRecord>;

beforeEach(() => {
  stored = new Map();
  const store: Pick<LibraryStore, 'putEntries' | 'putSet'> = {
    putEntries: async (entries) => entries.forEach((own) => stored.set(own.imageId, own)),
    putSet: async () => undefined,
  };
  notices = new Notices();
  library = new Library(store as LibraryStore, {} as never, notices);
  library.set = { id: 'one', name: 'wafer 7', createdAt: 1 } satisfies SetRecord;
  library.entries = [entry('a', 'hole'), entry('b', 'bridge'), entry('c'), entry('d')];
  renames = [];
  labels = new Labels(library, notices, async (from, to) => void renames.push(`${from}>${to}`));
});

const classOf = (id: string) => library.entries.find(({ imageId }) => imageId === id)?.className;
const find = (id: string) => library.entries.filter(({ imageId }) => imageId === id);

describe('labels', () => {
  it('classes come by name where no order is set, and keep their keys once one is', async () => {
    expect(labels.classes).toEqual(['bridge', 'hole']);
    await labels.add(' scratch ');
    await labels.add('scratch');
    expect(labels.classes).toEqual(['bridge', 'hole', 'scratch']);
    expect(labels.counts).toEqual([1, 1, 0]);
  });

  it('a key labels by its class, 0 takes the label away, a key without a class does nothing', async () => {
    expect(await labels.labelByKey(find('c'), 2)).toBe(true);
    expect(classOf('c')).toBe('hole');
    expect(stored.get('c')).toMatchObject({ className: 'hole' });
    expect(await labels.labelByKey(find('c'), 3)).toBe(false);
    expect(await labels.labelByKey(find('a'), 0)).toBe(true);
    expect(classOf('a')).toBeUndefined();
    expect('className' in stored.get('a')!).toBe(false);
    expect(labels.classes).toEqual(['bridge', 'hole']);
  });

  it('every step can be taken back and done again; a new step ends what could be done again', async () => {
    await labels.label(find('c'), 'scratch');
    await labels.label(find('d'), 'scratch');
    expect(labels.undoTitle).toBe('d.png: scratch');
    await labels.undo();
    await labels.undo();
    expect(labels.classes).toEqual(['bridge', 'hole']);
    expect([classOf('c'), classOf('d')]).toEqual([undefined, undefined]);
    await labels.redo();
    expect(classOf('c')).toBe('scratch');
    await labels.label(find('d'), 'hole');
    expect(labels.redoTitle).toBeUndefined();
    await labels.redo();
    expect([classOf('c'), classOf('d')]).toEqual(['scratch', 'hole']);
  });

  it('steps that come faster than the store writes are taken one after the other', async () => {
    await Promise.all([labels.label(find('c'), 'hole'), labels.label(find('c'), 'bridge'), labels.undo()]);
    expect(classOf('c')).toBe('hole');
  });

  it('a new name goes to images and fits, and back', async () => {
    await labels.rename('hole', 'pit');
    expect(classOf('a')).toBe('pit');
    expect(labels.classes).toEqual(['bridge', 'pit']);
    await labels.undo();
    expect(classOf('a')).toBe('hole');
    expect(renames).toEqual(['hole>pit', 'pit>hole']);
  });

  it('a name that another class has joins the two; fits keep what they were taught', async () => {
    await labels.rename('hole', 'bridge');
    expect(classOf('a')).toBe('bridge');
    expect(labels.classes).toEqual(['bridge']);
    expect(renames).toEqual([]);
    await labels.undo();
    expect([classOf('a'), classOf('b')]).toEqual(['hole', 'bridge']);
  });

  it('a deleted class takes its labels along, and the notice brings both back', async () => {
    await labels.remove('hole');
    expect(classOf('a')).toBeUndefined();
    expect(labels.classes).toEqual(['bridge']);
    const notice = notices.list.at(-1)!;
    expect(notice.text).toContain('1 image lost the label');
    notice.choices[0].choose();
    await labels.redo();
    await labels.undo();
    expect(classOf('a')).toBe('hole');
  });

  it('a label file: unknown images are listed, new classes added, contradictions told; one step', async () => {
    const text = 'image,class\nshots/c.png,scratch\nd.png,hole\nd.png,bridge\nx.png,hole\n';
    await labels.importFile(new File([text], 'labels.csv'));
    expect([classOf('c'), classOf('d')]).toEqual(['scratch', 'hole']);
    const { text: said, details } = notices.list.at(-1)!;
    expect(said).toBe('2 labels taken from labels.csv; new: scratch.');
    expect(details.map(({ name, reason }) => `${name}: ${reason}`)).toEqual([
      'd.png: labelled hole and bridge: the first was taken',
      'x.png: no image of this set has this name',
    ]);
    await labels.undo();
    expect([classOf('c'), classOf('d')]).toEqual([undefined, undefined]);
  });
});
