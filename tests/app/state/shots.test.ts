import { describe, expect, it } from 'vitest';
import { AppError } from '../../../src/base/errors';
import type { BackboneId, ImageId } from '../../../src/base/ids';
import type { FitImage, FitPlan } from '../../../src/app/state/fits.svelte';
import { Jobs } from '../../../src/app/state/jobs.svelte';
import type { Entry } from '../../../src/app/state/library.svelte';
import { Shots, drawShots, shotsFor } from '../../../src/app/state/shots.svelte';
import { supportPlan } from '../../../src/app/state/support-plan';
import type { EngineClient } from '../../../src/app/engine-client';
import type {
  FitRequest,
  Inspection,
  InspectRequest,
  MethodDescription,
} from '../../../src/protocol/engine-api';
import type { EvaluationRequest, PixelsApi } from '../../../src/protocol/pixels-api';

const SUPPORT = {
  prompts: { classes: [], objects: ['wafer'], templates: ['{s}'] },
  normal: 0,
};
const plan = (method: string): FitPlan => ({
  method,
  options: {},
  backboneId: 'clip' as BackboneId,
  side: 32,
  seed: 0,
  support: SUPPORT,
});
const image = (name: string, classIndex: number): FitImage => ({
  imageId: name as ImageId,
  name,
  image: { blob: new Blob([name]) } as FitImage['image'],
  classIndex,
});
const entry = (name: string, className?: string): Entry =>
  ({ ...image(name, 0), className }) as unknown as Entry;
/** Three good ones and five holes. */
const IMAGES = [0, 1, 2].map((i) => image(`g${i}`, 0)).concat([0, 1, 2, 3, 4].map((i) => image(`h${i}`, 1)));
const ENTRIES = [entry('good 1', 'good'), entry('hole 1', 'hole'), entry('unlabelled'), entry('h0', 'hole')];

/** An engine whose figure is the number of images it was taught with. */
class World {
  readonly fits: FitRequest[] = [];
  readonly evaluated: string[][] = [];
  readonly forgotten: string[] = [];
  readonly deleted: string[] = [];
  readonly jobs = new Jobs();
  readonly settings = new Map<string, unknown>();
  readonly shots = this.reloaded();

  constructor(private readonly fail?: (request: FitRequest) => void) {}

  get rows() {
    return this.shots.with('few')?.rows ?? [];
  }

  /** A page that knows what is in the store and nothing else. */
  reloaded(): Shots {
    const evaluate = async ({ items }: EvaluationRequest) => {
      this.evaluated.push(items.map(({ name }) => name));
      const { good, defects } = this.fits.at(-1)!;
      const auroc = good.length + defects.length;
      return { image: { auroc, count: items.length }, pixel: { auroc: null, f1: 0.5 } };
    };
    const client = {
      fit: async (request: FitRequest) => {
        this.fail?.(request);
        this.fits.push(request);
      },
      inspect: async ({ images }: InspectRequest, report: (result: Inspection) => void) =>
        images.forEach(({ id }) => report({ imageId: id, score: 1, map: new Float32Array(1) } as Inspection)),
      pixels: (call: (api: PixelsApi) => unknown) => call({ evaluate } as unknown as PixelsApi),
      engine: (call: (api: { forget(id: string): void }) => unknown) =>
        call({ forget: (id) => void this.forgotten.push(id) }),
    };
    const store = { deleteFit: async (id: string) => void this.deleted.push(id) };
    const settings = {
      get: async <T>(name: string) => this.settings.get(name) as T | undefined,
      put: async (name: string, value: unknown) => void this.settings.set(name, structuredClone(value)),
    };
    return new Shots(store, settings, client as unknown as EngineClient, this.jobs, (method) => method);
  }

  measure(...methods: string[]): Promise<void> {
    const support = { supportSetId: 'few', images: IMAGES, others: [], white: 255 };
    return this.shots.measure(methods.map(plan), support, 'wafer 7', ENTRIES);
  }
}

it('offers numbers of shots up to what the largest class has', () => {
  expect([0, 1, 3, 5, 7, 10].map(shotsFor)).toEqual([
    [],
    [1],
    [1, 2, 5],
    [1, 2, 5],
    [1, 2, 5, 10],
    [1, 2, 5, 10],
  ]);
});

it('draws so many of each class, the same for the same seed, all of a smaller class', () => {
  const names = (shots: number, seed: number) => drawShots(IMAGES, shots, seed).map(({ name }) => name);
  expect(names(5, 0)).toEqual(IMAGES.map(({ name }) => name));
  expect(names(2, 0)).toEqual(names(2, 0));
  expect(names(2, 0).map(([first]) => first)).toEqual(['g', 'g', 'h', 'h']);
  expect(new Set([0, 1, 2, 3, 4, 5].map((seed) => names(1, seed).join())).size).toBeGreaterThan(1);
});

describe('figures by shots', () => {
  it('are one row for each method and number, on labelled images that the support set lacks', async () => {
    const world = new World();
    await world.measure('a', 'b');
    const { rows } = world;
    expect(rows.map(({ method, shots, imageAuroc }) => [method, shots, imageAuroc])).toEqual([
      ['a', 1, 2],
      ['b', 1, 2],
      ['a', 2, 4],
      ['b', 2, 4],
      ['a', 5, 8],
      ['b', 5, 8],
    ]);
    expect(rows[0]).toMatchObject({ pixelAuroc: null, pixelF1: 0.5, tested: 2 });
    for (const names of world.evaluated) expect(names).toEqual(['good 1', 'hole 1']);
    expect(world.fits[0].defects[0].classIndex).toBe(1);
  });

  it('leave nothing behind, also where a fit fails; the row says why and the rest goes on', async () => {
    const world = new World(({ spec, good }) => {
      if (spec.method === 'a' && good.length < 2) throw new AppError('fit/too-few-images', 'two are needed');
    });
    await world.measure('a', 'b');
    expect(world.rows[0]).toMatchObject({
      method: 'a',
      shots: 1,
      imageAuroc: null,
      problem: 'two are needed',
    });
    expect(world.rows.slice(1).map(({ problem }) => problem)).toEqual(new Array(5).fill(undefined));
    expect(world.deleted).toHaveLength(6);
    expect(world.forgotten).toEqual(world.deleted);
  });

  it('stay as far as they got when they are cancelled', async () => {
    const world = new World(({ spec }) => {
      if (spec.method !== 'b') return;
      throw new AppError('cancelled', 'cancelled');
    });
    await world.measure('a', 'b');
    expect(world.rows.map(({ method }) => method)).toEqual(['a']);
    expect(world.jobs.running).toEqual([]);
  });
});

it('figures by shots are found again after a reload, with what they are figures of', async () => {
  const world = new World();
  await world.measure('a');
  const shots = world.reloaded();
  expect(shots.with('few')).toBeUndefined();
  await shots.restore('few');
  expect(shots.with('few')).toEqual(world.shots.with('few'));
  expect(shots.with('few')).toMatchObject({ setId: 'wafer 7', support: SUPPORT, seed: 0 });
  const { method, options, backboneId, side } = plan('a');
  expect(shots.with('few')!.plans).toEqual([{ method, options, backboneId, side }]);
  expect(shots.with('few')!.imageIds).toEqual(IMAGES.map(({ imageId }) => imageId));
  await shots.restore('another');
  expect(shots.with('another')).toBeUndefined();
});

describe('a plan on a support set', () => {
  const method = (standsOn: MethodDescription['standsOn']) => ({ id: 'm', standsOn }) as MethodDescription;
  const sides = { multipleOf: 16, least: 16, usual: 240 };
  const lite0 = { id: 'builtin:efficientnet-lite0', sides: { ...sides, usual: 224 } };
  const encoder = { activation: 'gelu', description: { id: 'clip', sides } };
  const state = (own?: typeof encoder) =>
    ({ asking: { encoder: own }, backbones: { all: [lite0] } }) as unknown as Parameters<
      typeof supportPlan
    >[1];

  it('stands on the encoder where tokens are needed, else on the built-in backbone', () => {
    const taught = (standsOn: MethodDescription['standsOn']) => ({ method: method(standsOn), options: {} });
    expect(supportPlan(taught('clip'), state(encoder), SUPPORT, 3)).toMatchObject({
      backboneId: 'clip',
      activation: 'gelu',
      side: 240,
      seed: 3,
    });
    expect(supportPlan(taught('clip'), state(), SUPPORT, 0)).toBeUndefined();
    expect(supportPlan(taught('backbone'), state(), SUPPORT, 0)).toMatchObject({
      backboneId: 'builtin:efficientnet-lite0',
      side: 224,
    });
  });
});
