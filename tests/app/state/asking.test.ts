import { describe, expect, it } from 'vitest';
import { AppError } from '../../../src/base/errors';
import type { BackboneId, ImageId } from '../../../src/base/ids';
import { Asking } from '../../../src/app/state/asking.svelte';
import type { Encoder } from '../../../src/app/state/backbones.svelte';
import { Jobs } from '../../../src/app/state/jobs.svelte';
import type { Entry } from '../../../src/app/state/library.svelte';
import type { AskRequest, AskResult, ReadText } from '../../../src/protocol/engine-api';

const encoder = (id: string, activation: Encoder['activation'] = 'gelu'): Encoder => ({
  description: {
    id: id as BackboneId,
    title: `CLIP ${id}`,
    architecture: 'clip',
    sides: { multipleOf: 8, least: 8, usual: 32 },
    clip: { activation: 'ask' },
  },
  file: { name: `${id}.safetensors`, bytes: 1 },
  settled: false,
  activation,
});

const entry = (name: string, image: Partial<Entry['image']> = { bits: 8 }): Entry =>
  ({ imageId: name as ImageId, name, image: { blob: new Blob(), ...image } }) as Entry;

const reading = (part: Partial<ReadText> = {}): ReadText => ({
  tokens: [{ id: 1, text: 'hole', endsWord: true }],
  unusualWords: [],
  unknownTokens: [],
  room: 75,
  dropped: 0,
  ...part,
});

type Answer = (
  request: AskRequest,
  report: (results: readonly AskResult[]) => void,
  signal: AbortSignal,
) => Promise<void>;

class World {
  readonly backbones = { encoders: [encoder('b32'), encoder('b16')] as readonly Encoder[] };
  readonly requests: AskRequest[] = [];
  readonly jobs = new Jobs();
  readonly asking: Asking;
  read: (text: string) => Promise<ReadText> = async () => reading();

  constructor(answer: Answer = async () => undefined) {
    this.asking = new Asking(
      this.backbones,
      {
        engine: (async (call: (engine: unknown) => Promise<unknown>) =>
          call({ readText: (text: string) => this.read(text) })) as never,
        ask: (request, report, signal) => {
          this.requests.push(request);
          return answer(request, report, signal);
        },
      },
      this.jobs,
    );
  }
}

describe('a question', () => {
  it('gives cosines and failures as they come, and counts both', async () => {
    const ticks: unknown[] = [];
    const world = new World(async ({ images }, report) => {
      report([{ imageId: images[0].id, cosine: 0.2 }]);
      ticks.push(world.jobs.running[0].title, world.jobs.running[0].progress?.done);
      report([
        {
          imageId: images[1].id,
          error: { code: 'image/corrupt', message: 'b is cut off', hint: 'Export it.' },
        },
        { imageId: images[2].id, cosine: 0.3 },
      ]);
      ticks.push(world.jobs.running[0].progress?.done, world.jobs.running[0].progress?.total);
    });
    world.asking.text = ' a hole ';
    await world.asking.ask([entry('a'), entry('b'), entry('c', { bits: 16, maxValue: 1000 })]);
    expect(ticks).toEqual(['Asking “a hole”', 1, 3, 3]);
    expect([...world.asking.cosines]).toEqual([
      ['a', 0.2],
      ['c', 0.3],
    ]);
    expect([...world.asking.failures]).toEqual([['b', 'b is cut off. Export it.']]);
    expect(world.asking.question).toMatchObject({ text: 'a hole', asked: 3 });
    expect(world.requests[0].encoder).toEqual({ backboneId: 'b16', activation: 'gelu' });
    // Each image has its own white: its embedding must not hang on the set it is in.
    expect(world.requests[0].images.map(({ white }) => white)).toEqual([255, 255, 1023]);
  });

  it('that is cancelled keeps what came', async () => {
    const world = new World(async ({ images }, report, signal) => {
      report([{ imageId: images[0].id, cosine: 0.2 }]);
      world.asking.cancel();
      if (signal.aborted) throw new AppError('cancelled', 'cancelled');
    });
    world.asking.text = 'a hole';
    await world.asking.ask([entry('a'), entry('b')]);
    expect(world.asking.cosines.size).toBe(1);
    expect([world.asking.running, world.jobs.running]).toEqual([undefined, []]);
  });

  it('ends the one before, whose late results are not shown', async () => {
    let late: (results: readonly AskResult[]) => void = () => undefined;
    let finish: () => void = () => undefined;
    const signals: AbortSignal[] = [];
    const world = new World(async ({ text, images }, report, signal) => {
      signals.push(signal);
      if (text === 'first') {
        late = report;
        await new Promise<void>((resolve) => (finish = resolve));
      } else report([{ imageId: images[0].id, cosine: 0.5 }]);
    });
    world.asking.text = 'first';
    const first = world.asking.ask([entry('a')]);
    world.asking.text = 'second';
    await world.asking.ask([entry('a')]);
    late([{ imageId: 'a' as ImageId, cosine: 0.1 }]);
    finish();
    await first;
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, false]);
    expect(world.asking.cosines.get('a' as ImageId)).toBe(0.5);
  });

  it('is outdated by another encoder or activation', async () => {
    const world = new World();
    world.asking.text = 'a hole';
    await world.asking.ask([entry('a')]);
    expect(world.asking.outdated).toBe(false);
    world.asking.choose('b32' as BackboneId);
    expect(world.asking.outdated).toBe(true);
    world.asking.choose('b16' as BackboneId);
    expect(world.asking.outdated).toBe(false);
    world.backbones.encoders = [encoder('b16', 'quickGelu')];
    expect(world.asking.outdated).toBe(true);
    world.asking.clear();
    expect([world.asking.question, world.asking.outdated]).toEqual([undefined, false]);
  });
});

it('a slower reading of an earlier text is dropped', async () => {
  const world = new World();
  let slow: () => void = () => undefined;
  world.read = async (text) => {
    if (text === 'ho') await new Promise<void>((resolve) => (slow = resolve));
    return reading({ room: text.length });
  };
  world.asking.text = 'ho';
  const first = world.asking.read();
  world.asking.text = 'hole';
  await world.asking.read();
  slow();
  await first;
  expect(world.asking.reading?.room).toBe(4);
  world.asking.text = '';
  await world.asking.read();
  expect(world.asking.reading).toBeUndefined();
});

describe('what stands in the way', () => {
  const problem = async (change: (world: World) => void, images = 1) => {
    const world = new World();
    world.asking.text = 'hole';
    change(world);
    await world.asking.read();
    return world.asking.problem(images);
  };

  it('is said, one thing at a time', async () => {
    expect(await problem(() => undefined)).toBeUndefined();
    expect(await problem(({ backbones }) => (backbones.encoders = []))).toBe('A question needs a CLIP.');
    expect(
      await problem(({ backbones }) => (backbones.encoders = [{ ...encoder('b16'), activation: undefined }])),
    ).toBe('Choose the activation of CLIP b16 first.');
    expect(await problem(() => undefined, 0)).toBe('There are no images to ask about yet.');
    expect(await problem(({ asking }) => (asking.text = '  '))).toBe('Type what the images should show.');
    expect(await problem((world) => (world.read = async () => reading({ tokens: [] })))).toBe(
      'Type what the images should show.',
    );
    expect(
      await problem((world) => (world.read = async () => reading({ unknownTokens: ['whis', 'ker'] }))),
    ).toBe('CLIP b16 never learnt “whis”, “ker”. Use other words, or a published CLIP.');
  });
});
