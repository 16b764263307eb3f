/** Questions in words: a tiny CLIP, by ONNX Runtime's CPU provider. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { AppError } from '../../src/base/errors';
import type { BackboneId, ImageId, JobId } from '../../src/base/ids';
import { Rng } from '../../src/base/rng';
import { floatTensor, floats, intTensor } from '../../src/base/tensor';
import type { TensorData } from '../../src/base/tensor';
import { Asking } from '../../src/engine/asking';
import { loadBackbone } from '../../src/engine/backbones';
import { Encoders } from '../../src/engine/encoders';
import { l2Normalise } from '../../src/graph/ops/index';
import type { Value } from '../../src/graph/value';
import type { ClipConfig } from '../../src/nn/clip/config';
import { readClip, recogniseClip } from '../../src/nn/clip/recognise';
import { TextTower } from '../../src/nn/clip/text';
import { VisionTower, clipNormalise } from '../../src/nn/clip/vision';
import { FrozenWeights } from '../../src/nn/frozen-weights';
import { FrozenLayers } from '../../src/nn/layers';
import type { Activation, AskResult, ImageSource, Match } from '../../src/protocol/engine-api';
import type { PixelSpec } from '../../src/protocol/pixels-api';
import { bytesAsSource } from '../../src/weights/byte-source';
import type { ByteSource } from '../../src/weights/byte-source';
import { Safetensors, encodeSafetensors } from '../../src/weights/safetensors';
import { TestEngine } from '../support/engine';
import { evaluate, openNodeRuntime } from '../support/node-runtime';
import { TINY_CLIP, tinyClipFile, tinyClipTensors, withTokens } from '../support/tiny-clip';
import { MERGES, tokenizer } from '../text/shipped-tokenizer';

const SIDE = TINY_CLIP.imageSide;
const TENSORS = tinyClipTensors();
const FILE = tinyClipFile(TENSORS);
const QUESTION = 'a particle between two lines';

/** Everything that a question needs, and what it took of it. */
class World {
  readonly loaded: PixelSpec[] = [];
  readonly stored = new Map<string, Float32Array>();
  readonly ranges: number[] = [];
  merges = 0;
  readonly asking: Asking;
  readonly #testEngine = new TestEngine(SIDE);
  #jobs = 0;

  constructor(file: Uint8Array = FILE, stored = new Map<string, Float32Array>()) {
    this.stored = stored;
    const source = bytesAsSource(file);
    const watched: ByteSource = {
      size: source.size,
      slice: (start, end) => {
        this.ranges.push(end - start);
        return source.slice(start, end);
      },
    };
    const { engine } = this.#testEngine;
    const parts = {
      openWeights: async () => watched,
      openMerges: async () => {
        this.merges++;
        return MERGES;
      },
      loadPixels: async ({ name }: ImageSource, spec: PixelSpec) => {
        this.loaded.push(spec);
        if (name === 'broken')
          throw new AppError('image/corrupt', 'broken is cut off', { hint: 'Export it.' });
        return plane(name);
      },
      embeddings: {
        get: async (encoder: string, of: string) => stored.get(`${encoder}|${of}`),
        put: async (encoder: string, of: string, embedding: Float32Array) =>
          void stored.set(`${encoder}|${of}`, embedding),
      },
    };
    const stem = () => Promise.reject(new Error('there is no stem'));
    const encoders = new Encoders(parts, ({ activation }) => loadBackbone(watched, { activation, stem }));
    this.asking = new Asking(
      {
        encoders,
        runtime: () => engine.runtime(),
        withRecovery: (work) => engine.withRecovery(work),
        endIfCancelled: (jobId) => engine.endIfCancelled(jobId),
        ended: (jobId) => engine.ended(jobId),
      },
      parts,
    );
  }

  async ask(
    text: string,
    names: readonly string[],
    activation: Activation = 'gelu',
    onResults: (jobId: JobId) => void = () => undefined,
  ): Promise<AskResult[]> {
    const jobId = `job.${this.#jobs++}` as JobId;
    const found: AskResult[] = [];
    const images = names.map((name) => ({ id: name as ImageId, name, blob: new Blob(), white: 255 }));
    const encoder = { backboneId: 'tiny' as BackboneId, activation };
    await this.asking.ask({ jobId, encoder, text, images }, (results) => {
      found.push(...results);
      onResults(jobId);
    });
    return found;
  }

  cancel = (jobId: JobId): void => this.#testEngine.engine.cancel(jobId);
}

function plane(name: string): Float32Array {
  const rng = new Rng(1, name);
  return Float32Array.from({ length: SIDE * SIDE }, () => rng.uniform());
}

/** The cosine by the towers alone: whole token table, no padding. */
async function direct(file: Uint8Array, name: string, activation: Activation): Promise<number> {
  const opened = await Safetensors.open(bytesAsSource(file));
  const clip = recogniseClip(new Map([...opened.tensors].map(([own, { shape }]) => [own, shape])))!;
  const weights = new FrozenWeights(await readClip(clip, (own) => opened.read(own)));
  const config: ClipConfig = { ...clip.shape, activation };
  const { ids } = tokenizer.encode(QUESTION);
  const feeds: Record<string, TensorData> = {
    grey: floatTensor([1, 1, SIDE, SIDE], plane(name)),
    ids: intTensor([1, ids.length], ids),
    end: intTensor([1], [ids.length - 1]),
  };
  const { image, text } = await evaluate(openNodeRuntime(), feeds, (values, graph) => {
    const layers = new FrozenLayers(graph, weights, 0);
    const vision = new VisionTower(layers, config);
    const tokens: readonly Value[] = vision.run(vision.place(clipNormalise(values.grey)));
    const texts = new TextTower(layers, config);
    return {
      image: l2Normalise(vision.projectClass(tokens[4])),
      text: l2Normalise(texts.encode(texts.lookUp(values.ids), values.end)),
    };
  });
  return floats(image).reduce((sum, value, i) => sum + value * floats(text)[i], 0);
}

const cosineOf = (results: readonly AskResult[], name: string): number =>
  (results.find(({ imageId }) => imageId === name) as Match).cosine;

describe('the cosine of a text and an image', () => {
  it.each(['gelu', 'quickGelu'] as const)(
    "is that of the towers' embeddings, with %s",
    async (activation) => {
      const file = tinyClipFile();
      const world = new World(file);
      const found = await world.ask(QUESTION, ['one', 'two'], activation);
      for (const name of ['one', 'two'])
        expect(cosineOf(found, name)).toBeCloseTo(await direct(FILE, name, activation), 5);
      expect(world.loaded).toEqual(Array(2).fill({ side: SIDE, kernel: 'bicubic', white: 255 }));
    },
  );

  it("is the same under Hugging Face's names", async () => {
    const file = tinyClipFile(tinyClipTensors('hugging-face'));
    expect(cosineOf(await new World(file).ask(QUESTION, ['one']), 'one')).toBeCloseTo(
      await direct(file, 'one', 'gelu'),
      5,
    );
  });

  it('never takes the token table as a whole', async () => {
    const world = new World();
    await world.ask(QUESTION, ['one']);
    const { width, vocabulary } = TINY_CLIP.text;
    // 40 kB of header and positions are the largest piece.
    expect(Math.max(...world.ranges)).toBeLessThan((2 * width * vocabulary) / 100);
  });
});

describe('images', () => {
  it('are read once for an encoder; the store has them for the next visit', async () => {
    const world = new World();
    const first = await world.ask(QUESTION, ['one', 'two', 'three']);
    expect(world.loaded).toHaveLength(3);
    await world.ask('a scratch', ['three', 'two', 'one']);
    expect(world.loaded).toHaveLength(3);
    const later = new World(FILE, world.stored);
    expect(await later.ask(QUESTION, ['one', 'two', 'three'])).toEqual(first);
    expect(later.loaded).toHaveLength(0);
    expect(world.merges).toBe(1);
  });

  it('are read anew with another activation', async () => {
    const world = new World();
    const gelu = await world.ask(QUESTION, ['one']);
    const quick = await world.ask(QUESTION, ['one'], 'quickGelu');
    expect(world.loaded).toHaveLength(2);
    expect(cosineOf(quick, 'one')).not.toBe(cosineOf(gelu, 'one'));
  });

  it('that fail are named, and the rest goes on', async () => {
    const found = await new World().ask(QUESTION, ['one', 'broken', 'two']);
    expect(found.map(({ imageId }) => imageId)).toEqual(['one', 'broken', 'two']);
    expect(found[1]).toEqual({
      imageId: 'broken',
      error: { code: 'image/corrupt', message: 'broken is cut off', hint: 'Export it.' },
    });
  });

  it('that were read before a cancel stay so', async () => {
    const world = new World();
    await expect(world.ask(QUESTION, ['one', 'two', 'three'], 'gelu', world.cancel)).rejects.toMatchObject({
      code: 'cancelled',
    });
    expect([...world.stored.keys()]).toEqual(['tiny.gelu|one']);
    expect(await world.ask(QUESTION, ['one', 'two', 'three'])).toHaveLength(3);
  });

  it('are kept in memory where the store is full', async () => {
    const full = new Map<string, Float32Array>();
    full.set = () => {
      throw new AppError('store/quota', 'full');
    };
    const world = new World(FILE, full);
    await world.ask(QUESTION, ['one']);
    await world.ask(QUESTION, ['one']);
    expect(world.loaded).toHaveLength(1);
  });
});

const tiny = { backboneId: 'tiny' as BackboneId, activation: 'gelu' } as const;

describe('a text', () => {
  it('is read in tokens; unusual words in parts', async () => {
    const { tokens, unusualWords, ...rest } = await new World().asking.readText('A nanowire, 55nm', tiny);
    expect(tokens.map(({ text }) => text)).toEqual(['a', 'nanow', 'ire', ',', '5', '5', 'nm']);
    expect(unusualWords).toEqual(['nanowire']);
    expect(rest).toEqual({ unknownTokens: [], dropped: 0, room: 75 });
  });

  it('that is too long is cut, and the cut one is asked', async () => {
    const long = Array(80).fill('scratch').join(' ');
    const world = new World();
    expect(await world.asking.readText(long, tiny)).toMatchObject({ dropped: 5, room: 75 });
    const cut = Array(75).fill('scratch').join(' ');
    expect(await world.ask(long, ['one'])).toEqual(await world.ask(cut, ['one']));
  });

  it.each(['', '  ', '<end_of_text>'])('of no words, "%s", is no question', async (text) => {
    await expect(new World().ask(text, ['one'])).rejects.toMatchObject({
      code: 'text/prompt',
      message: 'there is no word in the question',
    });
  });

  it('is told by the tokens that an encoder of fewer has not learnt', async () => {
    const { ids } = tokenizer.encode('a scratch');
    const file = encodeSafetensors(withTokens(TENSORS, ids));
    const world = new World(file);
    expect(await world.asking.readText('a deep scratch', tiny)).toMatchObject({ unknownTokens: ['deep'] });
    await expect(world.ask('a deep scratch', ['one'])).rejects.toMatchObject({ code: 'text/prompt' });
    const whole = await new World(encodeSafetensors(TENSORS)).ask('a scratch', ['one']);
    expect(await world.ask('a scratch', ['one'])).toEqual(whole);
  });
});

describe('the prompts of a class', () => {
  const of = (...states: readonly string[]) => ({
    classes: [{ name: 'scratch', states }],
    objects: ['chip'],
    templates: ['a {s}', 'the {s}'],
  });

  it('are all read: those too long are counted, and the longest is told', async () => {
    const long = `{o} ${Array(80).fill('scratch').join(' ')}`;
    const [read] = await new World().asking.readPrompts(of('{o} with a scratch', long), tiny);
    expect(read).toMatchObject({ count: 4, cut: 2, unread: 0, unknownTokens: [] });
    expect(read.longest).toMatchObject({ tokens: 82, room: 75 });
    expect(await new World().asking.readPrompts(of('{o}'), tiny)).toEqual([
      { count: 2, cut: 0, unread: 0, unknownTokens: [] },
    ]);
  });

  it('with words that an encoder of fewer never learnt are counted, and the words told', async () => {
    const { ids } = tokenizer.encode('a the chip with scratch');
    const { asking } = new World(encodeSafetensors(withTokens(TENSORS, ids)));
    const [read] = await asking.readPrompts(of('{o} with a scratch', '{o} with a deep pit'), tiny);
    expect(read).toMatchObject({ count: 4, unread: 2, unknownTokens: ['deep', 'pit'] });
  });
});

it('weights that are no CLIP answer nothing', async () => {
  const world = new World(readFileSync('public/models/efficientnet-lite0.safetensors'));
  await expect(world.ask(QUESTION, ['one'])).rejects.toMatchObject({
    code: 'model/unknown',
    message: 'these weights are no CLIP',
  });
});
