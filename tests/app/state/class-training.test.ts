import { beforeEach, describe, expect, it } from 'vitest';
import type { Encoder } from '../../../src/app/state/backbones.svelte';
import { ClassTraining, labelsChanged } from '../../../src/app/state/class-training.svelte';
import type { TrainingRest } from '../../../src/app/state/class-training.svelte';
import type { Labels } from '../../../src/app/state/labels.svelte';
import type { Entry } from '../../../src/app/state/library.svelte';
import type { BackboneId, ImageId } from '../../../src/base/ids';
import { describeClassifiers } from '../../../src/engine/describe';
import type { BackboneDescription } from '../../../src/protocol/engine-api';
import type { ClassFitRecord, SetRecord } from '../../../src/store/schema';

const backbone = (id: string, architecture: string, more: Partial<BackboneDescription> = {}) => ({
  id: id as BackboneId,
  title: id,
  architecture,
  sides: { multipleOf: 32, least: 64, usual: 224 },
  ...more,
});
const CLIP = backbone('clip', 'clip', {
  sides: { multipleOf: 16, least: 240, usual: 240 },
  clip: { activation: 'ask' },
});

const entry = (name: string, className?: string, more: Partial<Entry> = {}) =>
  ({ imageId: name as ImageId, name, ...(className && { className }), ...more }) as Entry;
const SIX = [
  entry('a', 'bridge'),
  entry('b', 'bridge'),
  entry('c', 'hole', { mask: new Blob(['mask']) }),
  entry('d', 'hole'),
  entry('e', 'pit'),
  entry('f'),
];

describe('what is trained next', () => {
  let weights: BackboneDescription[];
  let encoder: Encoder;
  let training: ClassTraining;
  let rest: TrainingRest;
  const labels = { classes: ['bridge', 'hole', 'pit'], counts: [2, 2, 1] } as unknown as Labels;

  beforeEach(() => {
    weights = [backbone('lite0', 'efficientnet-lite0')];
    encoder = { description: CLIP, settled: false, activation: undefined };
    const backbones = {
      get forDetectors() {
        return weights;
      },
      get encoders() {
        return [encoder];
      },
      activationOf: (id: string) => (id === 'clip' ? encoder.activation : undefined),
    };
    const kept = new Map<string, unknown>();
    rest = {
      settings: {
        get: async (name: string) => kept.get(name),
        put: async (name: string, value: unknown) => kept.set(name, value),
      },
      library: { entries: SIX },
      engine: { classifiers: describeClassifiers() },
      backbones,
      inspections: { results: new Map([['d', {}]]) },
    } as unknown as TrainingRest;
    training = new ClassTraining(rest, labels);
  });

  it('every class by the nearest mean on the first backbone', () => {
    expect(training.plan).toMatchObject({
      method: 'nearest-mean',
      backboneId: 'lite0',
      side: 224,
      view: 'frame',
      classes: ['bridge', 'hole', 'pit'],
    });
    expect(training.estimate).toMatchObject({ images: 5, classes: 3 });
    expect(training.remarks).toEqual([expect.stringMatching(/^One image of pit/)]);
    expect(training.withRegion).toBe(2);
  });

  it('a class that is left out is not taught, whatever it is called later', async () => {
    await training.teach('pit', false);
    expect([training.classes, training.images, training.remarks]).toEqual([['bridge', 'hole'], 4, []]);
    await training.renamed('pit', 'hole');
    await training.teach('pit', true);
    expect(training.classes).toEqual(['bridge', 'pit']);
  });

  it('what is left out and which classifier learns is kept for each set', async () => {
    const set = (id: string): SetRecord => ({ id, name: id, createdAt: 1 });
    await training.open(set('one'));
    await training.teach('hole', false);
    await training.teach('pit', false);
    await training.renamed('hole', 'bridge');
    await training.teach('pit', true);
    await training.choose('linear');
    await training.open(set('two'));
    expect(training.classes).toEqual(['bridge', 'hole', 'pit']);
    await training.choose('mlp');
    const again = new ClassTraining(rest, labels);
    await again.open(set('one'));
    expect([again.classes, again.choice.shown]).toEqual([['hole', 'pit'], 'linear']);
    await again.open(set('two'));
    expect([again.classes, again.choice.shown]).toEqual([['bridge', 'hole', 'pit'], 'mlp']);
    await again.open(undefined);
    await again.teach('pit', false);
    expect(again.classes).toEqual(['bridge', 'hole']);
  });

  it('one class only is no task', async () => {
    await training.teach('pit', false);
    await training.teach('hole', false);
    expect(training.problem).toMatch(/^There is one class only, bridge/);
    expect([training.plan, training.estimate]).toEqual([undefined, undefined]);
  });

  it('what a baseline stands on is offered, or named where it lacks', () => {
    training.choice.shown = 'resnet101';
    expect(training.backbones).toEqual([]);
    expect(training.problem).toMatch(/^ResNet-101 stands on weights of resnet101; there are none yet/);
    weights = [...weights, backbone('big', 'resnet101')];
    const again = new ClassTraining(training['rest'], training['labels']);
    again.choice.shown = 'resnet101';
    expect(again.plan?.backboneId).toBe('big');
  });

  it('a CLIP needs its activation, and is used at its own side', () => {
    training.choice.shown = 'semclip';
    training.wantedSide = 512;
    expect([training.problem, training.sides]).toEqual([
      'Choose the activation of clip first: under Ask.',
      [240],
    ]);
    encoder = { ...encoder, activation: 'quickGelu' };
    const again = new ClassTraining(training['rest'], training['labels']);
    again.choice.shown = 'semclip';
    expect(again.plan).toMatchObject({ backboneId: 'clip', side: 240, activation: 'quickGelu' });
  });

  it('heads and experts stand on an encoder, too, when it is chosen', () => {
    encoder = { ...encoder, activation: 'gelu' };
    for (const method of ['nearest-mean', 'recame']) {
      training.choice.shown = method;
      training.wantedBackbone = undefined;
      expect(training.plan).toMatchObject({ backboneId: 'lite0', side: 224 });
      training.wantedBackbone = CLIP.id;
      expect(training.plan).toMatchObject({ backboneId: 'clip', side: 240, activation: 'gelu' });
    }
  });

  it('a seed or an option out of range stops it', () => {
    training.seed = 0.5;
    expect(training.problem).toMatch(/whole number/);
    training.seed = 3;
    training.choice.setValid('nearest-mean', false);
    expect(training.problem).toMatch(/out of its range/);
  });

  it('again: the plan of a fit on the classes that it knows and on new ones', async () => {
    const { plan } = training;
    const fit = { spec: { ...plan, fitId: 'one', white: 255, classes: ['bridge', 'gone'] } };
    await training.teach('hole', false);
    await training.teach('bridge', false);
    const { classes, ...rest } = training.again(fit as unknown as ClassFitRecord);
    expect(classes).toEqual(['bridge', 'pit']);
    expect(rest).toEqual({ ...plan, classes: undefined });
    expect(training.againProblem(fit as unknown as ClassFitRecord, 'Linear head')).toBeUndefined();
  });
});

describe('labels changed since a fit', () => {
  const fit = {
    spec: { classes: ['bridge', 'hole'] },
    taught: [
      { imageId: 'a', classIndex: 0 },
      { imageId: 'b', classIndex: 0 },
      { imageId: 'c', classIndex: 1 },
      { imageId: 'd', classIndex: 1 },
    ],
  } as unknown as ClassFitRecord;
  const changed = (entries: readonly Entry[], classes = ['bridge', 'hole']) =>
    labelsChanged(fit, entries, classes);

  it.each([
    ['none', SIX, 0],
    ['another class', [entry('a', 'hole'), ...SIX.slice(1)], 1],
    ['no class any more', [entry('a'), ...SIX.slice(1)], 1],
    ['a new label', [...SIX, entry('g', 'hole')], 1],
    ['an image taken out', SIX.slice(1), 1],
    ['a label of a class that is not taught', [...SIX, entry('g', 'pit')], 0],
  ] as const)('%s', (_, entries, count) => {
    expect(changed(entries)).toBe(count);
  });

  it('an image that couldn’t be read is no change', () => {
    const partly = { ...fit, taught: fit.taught.slice(1), unread: [fit.taught[0].imageId] };
    expect(labelsChanged(partly, SIX, ['bridge', 'hole'])).toBe(0);
  });

  it('a class that is taught from now on counts with its images', () => {
    expect(changed(SIX, ['bridge', 'hole', 'pit'])).toBe(1);
  });
});
