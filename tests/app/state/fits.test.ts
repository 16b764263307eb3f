import { describe, expect, it } from 'vitest';
import type { BackboneId, ImageId } from '../../../src/base/ids';
import { Fits, whiteOf } from '../../../src/app/state/fits.svelte';
import type { FitImage, FitPlan } from '../../../src/app/state/fits.svelte';
import { evaluationItems } from '../../../src/app/state/inspections.svelte';
import { Jobs } from '../../../src/app/state/jobs.svelte';
import type { Entry } from '../../../src/app/state/library.svelte';
import { Notices } from '../../../src/app/state/notices.svelte';
import type { EngineClient } from '../../../src/app/engine-client';
import type { FitRequest, FitSummary } from '../../../src/protocol/engine-api';
import type { FitStore } from '../../../src/store/fit-store';
import type { FitRecord, ResultRecord, SetRecord } from '../../../src/store/schema';

const SET: SetRecord = { id: 'one', name: 'wafer 7', createdAt: 1 };
const PLAN: FitPlan = {
  method: 'semclip',
  options: {},
  backboneId: 'clip' as BackboneId,
  side: 224,
  seed: 0,
  activation: 'gelu',
  support: {
    prompts: { classes: [{ name: 'good', states: ['{o}'] }], objects: ['wafer'], templates: ['{s}'] },
    normal: 0,
  },
};
const image = (name: string, more: Partial<FitImage> = {}): FitImage => ({
  imageId: name as ImageId,
  name: `${name}.png`,
  image: { blob: new Blob([name]), bits: 8, maxValue: 255 } as FitImage['image'],
  ...more,
});

class World {
  readonly requests: FitRequest[] = [];
  readonly records = new Map<string, FitRecord>();
  readonly fits: Fits;

  constructor() {
    const store: Pick<FitStore, 'putFit' | 'deleteFit'> = {
      putFit: async (fit) => void this.records.set(fit.id, fit),
      deleteFit: async (id) => void this.records.delete(id),
    };
    const client = {
      fit: async (request: FitRequest) => {
        this.requests.push(request);
        return { resumedImages: 0, remarks: [] } as unknown as FitSummary;
      },
      engine: async () => undefined,
    };
    this.fits = new Fits(store as FitStore, client as unknown as EngineClient, new Jobs(), new Notices());
  }
}

describe('a fit on a support set', () => {
  const good = [image('g', { classIndex: 0 })];
  const defects = [image('h', { classIndex: 1, mask: new Blob(['mask']) }), image('s', { classIndex: 2 })];
  const start = async () => {
    const world = new World();
    const images = { good, defects, others: [image('o')], supportSetId: 'few' };
    const fit = await world.fits.start(PLAN, 'SEM-CLIP', SET, images, 255);
    return { world, fit: fit! };
  };

  it('gives the engine classes, masks and good images beside it', async () => {
    const { world, fit } = await start();
    const [request] = world.requests;
    expect(request.spec).toMatchObject({
      fitId: fit.id,
      white: 255,
      activation: 'gelu',
      support: PLAN.support,
    });
    expect(request.good.map(({ id }) => id)).toEqual(['g']);
    expect(request.defects.map((defect) => [defect.image.id, !!defect.mask, defect.classIndex])).toEqual([
      ['h', true, 1],
      ['s', false, 2],
    ]);
    expect(request.others?.map(({ id }) => id)).toEqual(['o']);
    expect(world.records.get(fit.id)).toMatchObject({
      supportSetId: 'few',
      goodIds: ['g'],
      defectIds: ['h', 's'],
    });
  });

  it('is taken up with the images of the support set, or says that some are gone', async () => {
    const { world, fit } = await start();
    await world.fits.resume(fit, 'SEM-CLIP', [...defects, ...good], [image('p')]);
    expect(world.requests[1].defects.map(({ classIndex }) => classIndex)).toEqual([1, 2]);
    expect(world.requests[1].others?.map(({ id }) => id)).toEqual(['p']);
    await expect(world.fits.resume(fit, 'SEM-CLIP', good)).rejects.toThrow(
      '2 of the 3 images of this fit are no longer in the support set',
    );
  });

  it('leaves its images out of the figures', () => {
    const entry = (name: string, className: string) =>
      ({ ...image(name), setId: 'one', position: 0, role: 'inspect', className }) as Entry;
    const fit = { goodIds: ['g'], defectIds: ['h'] } as unknown as FitRecord;
    const result = { score: 1, map: new Float32Array() } as ResultRecord;
    const items = evaluationItems(
      fit,
      [entry('g', 'good'), entry('h', 'hole'), entry('i', 'hole')],
      () => result,
    );
    expect(items.map(({ name }) => name)).toEqual(['i.png']);
  });
});

it('on text alone sends no image', async () => {
  const world = new World();
  await world.fits.start(PLAN, 'SEM-CLIP', SET, { good: [], defects: [], supportSetId: 'few' }, 255);
  expect(world.requests[0]).toMatchObject({ good: [], defects: [] });
  expect('others' in world.requests[0]).toBe(false);
});

it('white is the full scale of the brightest image', () => {
  const deep = (maxValue: number) => ({ image: { bits: 16, maxValue } as FitImage['image'] });
  expect(whiteOf([])).toBe(255);
  expect(whiteOf([image('a')])).toBe(255);
  expect(whiteOf([deep(900), image('a'), deep(1024)])).toBe(2047);
});
