import { describe, expect, it } from 'vitest';
import { AppError } from '../../../src/base/errors';
import type { BackboneId, ImageId } from '../../../src/base/ids';
import { Classifiers, classProblem, classRemarks } from '../../../src/app/state/classifiers.svelte';
import type { ClassPlan } from '../../../src/app/state/classifiers.svelte';
import { Jobs } from '../../../src/app/state/jobs.svelte';
import type { Entry } from '../../../src/app/state/library.svelte';
import { Notices } from '../../../src/app/state/notices.svelte';
import type {
  ClassFitRequest,
  ClassFitSummary,
  Classification,
  ClassifyRequest,
} from '../../../src/protocol/classes-api';
import type { InspectionFailure } from '../../../src/protocol/engine-api';
import type { ClassFitStore } from '../../../src/store/class-fit-store';
import type { ClassFitRecord, ClassResultRecord, SetRecord } from '../../../src/store/schema';

const SET: SetRecord = { id: 'one', name: 'wafer 7', createdAt: 1 };
const PLAN: ClassPlan = {
  method: 'linear',
  options: {},
  backboneId: 'lite' as BackboneId,
  side: 224,
  seed: 0,
  view: 'frame',
  classes: ['bridge', 'hole'],
};
const entry = (id: string, className?: string, mask?: Blob): Entry =>
  ({
    imageId: id as ImageId,
    name: `${id}.png`,
    image: { blob: new Blob([id]), bits: 8, maxValue: 255 },
    ...(className && { className }),
    ...(mask && { mask }),
  }) as Entry;
const ENTRIES = [
  entry('a', 'bridge', new Blob(['mask'])),
  entry('b', 'hole'),
  entry('c', 'good'),
  entry('d'),
];

class World {
  readonly fitRequests: ClassFitRequest[] = [];
  readonly asked: ClassifyRequest[] = [];
  readonly fits = new Map<string, ClassFitRecord>();
  readonly results = new Map<string, ClassResultRecord>();
  readonly notices = new Notices();
  readonly classifiers: Classifiers;
  summary: Promise<ClassFitSummary> = Promise.resolve({
    heldOut: [],
    remarks: [],
  } as unknown as ClassFitSummary);
  failing = '';
  /** Can't be decoded, in training either. */
  corrupt: readonly string[] = [];

  constructor(maps: readonly string[] = []) {
    const store: Pick<ClassFitStore, 'putFit' | 'deleteFit' | 'putResult' | 'results' | 'fits'> = {
      fits: async () => [...this.fits.values()],
      putFit: async (fit) => void this.fits.set(fit.id, fit),
      deleteFit: async (id) => void this.fits.delete(id),
      putResult: async (result) => void this.results.set(result.imageId, result),
      results: async () => [...this.results.values()],
    };
    const client = {
      fitClasses: async (request: ClassFitRequest) => {
        this.fitRequests.push(request);
        const broken = request.images.find(({ image }) => this.corrupt.includes(image.id));
        if (broken) throw new AppError('image/corrupt', `${broken.image.name} is cut off`);
        return this.summary;
      },
      classify: async (
        request: ClassifyRequest,
        report: (one: Classification | InspectionFailure) => void,
      ) => {
        this.asked.push(request);
        for (const { id, crop } of request.images)
          report(
            id === this.failing
              ? {
                  imageId: id,
                  error: { code: 'image/corrupt', message: 'b.png is broken', hint: 'Drop it again.' },
                }
              : {
                  imageId: id,
                  probabilities: Float32Array.of(crop ? 0.9 : 0.6, crop ? 0.1 : 0.4),
                  durationMs: 1,
                },
          );
      },
      engine: async () => undefined,
      pixels: (call: (pixels: unknown) => unknown) =>
        call({
          // One pixel of the mask, in the upper left corner.
          mask: async () => Uint8Array.from({ length: 64 * 64 }, (_, i) => Number(i === 0)),
          summarise: async (_blob: Blob, name: string) => {
            if (this.corrupt.includes(name.replace('.png', '')))
              throw new AppError('image/corrupt', `${name} is cut off`, { hint: 'Copy it again.' });
          },
        }),
    };
    const map = new Float32Array(100);
    map[99] = 1;
    this.classifiers = new Classifiers(
      store as ClassFitStore,
      client as never,
      new Jobs(),
      this.notices,
      (id) => (maps.includes(id) ? { map, side: 10 } : undefined),
    );
  }

  async open(): Promise<this> {
    await this.classifiers.openSet(SET);
    return this;
  }
}

describe('training on labels', () => {
  it('teaches the images of the chosen classes and keeps how they were labelled', async () => {
    const world = await new World().open();
    const fit = await world.classifiers.start(PLAN, 'Linear head', ENTRIES);
    const [{ images, spec }] = world.fitRequests;
    expect(images.map(({ image, classIndex }) => [image.id, classIndex])).toEqual([
      ['a', 0],
      ['b', 1],
    ]);
    expect(spec).toMatchObject({ classes: ['bridge', 'hole'], white: 255, fitId: fit!.id });
    expect(world.fits.get(fit!.id)?.taught).toEqual([
      { imageId: 'a', classIndex: 0 },
      { imageId: 'b', classIndex: 1 },
    ]);
    expect(world.classifiers.fit?.id).toBe(fit!.id);
  });

  it('crops are around the mask, else around what a detector found; without either it is the frame, and said', async () => {
    const world = await new World(['b']).open();
    await world.classifiers.start(
      { ...PLAN, view: 'crop', classes: ['bridge', 'hole', 'good'] },
      'Linear head',
      ENTRIES,
    );
    const crops = world.fitRequests[0].images.map(({ image }) => image.crop);
    expect(crops[0]).toEqual({ x: 0, y: 0, width: 0.5, height: 0.5 });
    expect(crops[1]).toEqual({ x: 0.5, y: 0.5, width: 0.5, height: 0.5 });
    expect(crops[2]).toBeUndefined();
    expect(world.notices.list.at(-1)!.text).toContain('1 image without a mask');
  });

  it('a cancelled fit, and one that fails, leave nothing behind', async () => {
    const world = await new World().open();
    world.summary = Promise.reject(new AppError('cancelled', 'cancelled'));
    expect(await world.classifiers.start(PLAN, 'Linear head', ENTRIES)).toBeUndefined();
    world.summary = Promise.reject(new AppError('fit/diverged', 'no number'));
    await expect(world.classifiers.start(PLAN, 'Linear head', ENTRIES)).rejects.toThrow('no number');
    expect(world.fits.size).toBe(0);
    expect(world.classifiers.list).toEqual([]);
  });

  it('a fit whose images were taken out cannot be resumed', async () => {
    const world = await new World().open();
    const fit = (await world.classifiers.start(PLAN, 'Linear head', ENTRIES))!;
    await expect(world.classifiers.resume(fit, 'Linear head', ENTRIES.slice(1))).rejects.toThrow(
      '1 of the 2 images',
    );
  });

  it('a class called by another name is so in every fit', async () => {
    const world = await new World().open();
    const fit = (await world.classifiers.start(PLAN, 'Linear head', ENTRIES))!;
    await world.classifiers.rename('hole', 'pit');
    expect(world.fits.get(fit.id)?.spec.classes).toEqual(['bridge', 'pit']);
    expect(world.classifiers.fit?.spec.classes).toEqual(['bridge', 'pit']);
  });

  it('a deleted class whose name another takes is told apart from it in every fit', async () => {
    const world = await new World().open();
    const fit = (await world.classifiers.start(PLAN, 'Linear head', ENTRIES))!;
    await world.classifiers.rename('hole', 'bridge');
    expect(world.fits.get(fit.id)?.spec.classes).toEqual(['bridge (deleted)', 'bridge']);
    await world.classifiers.rename('bridge', 'hole');
    expect(world.fits.get(fit.id)?.spec.classes).toEqual(['bridge', 'hole']);
    await world.classifiers.rename('pit', 'bridge');
    expect(world.classifiers.fit?.spec.classes).toEqual(['bridge (deleted)', 'hole']);
  });
});

describe('telling classes', () => {
  it('whole frames and crops are both told where a region is known; the one that was taught counts', async () => {
    const world = await new World(['d']).open();
    await world.classifiers.start(PLAN, 'Linear head', ENTRIES);
    await world.classifiers.classify(ENTRIES);
    expect(world.asked.map(({ images }) => images.map(({ id }) => id))).toEqual([
      ['a', 'b', 'c', 'd'],
      ['a', 'd'],
    ]);
    const a = world.classifiers.results.get('a' as ImageId)!;
    expect(a.probabilities[0]).toBeCloseTo(0.6, 6);
    expect(a.other![0]).toBeCloseTo(0.9, 6);
    expect(world.results.get('b')?.other).toBeUndefined();
  });

  it('an image that fails says why, the rest is kept', async () => {
    const world = await new World().open();
    await world.classifiers.start(PLAN, 'Linear head', ENTRIES);
    world.failing = 'b';
    await world.classifiers.classify(ENTRIES);
    expect(world.classifiers.failures.get('b' as ImageId)).toBe('b.png is broken. Drop it again.');
    expect(world.notices.list[0]).toMatchObject({
      text: '1 image can’t be read: no class is told.',
      details: [{ name: 'b.png', reason: 'is broken. Drop it again.' }],
    });
    expect(world.results.size).toBe(3);
  });
});

describe('images that can’t be read', () => {
  const MORE = [...ENTRIES, entry('e', 'hole'), entry('f', 'bridge')];

  it('are named, and the others are taught', async () => {
    const world = await new World().open();
    world.corrupt = ['b', 'f', 'd'];
    const fit = await world.classifiers.start(PLAN, 'Linear head', MORE);
    expect(world.fitRequests.map(({ images }) => images.map(({ image }) => image.id))).toEqual([
      ['a', 'b', 'e', 'f'],
      ['a', 'e'],
    ]);
    const ids = world.fitRequests.map(({ spec }) => spec.fitId);
    // What is kept of an unfinished fit is by the places of its images.
    expect(ids[1]).not.toBe(ids[0]);
    expect(fit?.id).toBe(ids[1]);
    expect([...world.fits.keys()]).toEqual([ids[1]]);
    expect(world.classifiers.list.map(({ id }) => id)).toEqual([ids[1]]);
    expect(fit?.taught).toEqual([
      { imageId: 'a', classIndex: 0 },
      { imageId: 'e', classIndex: 1 },
    ]);
    expect(fit?.unread).toEqual(['b', 'f']);
    expect(world.notices.list).toMatchObject([
      {
        text: 'Linear head is taught without 2 images that can’t be read.',
        details: [
          { name: 'b.png', reason: 'is cut off. Copy it again.' },
          { name: 'f.png', reason: 'is cut off. Copy it again.' },
        ],
      },
    ]);
  });

  it('another failure is what it is, though it may look like one of an image', async () => {
    const world = await new World().open();
    for (const code of ['fit/diverged', 'image/corrupt'] as const) {
      world.summary = Promise.reject(new AppError(code, 'something else'));
      await expect(world.classifiers.start(PLAN, 'Linear head', MORE)).rejects.toMatchObject({ code });
    }
    expect([world.fits.size, world.classifiers.list, world.notices.list]).toEqual([0, [], []]);
  });
});

describe('what training lacks', () => {
  it.each([
    [['bridge'], [0], 'there is none'],
    [['bridge'], [3], 'one class only, bridge'],
    [['bridge', 'hole'], [3, 0], 'No image is labelled hole'],
    [['a', 'b', 'c'], [1, 1, 0], 'more classes than labelled images, 3 for 2'],
    [['bridge', 'hole'], [3, 1], undefined],
  ])('%j with %j images', (classes, counts, text) => {
    const problem = classProblem({ title: 'Linear head' }, classes, counts);
    if (text) expect(problem).toContain(text);
    else expect(problem).toBeUndefined();
  });

  it('a class of one image is remarked on', () => {
    expect(classRemarks(['bridge', 'hole'], [3, 1])[0]).toContain('One image of hole');
    expect(classRemarks(['bridge', 'hole'], [3, 2])).toEqual([]);
  });
});
