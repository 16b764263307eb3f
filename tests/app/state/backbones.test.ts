import { describe, expect, it, vi } from 'vitest';
import { AppError } from '../../../src/base/errors';
import type { BackboneId } from '../../../src/base/ids';
import { BUILT_IN, BUILT_IN_ENCODER, Backbones } from '../../../src/app/state/backbones.svelte';
import { Jobs } from '../../../src/app/state/jobs.svelte';
import { Notices } from '../../../src/app/state/notices.svelte';
import type { BackboneDescription } from '../../../src/protocol/engine-api';
import type { BackboneStore } from '../../../src/store/backbone-store';
import type { BackboneRecord } from '../../../src/store/schema';
import type { SettingsStore } from '../../../src/store/settings-store';

type Found = Omit<BackboneDescription, 'id'>;
const sides = { multipleOf: 8, least: 8, usual: 32 };
const RESNET: Found = { title: 'ResNet-18', architecture: 'resnet18', sides };
const CLIP: Found = { title: 'CLIP ViT-B/32', architecture: 'clip', sides, clip: { activation: 'ask' } };
const SEM: Found = { title: 'SEM encoder', architecture: 'clip', sides, clip: { activation: 'gelu' } };

class World {
  readonly settings = new Map<string, unknown>();
  readonly records = new Map<BackboneId, BackboneRecord>();
  readonly notices = new Notices();
  readonly backbones: Backbones;
  hashes = 0;
  /** What the store waits for after it has looked. */
  reading = Promise.resolve();

  constructor(recognise: () => Found, hash = async (): Promise<string> => 'abc') {
    const store: Pick<BackboneStore, 'all' | 'blob' | 'put' | 'delete'> = {
      all: async () => {
        const found = [...this.records.values()];
        await this.reading;
        return found;
      },
      blob: async (id) => this.records.get(id)?.blob,
      put: async (record) => void this.records.set(record.description.id, record),
      delete: async (id) => void this.records.delete(id),
    };
    this.backbones = new Backbones(
      store as BackboneStore,
      {
        get: async (name: string) => this.settings.get(name),
        put: async (name: string, value: unknown) => void this.settings.set(name, value),
      } as SettingsStore,
      {
        engine: (async (call: (engine: unknown) => Promise<unknown>) =>
          call({
            recognise: async () => recognise(),
            describeBackbone: async (of: BackboneId) =>
              of === BUILT_IN ? { ...RESNET, title: 'EfficientNet-Lite0', id: of } : { ...SEM, id: of },
          })) as never,
        hash: async (_blob, report) => {
          this.hashes++;
          report(0);
          return hash();
        },
      },
      new Jobs(),
      this.notices,
    );
  }

  get last() {
    return this.notices.list.at(-1)!;
  }
}

const file = new File(['weights'], 'some.safetensors');
const id = 'abc' as BackboneId;

describe('a dropped weights file', () => {
  it('of a backbone is stored and offered to detectors', async () => {
    const world = new World(() => RESNET);
    await world.backbones.load();
    await world.backbones.add(file);
    expect(world.backbones.forDetectors.map(({ title }) => title)).toEqual([
      'EfficientNet-Lite0',
      'ResNet-18',
    ]);
    expect(world.backbones.encoders).toMatchObject([
      { description: { id: BUILT_IN_ENCODER }, settled: true, activation: 'gelu', file: undefined },
    ]);
    expect(world.records.get(id)).toEqual({
      description: { ...RESNET, id },
      fileName: 'some.safetensors',
      blob: file,
    });
    expect(world.last.text).toBe('some.safetensors is ResNet-18; it can be chosen as a backbone.');
  });

  it('of a CLIP is offered to questions alone, and its activation asked for once', async () => {
    const world = new World(() => CLIP);
    await world.backbones.add(file);
    expect(world.backbones.forDetectors).toEqual([]);
    expect(world.backbones.encoders).toMatchObject([
      { settled: false, activation: undefined, file: { bytes: 7 } },
    ]);
    const question = world.last;
    expect([question.tone, question.text]).toEqual([
      'question',
      'some.safetensors is CLIP ViT-B/32. Which activation was it trained with?',
    ]);
    expect(question.hint).toMatch(/^The file doesn’t say which\. OpenAI’s weights .* QuickGELU/);
    question.choices.find(({ title }) => title === 'QuickGELU')!.choose();
    await vi.waitFor(() => expect(world.backbones.encoders[0].activation).toBe('quickGelu'));

    const later = new World(() => CLIP);
    later.records.set(id, world.records.get(id)!);
    later.settings.set('activation.abc', world.settings.get('activation.abc'));
    await later.backbones.load();
    expect(later.backbones.encoders.at(-1)!.activation).toBe('quickGelu');
    await later.backbones.setActivation(id, 'gelu');
    await later.backbones.remove(id);
    await later.backbones.add(file);
    expect(later.last.text).toBe('some.safetensors is CLIP ViT-B/32; questions can be put to it under Ask.');
    expect(later.backbones.encoders.at(-1)!.activation).toBe('gelu');
  });

  it('stays when it is dropped while the stored ones are still being read', async () => {
    const world = new World(() => SEM);
    let looked: () => void = () => undefined;
    world.reading = new Promise((resolve) => (looked = resolve));
    const loading = world.backbones.load();
    await new Promise((resolve) => setTimeout(resolve));
    await world.backbones.add(file);
    looked();
    await loading;
    expect(world.backbones.encoders.map(({ description }) => description.id)).toEqual([BUILT_IN_ENCODER, id]);
  });

  it('of a CLIP that tells its activation asks nothing', async () => {
    const world = new World(() => SEM);
    await world.backbones.add(file);
    expect(world.backbones.encoders).toMatchObject([{ settled: true, activation: 'gelu' }]);
    expect(world.last).toMatchObject({ tone: 'fact', choices: [] });
  });

  it('that is there already is said so and stored once', async () => {
    const world = new World(() => CLIP);
    await world.backbones.add(file);
    await world.backbones.setActivation(id, 'gelu');
    expect(world.notices.list).toEqual([]);
    await world.backbones.add(new File(['weights'], 'again.safetensors'));
    expect(world.last.text).toBe('again.safetensors is here already: CLIP ViT-B/32.');
    expect(world.backbones.encoders).toMatchObject([
      { file: { name: 'some.safetensors' }, activation: 'gelu' },
    ]);
  });

  it('that is none is refused before it is hashed', async () => {
    const near = new AppError('model/keys', 'this is nearly CLIP');
    const world = new World(() => {
      throw near;
    });
    await expect(world.backbones.add(file)).rejects.toBe(near);
    expect([world.hashes, world.records.size]).toEqual([0, 0]);
  });

  it('whose reading is cancelled is not stored', async () => {
    const world = new World(
      () => CLIP,
      async () => {
        throw new AppError('cancelled', 'cancelled');
      },
    );
    await world.backbones.add(file);
    expect([world.records.size, world.notices.list.length]).toEqual([0, 0]);
  });
});

it('a deleted encoder comes back by undo', async () => {
  const world = new World(() => SEM);
  await world.backbones.add(file);
  await world.backbones.remove(id);
  expect([world.backbones.encoders, world.records.size]).toEqual([[], 0]);
  const [undo] = world.last.choices;
  expect(undo.title).toBe('Undo');
  undo.choose();
  await vi.waitFor(() => expect(world.backbones.encoders).toHaveLength(1));
  expect(world.records.size).toBe(1);
});
