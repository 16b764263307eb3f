import * as ort from 'onnxruntime-node';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { AppError } from '../../src/base/errors';
import type { BackboneId, FitId, ImageId, JobId } from '../../src/base/ids';
import { Rng } from '../../src/base/rng';
import { Classifying } from '../../src/engine/classification';
import { fittingRoles, tappedRoles } from '../../src/engine/features';
import { completeOptions } from '../../src/methods/options';
import type {
  ClassFitSpec,
  ClassFitSummary,
  Classification,
  LabelledSource,
} from '../../src/protocol/classes-api';
import type { ImageSource, InspectionFailure, JobProgress } from '../../src/protocol/engine-api';
import { TestEngine } from '../support/engine';

const SIDE = 64;
const CLASSES = ['stripes', 'checks', 'dots'];
const JOB = 'job' as JobId;

/** A picture of a class with noise in it. */
function picture(own: number, seed: number): Float32Array {
  const rng = new Rng(seed, `picture.${own}`);
  const shift = rng.integer(8);
  const pattern = [
    (x: number) => Number((x + shift) % 8 < 4),
    (x: number, y: number) => Number((x + shift) % 16 < 8 === y % 16 < 8),
    (x: number, y: number) => Number(((x + shift) % 16) ** 2 + (y % 16) ** 2 < 30),
  ][own];
  return Float32Array.from({ length: SIDE * SIDE }, (_, at) =>
    Math.min(1, 0.2 + 0.5 * pattern(at % SIDE, Math.floor(at / SIDE)) + 0.1 * rng.uniform()),
  );
}

describe('teaching classes', () => {
  let test: TestEngine;
  let classifying: Classifying;
  let images: LabelledSource[];

  beforeEach(() => {
    test = new TestEngine(SIDE);
    classifying = new Classifying(test.engine, test.collaborators);
    images = CLASSES.flatMap((name, classIndex) =>
      Array.from({ length: 6 }, (_, i) => ({
        image: test.add(`${name}.${i}`, picture(classIndex, i)),
        classIndex,
      })),
    );
  });

  const specOf = (method: string, options: Record<string, unknown> = {}): ClassFitSpec => ({
    fitId: `classes.${method}` as FitId,
    method,
    options: completeOptions(Classifying.method(method).options, options),
    backboneId: 'builtin:efficientnet-lite0' as BackboneId,
    side: SIDE,
    seed: 0,
    white: 255,
    classes: CLASSES,
    view: 'frame',
  });
  const quick = { flips: false };
  const fit = (
    spec: ClassFitSpec,
    some: readonly LabelledSource[] = images,
    report: (progress: JobProgress) => void = () => undefined,
  ): Promise<ClassFitSummary> => classifying.fit({ jobId: JOB, spec, images: some }, report);

  async function classify(spec: ClassFitSpec, some: readonly ImageSource[]) {
    const found: (Classification | InspectionFailure)[] = [];
    await classifying.classify({ jobId: JOB, spec, images: some }, (result) => void found.push(result));
    return found;
  }
  const asked = () =>
    CLASSES.flatMap((name, own) =>
      [20, 21].map((seed) => test.add(`asked.${name}.${seed}`, picture(own, seed))),
    );
  const failure = (work: Promise<unknown>): Promise<AppError> =>
    work.then(
      () => expect.unreachable(),
      (error: unknown) => error as AppError,
    );

  it('tells images that it never saw, with probabilities and how sure it is', async () => {
    const spec = specOf('linear', quick);
    const summary = await fit(spec);
    expect(summary.steps).toBe(300);
    // Every image was set aside once.
    expect(summary.sureness?.n).toBe(18);
    expect(new Set(summary.heldOut.map(({ imageId }) => imageId)).size).toBe(18);
    expect(summary.sureness!.temperature).toBeGreaterThan(0.05);
    const found = (await classify(spec, asked())) as Classification[];
    expect(found).toHaveLength(6);
    for (const [i, { probabilities }] of found.entries()) {
      expect(probabilities.reduce((sum, p) => sum + p, 0)).toBeCloseTo(1, 5);
      expect(probabilities.indexOf(Math.max(...probabilities))).toBe(Math.floor(i / 2));
    }
  });

  it('unfinished work of one round is not taken up by another; features are made once', async () => {
    const spec = specOf('linear', quick);
    const embedded = new Set<string>();
    const { checkpoints } = test.collaborators;
    const trained: string[] = [];
    let decoded = 0;
    const spying = new Classifying(test.engine, {
      ...test.collaborators,
      loadPixels: (image, pixels) => {
        decoded++;
        return test.collaborators.loadPixels(image, pixels);
      },
      checkpoints: {
        ...checkpoints,
        get: async (_id, key) => {
          if (key.includes('training')) trained.push(key);
          return test.checkpoints.get(`${spec.fitId}|${key}`);
        },
        put: (id, key, piece) => {
          expect(embedded.has(key)).toBe(false);
          embedded.add(key);
          return checkpoints.put(id, key, piece);
        },
      },
    });
    await spying.fit({ jobId: JOB, spec, images }, () => undefined);
    // Three rounds with a third set aside, and one on everything.
    expect(trained).toEqual([0, 1, 2, 3].map((round) => `${round}.training.head`));
    expect(embedded.size).toBe(Math.ceil(18 / 4));
    // Once for the features, once when it is told without having been seen.
    expect(decoded).toBe(2 * 18);
  });

  it('exports one model from pixels to the same probabilities, with what it wants', async () => {
    const spec = specOf('linear', quick);
    await fit(spec);
    const [image] = asked();
    const [told] = (await classify(spec, [image])) as Classification[];
    const model = await classifying.export(spec);
    const session = await ort.InferenceSession.create(model);
    const plane = await test.collaborators.loadPixels(image, { side: SIDE, white: 255, kernel: 'bilinear' });
    const feeds = { image: new ort.Tensor('float32', plane, [1, 1, SIDE, SIDE]) };
    const { probabilities } = await session.run(feeds);
    for (const [c, p] of [...(probabilities.data as Float32Array)].entries())
      expect(p).toBeCloseTo(told.probabilities[c], 4);
    const text = new TextDecoder('latin1').decode(model);
    expect(text).toContain('["stripes","checks","dots"]');
    expect(text).toContain('"resize":"squashed to a square"');
  });

  it('one image of each class: no image is set aside, and the temperature is 1', async () => {
    const some = CLASSES.map((_, c) => images[6 * c]);
    const summary = await fit(specOf('nearest-mean', quick), some);
    expect(summary.sureness).toBeNull();
  });

  it('an image that cannot be read is told, and the rest goes on', async () => {
    const spec = specOf('knn', quick);
    await fit(spec);
    const good = asked();
    const load = test.collaborators.loadPixels.bind(test.collaborators);
    const engine = new Classifying(test.engine, {
      ...test.collaborators,
      loadPixels: (image, pixels) =>
        image.name === 'broken'
          ? Promise.reject(new AppError('image/corrupt', 'broken can not be decoded'))
          : load(image, pixels),
    });
    const broken: ImageSource = { id: 'broken' as ImageId, name: 'broken', blob: new Blob() };
    const found: (Classification | InspectionFailure)[] = [];
    await engine.classify(
      { jobId: JOB, spec, images: [good[0], broken, good[1]] },
      (one) => void found.push(one),
    );
    expect(found.filter((one) => 'error' in one)).toMatchObject([{ imageId: 'broken' }]);
    expect(found).toHaveLength(3);
  });

  it.each([
    [
      'one class only',
      (all: LabelledSource[]) => [{ classes: ['stripes'] }, all.slice(0, 6)] as const,
      'one class only',
    ],
    [
      'a class without an image',
      (all: LabelledSource[]) => [{}, all.slice(0, 12)] as const,
      'no image is labelled dots',
    ],
    [
      'one picture with two labels',
      (all: LabelledSource[]) => [{}, [...all, { ...all[0], classIndex: 1 }]] as const,
      'stripes.0 has two labels: stripes and checks',
    ],
  ])('%s: an error with a remedy', async (_name, change, text) => {
    const [part, some] = change(images);
    const error = await failure(fit({ ...specOf('linear', quick), ...part }, some));
    expect(error).toBeInstanceOf(AppError);
    expect(error.code).toBe('fit/classes');
    expect(error.message).toContain(text);
    expect(error.hint).not.toBe('');
  });

  it('a classifier of another architecture is refused by name', async () => {
    const error = await failure(fit(specOf('resnet101', quick)));
    expect(error.code).toBe('fit/backbone');
    expect(error.message).toContain('EfficientNet-Lite0');
  });

  it('a fit that is not in the store says so', async () => {
    const error = await failure(classify(specOf('linear'), asked()));
    expect(error.code).toBe('store/missing');
  });

  it('a cancelled fit ends and stores nothing', async () => {
    const spec = specOf('linear', quick);
    const error = await failure(
      fit(spec, images, ({ phase }) => phase === 'features' && test.engine.cancel(JOB)),
    );
    expect(error.code).toBe('cancelled');
    expect(test.states.has(spec.fitId)).toBe(false);
  });

  it('what memory can not hold is refused before any work', async () => {
    test = new TestEngine(SIDE, 1000);
    classifying = new Classifying(test.engine, test.collaborators);
    const error = await failure(fit(specOf('linear', quick)));
    expect(error.code).toBe('fit/memory');
    expect(error.message).toContain('18 labelled images');
  });

  it('fine-tuning moves the backbone, and is said', async () => {
    const spec = specOf('efficientnet', { ...quick, tuning: 'whole', epochs: 1, batch: 4, steps: 20 });
    const two = { ...spec, classes: CLASSES.slice(0, 2) };
    const summary = await fit(
      two,
      images.filter((_, i) => i < 12 && i % 3 === 0),
    );
    expect(summary.remarks).toContain('Fine-tuned: the whole backbone was trained.');
    const state = test.states.get(two.fitId)!;
    expect(Object.keys(state).filter((name) => name.startsWith('backbone.')).length).toBeGreaterThan(200);
    const found = await classify(two, asked().slice(0, 2));
    expect(found.every((one) => 'probabilities' in one)).toBe(true);
  }, 60_000);

  it('what a fit alone taps is not tapped on images that are told', async () => {
    const spec = specOf('recame', { agnostic: true, experts: '1', width: 16, views: 1, epochs: 1, batch: 8 });
    const recame = Classifying.method('recame');
    expect(tappedRoles(recame, spec.options)).toEqual(['level3']);
    expect(fittingRoles(recame, spec.options)).toEqual(['level3', 'level1']);
    expect(fittingRoles(recame, specOf('recame').options)).toEqual(['level3']);
    const summary = await fit(spec);
    expect(summary.remarks.join(' ')).toMatch(/Domains found at the first level: [234], of .+ images\./);
    expect(Object.keys(test.states.get(spec.fitId)!).filter((name) => /agnostic/.test(name))).toEqual([]);
    const found = (await classify(spec, asked())) as Classification[];
    for (const { probabilities } of found)
      expect(probabilities.reduce((sum, p) => sum + p, 0)).toBeCloseTo(1, 5);
  });
});

describe('what a fit costs', () => {
  let test: TestEngine;
  beforeAll(() => {
    test = new TestEngine(SIDE);
  });
  it.each(['linear', 'mlp', 'nearest-mean', 'knn'])(
    '%s: memory, and a step where there are steps',
    async (method) => {
      const classifying = new Classifying(test.engine, test.collaborators);
      const request = {
        method,
        options: completeOptions(Classifying.method(method).options, {}),
        backboneId: 'builtin:efficientnet-lite0' as BackboneId,
        side: SIDE,
        images: 30,
        classes: 5,
      };
      expect((await classifying.estimate(request)).fitBytes).toBeGreaterThan(30 * 1280 * 4);
      const cost = await classifying.measure(request);
      expect(cost.training?.iterations).toBe(['linear', 'mlp'].includes(method) ? 300 : undefined);
      expect(cost).toMatchObject({ rounds: 4, passes: 4 });
      expect(cost.backboneMs).toBeGreaterThan(0);
    },
  );

  it('counts what is embedded and kept for the fit alone', async () => {
    const classifying = new Classifying(test.engine, test.collaborators);
    const request = (agnostic: boolean) => ({
      method: 'recame',
      options: completeOptions(Classifying.method('recame').options, { agnostic, width: 16, batch: 8 }),
      backboneId: 'builtin:efficientnet-lite0' as BackboneId,
      side: SIDE,
      images: 30,
      classes: 5,
    });
    const [on, off] = [await classifying.estimate(request(true)), await classifying.estimate(request(false))];
    expect(on.fitBytes).toBeGreaterThan(off.fitBytes);
    expect(on.stateBytes).toBe(off.stateBytes);
    expect(await classifying.measure(request(true))).toMatchObject({ passes: 5, rounds: 1 });
  });
});
