/** Vectors of classes out of their prompts: a tiny CLIP, by ONNX Runtime's CPU provider. */
import { describe, expect, it } from 'vitest';
import type { BackboneId } from '../../src/base/ids';
import { floatTensor, floats } from '../../src/base/tensor';
import { Encoders } from '../../src/engine/encoders';
import type { SupportSpec } from '../../src/protocol/engine-api';
import { DETAILED_PROMPTS, GENERIC_PROMPTS } from '../../src/text/prompt-presets';
import { promptsOf } from '../../src/text/prompts';
import { bytesAsSource } from '../../src/weights/byte-source';
import { openNodeRuntime } from '../support/node-runtime';
import { TINY_CLIP, tinyClipFile, tinyClipTensors, withTokens } from '../support/tiny-clip';
import { MERGES, tokenizer } from '../text/shipped-tokenizer';

const CHOICE = { backboneId: 'tiny' as BackboneId, activation: 'gelu' } as const;
const runtime = openNodeRuntime();

function open(file: Uint8Array, stored = new Map<string, Float32Array>()): Encoders {
  const embeddings = {
    get: async (encoder: string, of: string) => stored.get(`${encoder}|${of}`),
    put: async (encoder: string, of: string, vector: Float32Array) =>
      void stored.set(`${encoder}|${of}`, vector),
  };
  const openWeights = async () => bytesAsSource(file);
  return new Encoders({ openWeights, openMerges: async () => MERGES, embeddings }, () =>
    Promise.reject(new Error('no image is embedded')),
  );
}

const spec = (names: readonly string[], states = ['{o} with a dent', 'a bent {o}']): SupportSpec => ({
  prompts: {
    classes: names.map((name) => ({ name, states })),
    objects: ['wafer'],
    templates: ['a photo of a {s}.', 'a {s}'],
  },
  normal: 0,
});

/** Runs to the end. @returns the vectors, how many texts were encoded, and what was remarked */
async function texts(encoders: Encoders, given: SupportSpec) {
  const remarks: string[] = [];
  const run = encoders.texts(runtime, CHOICE, given, (text) => remarks.push(text));
  let encoded = 0;
  let step = await run.next();
  for (; !step.done; step = await run.next()) encoded++;
  return { vectors: step.value, encoded, remarks };
}

describe('texts of a support set', () => {
  it('are the normalised mean of the prompts one by one, and are encoded once for an encoder', async () => {
    const stored = new Map<string, Float32Array>();
    const given = spec(['fine', 'dented']);
    const { vectors, encoded } = await texts(open(tinyClipFile(), stored), given);
    const encoder = await open(tinyClipFile()).encoder(CHOICE);
    const sum = new Float64Array(TINY_CLIP.embed);
    for (const text of promptsOf(given.prompts.classes[1], given.prompts)) {
      const own = await encoder.embedText(runtime, tokenizer.encode(text).ids);
      own.forEach((value, i) => (sum[i] += value));
    }
    const length = Math.hypot(...sum);
    const found = floats(vectors.classes).subarray(TINY_CLIP.embed);
    found.forEach((value, i) => expect(value).toBeCloseTo(sum[i] / length, 4));
    expect(vectors.general.shape).toEqual([2, TINY_CLIP.embed]);
    expect(encoded).toBeGreaterThan(1);
    const again = await texts(open(tinyClipFile(), stored), given);
    expect(again.encoded).toBe(0);
    expect(again.vectors).toEqual(vectors);
  });

  it('are those of the file for classes whose prompts are the built-in ones', async () => {
    const rows = Float32Array.from({ length: 9 * TINY_CLIP.embed }, (_, i) => i);
    const file = tinyClipFile({
      ...tinyClipTensors(),
      text_vectors: floatTensor([9, TINY_CLIP.embed], rows),
    });
    const classes = [DETAILED_PROMPTS.classes[5], { ...DETAILED_PROMPTS.classes[2] }];
    const { vectors, encoded } = await texts(open(file), {
      prompts: { ...DETAILED_PROMPTS, classes },
      normal: 1,
    });
    expect(encoded).toBe(0);
    const row = (index: number) => [...rows.subarray(index * TINY_CLIP.embed, (index + 1) * TINY_CLIP.embed)];
    expect([...floats(vectors.classes)]).toEqual([...row(5), ...row(2)]);
    expect([...floats(vectors.general)]).toEqual([...row(7), ...row(8)]);
  });

  it('stand for good or bad in general where the encoder never learnt the words', async () => {
    const known = [
      ...GENERIC_PROMPTS.classes.flatMap((own) => promptsOf(own, GENERIC_PROMPTS)),
      'a bent wafer with a dent photo of.',
    ].flatMap((text) => tokenizer.encode(text).ids);
    const ids = [...new Set(known)].sort((a, b) => a - b);
    const file = tinyClipFile(withTokens(tinyClipTensors(), ids));
    const given = spec(['fine', 'nanospade']);
    const strange = { name: 'nanospade', states: ['{o} with a nanospade'] };
    const prompts = { ...given.prompts, classes: [given.prompts.classes[0], strange] };
    const { vectors, remarks } = await texts(open(file), { prompts, normal: 0 });
    const { embed } = TINY_CLIP;
    expect([...floats(vectors.classes).subarray(embed)]).toEqual([
      ...floats(vectors.general).subarray(embed),
    ]);
    expect(remarks).toEqual([
      'The encoder never learnt the words of "nanospade"; it stands for a defect in general.',
    ]);
  });
});
