import { strToU8, zipSync } from 'fflate';
import { describe, expect, it, vi } from 'vitest';
import type { PromptSet } from '../../../src/protocol/engine-api';
import type { ImageId } from '../../../src/base/ids';
import { AppError } from '../../../src/base/errors';
import type { Entry } from '../../../src/app/state/library.svelte';
import { Notices } from '../../../src/app/state/notices.svelte';
import { SupportSets } from '../../../src/app/state/support.svelte';
import type { MaskPixels } from '../../../src/protocol/pixels-api';
import type { ImageRecord, SetRecord, SupportSetRecord } from '../../../src/store/schema';
import type { SettingsStore } from '../../../src/store/settings-store';
import type { SupportStore } from '../../../src/store/support-store';

const SIDE = 32;
const record = (name: string): ImageRecord => ({
  id: name as ImageId,
  blob: new Blob([name]),
  width: SIDE,
  height: SIDE,
  bits: 8,
  maxValue: 255,
  format: 'png',
  metadata: { notes: [] },
  thumbnail: new Blob(),
});
const entry = (className: string | undefined, i: number, more: Partial<Entry> = {}): Entry => ({
  setId: 'one',
  imageId: `${className}${i}` as ImageId,
  position: i,
  name: `${className}${i}.png`,
  role: 'inspect',
  ...(className !== undefined && { className }),
  image: record(`${className}${i}`),
  ...more,
});
const entries = (className: string, count: number, more: Partial<Entry> = {}) =>
  Array.from({ length: count }, (_, i) => entry(className, i, more));
const LIBRARY: SetRecord = { id: 'one', name: 'wafer 7', createdAt: 1 };

/** A blob that stands for a mask: how much it covers, and its width. */
const mask = (share: number, width = SIDE) => new Blob([JSON.stringify({ share, width })]);

class World {
  readonly records = new Map<string, SupportSetRecord>();
  readonly images = new Map<ImageId, ImageRecord>();
  readonly notices = new Notices();
  readonly settings = new Map<string, unknown>();
  failing: AppError | undefined;
  readonly readings: string[][] = [];
  support = this.opened();

  opened(): SupportSets {
    const store: Pick<SupportStore, 'all' | 'image' | 'put' | 'delete'> = {
      all: async () => [...this.records.values()],
      image: async (id) => this.images.get(id),
      put: async (set, images = []) => {
        if (this.failing) throw this.failing;
        for (const image of images) this.images.set(image.id, image);
        this.records.set(set.id, set);
        return set;
      },
      delete: async (id) => void this.records.delete(id),
    };
    const pixels = {
      hash: async (blob: Blob) => blob.text(),
      summarise: async (blob: Blob, name: string) => {
        if (name.startsWith('bad'))
          throw new AppError('image/corrupt', `${name} is cut off`, { hint: 'Export it again.' });
        const { id: _id, blob: _blob, ...summary } = record(await blob.text());
        return summary;
      },
      wholeMask: async (blob: Blob): Promise<MaskPixels> => {
        const { share, width } = JSON.parse(await blob.text()) as { share: number; width: number };
        const inside = Uint8Array.from({ length: width * SIDE }, (_, i) => Number(i < share * width * SIDE));
        return { width, height: SIDE, inside };
      },
      drawMask: async ({ inside }: MaskPixels) =>
        mask(inside.reduce((sum, value) => sum + value, 0) / inside.length),
    };
    const engine = {
      readPrompts: async ({ classes }: PromptSet) => {
        this.readings.push(classes.map(({ name }) => name));
        return classes.map(({ states }) => ({ count: states.length, cut: 0, unread: 0, unknownTokens: [] }));
      },
    };
    const client = {
      pixels: async (call: (worker: unknown) => unknown) => call(pixels),
      engine: async (call: (worker: unknown) => unknown) => call(engine),
    };
    return new SupportSets(
      store as SupportStore,
      {
        get: async (name: string) => this.settings.get(name),
        put: async (name: string, value: unknown) => void this.settings.set(name, value),
      } as SettingsStore,
      client as never,
      this.notices,
    );
  }

  get last() {
    return this.notices.list.at(-1)!;
  }

  get classes() {
    return Object.fromEntries(
      (this.support.open?.classes ?? []).map(({ name, images }) => [name, images.map((image) => image.name)]),
    );
  }

  /** Takes the way back that the last notice offers, and waits for it. */
  async undo(): Promise<void> {
    this.last.choices[0].choose();
    await vi.waitFor(() => expect(this.records.size).toBeGreaterThan(0));
    await new Promise((resolve) => setTimeout(resolve));
  }
}

describe('a new support set', () => {
  it('of the seven classes can be fitted on text alone', async () => {
    const { support, records } = new World();
    expect(support.problem).toMatch(/no support set yet/);
    await support.createPreset();
    expect(support.open?.classes).toHaveLength(7);
    expect(support.problem).toBeUndefined();
    expect(records.size).toBe(1);
    await support.createPreset();
    expect(support.list.map(({ name }) => name)).toEqual(['seven classes', 'seven classes 2']);
  });

  it('of her own classes begins with good', async () => {
    const { support } = new World();
    await support.createEmpty();
    expect(support.problem).toMatch(/^good is the only class/);
    expect(await support.addClass('Good')).toMatch(/^There is a class good already/);
    expect(await support.addClass('  ')).toBe('A class needs a name.');
    expect(await support.addClass('edge break')).toBeUndefined();
    expect(support.shownClass?.name).toBe('edge break');
    expect(support.problem).toBeUndefined();
  });

  it('from labels draws some images of each class, good ones of those to fit on, masks with them', async () => {
    const world = new World();
    const library = [
      ...entries('good', 3, { role: 'good' }),
      entry('good', 7),
      ...entries('hole', 12, { mask: mask(0.25) }),
      entry('pit', 0, { mask: mask(1) }),
    ];
    await world.support.createFrom(LIBRARY, library, 4, 0);
    expect(world.support.open?.name).toBe('wafer 7, 4 shots');
    expect(world.classes.good).toEqual(['good0.png', 'good1.png', 'good2.png']);
    expect(world.classes.hole).toHaveLength(4);
    expect(world.support.open?.classes[1].images[0].maskShare).toBe(0.25);
    expect(world.support.open?.classes[2].images).toEqual([{ imageId: 'pit0', name: 'pit0.png' }]);
    expect(world.last.details[0].reason).toMatch(/^the mask covers the whole image/);
    expect(world.images.size).toBe(8);
    expect(world.support.images.size).toBe(8);
  });

  it('needs a label of a defect to be made from labels', async () => {
    const world = new World();
    await world.support.createFrom(LIBRARY, entries('good', 3), 4, 0);
    expect(world.last.text).toMatch(/^No image of wafer 7 has a label of a defect/);
    expect(world.records.size).toBe(0);
  });
});

const holes = async () => {
  const world = new World();
  await world.support.createEmpty();
  await world.support.addClass('hole');
  return world;
};

describe('images', () => {
  it('come from the library, and say which were left out', async () => {
    const world = await holes();
    await world.support.addEntries(entries('a', 12));
    expect(world.classes.hole).toHaveLength(10);
    expect(world.last.text).toBe('10 images added to hole; 2 things left out.');
    await world.support.addClass('pit');
    await world.support.addEntries([entry('a', 0), entry('b', 0)]);
    expect(world.classes.pit).toEqual(['b0.png']);
    expect(world.last.details).toEqual([
      { name: 'a0.png', reason: 'it is in hole; take it out there first, an image has one class' },
    ]);
  });

  it('come from files, with masks by name; what can’t be read is listed', async () => {
    const world = await holes();
    const file = (path: string, file = new Blob([path])) => ({ path, file });
    await world.support.addFiles([
      file('x/one.png'),
      file('x/one_mask.png', mask(0.5)),
      file('x/two.png'),
      file('x/two_mask.png', mask(0.5, 16)),
      file('x/bad.png'),
      file('x/notes.txt'),
    ]);
    expect(world.support.shownClass?.images.map(({ maskShare }) => maskShare)).toEqual([0.5, undefined]);
    expect(world.last.details).toEqual([
      { name: 'notes.txt', reason: 'not an image file (PNG, JPEG, WebP, BMP or TIFF)' },
      { name: 'bad.png', reason: 'is cut off. Export it again.' },
      {
        name: 'two.png',
        reason:
          'the mask has 16×32 px, the image 32×32; export it at the size of the image. The image was added without it',
      },
    ]);
    await world.support.addFiles([file('two_mask.png', mask(0.25))]);
    expect(world.support.open?.classes[1].images[1].maskShare).toBe(0.25);
  });

  it('come from archives as from folders; one that is damaged is listed', async () => {
    const world = await holes();
    const whole = zipSync({ 'hole/one.png': strToU8('one'), 'hole/two.png': strToU8('two') });
    const zip = (name: string, bytes: Uint8Array) => ({ path: name, file: new Blob([bytes.slice()]) });
    await world.support.addFiles([zip('holes.zip', whole), zip('cut.zip', whole.subarray(0, 20))]);
    expect(world.classes.hole).toEqual(['one.png', 'two.png']);
    expect(world.last.details?.map(({ name }) => name)).toEqual(['cut.zip']);
  });

  it('go, and come back by undo', async () => {
    const world = await holes();
    await world.support.addEntries(entries('a', 3));
    await world.support.removeImage('a1' as ImageId);
    expect(world.classes.hole).toEqual(['a0.png', 'a2.png']);
    await world.undo();
    expect(world.classes.hole).toEqual(['a0.png', 'a1.png', 'a2.png']);
  });

  it('are looked at one after the other, over the classes’ borders', async () => {
    const world = await holes();
    await world.support.addEntries(entries('a', 2));
    await world.support.addClass('pit');
    await world.support.addEntries(entries('b', 1));
    world.support.step(-1);
    expect(world.support.shownImage?.name).toBe('a1.png');
    world.support.step(-5);
    expect([world.support.shownClass?.name, world.support.shownImage?.name]).toEqual(['hole', 'a0.png']);
  });
});

describe('masks', () => {
  it('that are painted are kept; nothing painted is no mask', async () => {
    const world = await holes();
    await world.support.addEntries([entry('a', 0)]);
    const inside = new Uint8Array(SIDE * SIDE).fill(1, 0, (SIDE * SIDE) / 4);
    await world.support.paintMask('a0' as ImageId, { width: SIDE, height: SIDE, inside });
    expect(world.support.shownImage).toMatchObject({ name: 'a0.png', maskShare: 0.25 });
    expect(world.support.shownImage?.mask).toBeInstanceOf(Blob);
    inside.fill(1);
    await world.support.paintMask('a0' as ImageId, { width: SIDE, height: SIDE, inside });
    expect(world.support.problem).toMatch(/^a0\.png in hole: the mask covers the whole image/);
    inside.fill(0);
    await world.support.paintMask('a0' as ImageId, { width: SIDE, height: SIDE, inside });
    expect(world.support.shownImage).toEqual({
      imageId: 'a0',
      name: 'a0.png',
      maskedAt: expect.any(Number) as number,
    });
    expect(world.support.problem).toBeUndefined();
  });

  it('from files that are none leave the old one', async () => {
    const world = await holes();
    await world.support.addEntries([entry('a', 0, { mask: mask(0.5) })]);
    await world.support.setMask('a0' as ImageId, mask(0));
    expect(world.last.text).toBe(
      'The mask of a0.png was not taken: the mask is empty; paint where the defect is.',
    );
    expect(world.support.shownImage?.maskShare).toBe(0.5);
    expect(world.support.maskTurn).toBe(0);
    await world.support.setMask('a0' as ImageId, mask(0.25));
    expect(world.support.shownImage?.maskShare).toBe(0.25);
    expect(world.support.maskTurn).toBe(1);
  });
});

describe('changes', () => {
  it('of classes are kept: name, words, the mark of good', async () => {
    const world = await holes();
    const { support } = world;
    expect(await support.renameClass(1, 'good')).toMatch(/^There is a class good already/);
    expect(await support.renameClass(1, 'pit')).toBeUndefined();
    expect(support.shownClass?.name).toBe('pit');
    await support.setStates('pit', ['{o} with a pit']);
    await support.setWords({ objects: ['wafer'], templates: ['a photo of a {s}.'] });
    await support.setNormal(1);
    await support.rename('mine');
    const reloaded = world.opened();
    await reloaded.restore();
    expect(reloaded.open).toMatchObject({ name: 'mine', normal: 1, objects: ['wafer'] });
    expect(reloaded.open?.classes[1]).toMatchObject({ name: 'pit', states: ['{o} with a pit'] });
    await support.setStates('pit', ['']);
    expect(support.problem).toMatch(/^One state of class "pit" is empty/);
  });

  it('one upon the other lose nothing', async () => {
    const world = await holes();
    await Promise.all([
      world.support.addEntries(entries('a', 2)),
      world.support.setStates('hole', ['{o} with a pit']),
      world.support.rename('mine'),
      world.support.addEntries(entries('b', 2)),
    ]);
    expect(world.support.open?.name).toBe('mine');
    expect(world.classes.hole).toEqual(['a0.png', 'a1.png', 'b0.png', 'b1.png']);
    expect(world.support.open?.classes[1].states).toEqual(['{o} with a pit']);
  });

  it('that can’t be stored are not shown, and the next one goes on', async () => {
    const world = await holes();
    world.failing = new AppError('store/quota', 'the browser has no room left to store this');
    await expect(world.support.rename('mine')).rejects.toThrow('no room left');
    expect(world.support.open?.name).toBe('support set');
    world.failing = undefined;
    await world.support.rename('mine');
    expect(world.support.open?.name).toBe('mine');
  });

  it('a class and a set that were deleted come back by undo', async () => {
    const world = await holes();
    await world.support.addEntries(entries('a', 2));
    await world.support.removeClass(0);
    expect(world.support.open).toMatchObject({ normal: 0 });
    await world.undo();
    expect(world.support.open?.classes.map(({ name }) => name)).toEqual(['good', 'hole']);
    expect(world.support.open?.normal).toBe(0);
    await world.support.delete();
    expect([world.support.open, world.records.size]).toEqual([undefined, 0]);
    await world.undo();
    expect(world.classes.hole).toEqual(['a0.png', 'a1.png']);
  });
});

it('prompts are read once for the same words and encoder, and not while they are faulty', async () => {
  const world = await holes();
  await world.support.readPrompts(undefined);
  await world.support.readPrompts(undefined);
  expect(world.readings).toEqual([['good', 'hole']]);
  await world.support.setStates('hole', ['{o} with a hole']);
  await world.support.readPrompts(undefined);
  expect(world.support.readings.get('hole')).toMatchObject({ count: 1 });
  await world.support.setStates('hole', ['a hole']);
  await world.support.readPrompts(undefined);
  expect(world.readings).toHaveLength(2);
});

it('images go to a fit with the places of their classes; a class that is gone takes its images along', async () => {
  const world = await holes();
  await world.support.addEntries(entries('a', 1, { mask: mask(0.5) }));
  await world.support.addClass('pit');
  await world.support.addEntries(entries('b', 1));
  const { id } = world.support.open!;
  const found = await world.support.imagesOf(id, ['pit', 'good', 'hole']);
  expect(found.map(({ name, classIndex, mask: own }) => [name, classIndex, !!own])).toEqual([
    ['a0.png', 2, true],
    ['b0.png', 0, false],
  ]);
  expect(await world.support.imagesOf(id, ['good', 'pit'])).toHaveLength(1);
  expect(await world.support.imagesOf('gone', ['pit'])).toEqual([]);
});
