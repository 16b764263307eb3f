import { AppError } from '../base/errors';
import { toHex } from '../base/ids';
import { kept } from '../base/kept';
import { unit } from '../base/unit';
import type { FitProgress, TextSource, TextVectors } from '../methods/contract';
import { stackVectors } from '../methods/kit/feature-cache';
import { recogniseClip } from '../nn/clip/recognise';
import type { EncoderChoice, SupportSpec } from '../protocol/engine-api';
import type { Runtime } from '../runtime/runtime';
import { CLASS_NAMES } from '../sample/classes';
import { DETAILED_PROMPTS, GENERIC_PROMPTS } from '../text/prompt-presets';
import { promptsOf } from '../text/prompts';
import type { ClassPrompts, PromptFrame } from '../text/prompts';
import { ClipTokenizer } from '../text/tokenizer';
import { Safetensors } from '../weights/safetensors';
import { shapesOf } from './backbones';
import type { LoadedBackbone } from './backbones';
import { ClipEncoder } from './clip-encoder';
import type { EncoderCollaborators } from './collaborators';

/** Prompts that go through a text tower together. */
const TOGETHER = 32;

/** The encoders in use, and what was encoded for good: a class's prompts are read once for an encoder. */
export class Encoders {
  readonly #opened = new Map<string, Promise<ClipEncoder>>();
  readonly #tokenizers = new Map<'clip', Promise<ClipTokenizer>>();

  /** @param vision the vision tower of an encoder */
  constructor(
    private readonly parts: EncoderCollaborators,
    private readonly vision: (choice: EncoderChoice) => Promise<LoadedBackbone>,
  ) {}

  /** @throws model/… when the weights are missing or no CLIP */
  encoder(choice: EncoderChoice): Promise<ClipEncoder> {
    return kept(this.#opened, keyOf(choice), async () => {
      const file = await Safetensors.open(await this.parts.openWeights(choice.backboneId));
      const clip = recogniseClip(shapesOf(file));
      if (!clip) throw new AppError('model/unknown', 'these weights are no CLIP', { hint: 'Choose a CLIP.' });
      return new ClipEncoder(file, clip, choice.activation, () => this.vision(choice));
    });
  }

  tokenizer(): Promise<ClipTokenizer> {
    return kept(this.#tokenizers, 'clip', async () => new ClipTokenizer(await this.parts.openMerges()));
  }

  /**
   * A vector for each class: the normalised mean of its prompts' unit vectors; and the same for good and bad in general.
   * Prompts with words that the encoder never learnt don't count; a class without any other stands for good or bad in
   * general, and `remark` is told so.
   * @throws text/prompt for an empty prompt, run/not-finite, gpu/lost
   * @source methods.md 16.3 (8)
   */
  async *texts(
    runtime: Runtime,
    choice: EncoderChoice,
    { prompts, normal }: SupportSpec,
    remark: (text: string) => void,
  ): AsyncGenerator<FitProgress, TextVectors> {
    const encoder = await this.encoder(choice);
    const groups = [prompts, GENERIC_PROMPTS].flatMap((set) =>
      set.classes.map((of) => ({ group: groupOf(of, set), texts: promptsOf(of, set) })),
    );
    const total = groups.reduce((sum, { texts }) => sum + texts.length, 0);
    const vectors: (Float32Array | undefined)[] = [];
    let done = 0;
    for (const { group, texts } of groups) {
      const steps = this.#groupVector(runtime, choice, encoder, group, texts);
      let step = await steps.next();
      while (!step.done) {
        yield { phase: 'prompts', done: done + step.value, total, unit: 'texts' };
        step = await steps.next();
      }
      vectors.push(step.value);
      done += texts.length;
    }
    const general = vectors.splice(prompts.classes.length).map((row) => row!);
    const classes = vectors.map((row, i) => {
      if (row) return row;
      const like = i === normal ? 'good' : 'a defect';
      const { name } = prompts.classes[i];
      remark(`The encoder never learnt the words of "${name}"; it stands for ${like} in general.`);
      return general[i === normal ? 0 : 1];
    });
    return { classes: stackVectors(classes), general: stackVectors(general) };
  }

  /** @throws model/… when the weights are missing or no CLIP */
  async textTower(choice: EncoderChoice): Promise<TextSource> {
    const encoder = await this.encoder(choice);
    const tokenizer = await this.tokenizer();
    const { config } = encoder;
    return {
      config,
      weights: await encoder.textWeights(),
      async embedTokens(text) {
        const { ids } = tokenizer.encode(text, config.text.context);
        return (await encoder.unknown(ids)).size ? undefined : encoder.embedTokens(ids);
      },
    };
  }

  /** Yields how many of the texts are done. @returns undefined when the encoder knows the words of none */
  async *#groupVector(
    runtime: Runtime,
    choice: EncoderChoice,
    encoder: ClipEncoder,
    group: number | undefined,
    texts: readonly string[],
  ): AsyncGenerator<number, Float32Array | undefined> {
    const shipped = await encoder.shippedVector(group);
    if (shipped) return shipped;
    const key = await keyOfTexts(texts);
    const known = await this.parts.embeddings.get(keyOf(choice), key);
    if (known) return known;
    const tokenizer = await this.tokenizer();
    const { embed, text } = encoder.config;
    const all = texts.map((own) => tokenizer.encode(own, text.context).ids);
    const strange = await encoder.unknown(all.flat());
    const ids = all.filter((own) => !own.some((id) => strange.has(id)));
    if (!ids.length) return undefined;
    const sum = new Float64Array(embed);
    for (let first = 0; first < ids.length; first += TOGETHER) {
      for (const row of await encoder.embedTexts(runtime, ids.slice(first, first + TOGETHER), TOGETHER))
        row.forEach((value, i) => (sum[i] += value));
      yield Math.min(first + TOGETHER, ids.length);
    }
    const vector = unit(sum);
    // A full store costs the next fit time, and this one nothing.
    await this.parts.embeddings.put(keyOf(choice), key, vector).catch(() => undefined);
    return vector;
  }
}

/** An encoder with its activation: the same weights see otherwise with another. */
export const keyOf = ({ backboneId, activation }: EncoderChoice): string => `${backboneId}.${activation}`;

/** Which of the built-in encoder's groups of captions a class's prompts are exactly; undefined when none. */
function groupOf(of: ClassPrompts, frame: PromptFrame): number | undefined {
  const groups = [
    ...CLASS_NAMES.map((name) => [name, DETAILED_PROMPTS] as const),
    ['good', GENERIC_PROMPTS] as const,
    ['defect', GENERIC_PROMPTS] as const,
  ];
  const found = groups.findIndex(([name, set]) => {
    const states = set.classes.find((own) => own.name === name)!.states;
    return (
      same(states, of.states) && same(set.objects, frame.objects) && same(set.templates, frame.templates)
    );
  });
  return found < 0 ? undefined : found;
}

const same = (a: readonly string[], b: readonly string[]): boolean =>
  a.length === b.length && a.every((text, i) => text === b[i]);

/** Stands for some texts in the store of embeddings, beside the hashes of images. */
async function keyOfTexts(texts: readonly string[]): Promise<string> {
  const bytes = new TextEncoder().encode(JSON.stringify(texts));
  return `texts.${toHex(new Uint8Array(await crypto.subtle.digest('SHA-256', bytes)))}`;
}
