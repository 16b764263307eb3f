import { AppError, toAppError } from '../base/errors';
import type { ImageId } from '../base/ids';
import type {
  AskRequest,
  AskResult,
  AskedImage,
  EncoderChoice,
  Match,
  PromptSet,
  ReadPrompts,
  ReadText,
} from '../protocol/engine-api';
import { promptsOf } from '../text/prompts';
import { CONTEXT_LENGTH } from '../text/tokenizer';
import type { ClipEncoder } from './clip-encoder';
import type { Collaborators } from './collaborators';
import { keyOf } from './encoders';
import type { Engine } from './engine';

/** Beside a text's own tokens stand its start and its end. */
const START_AND_END = 2;

/** Free text against images: each image is embedded once for an encoder, each question runs the text tower alone. */
export class Asking {
  /** By encoder and image: the store may be full, and is slower. */
  readonly #embeddings = new Map<string, Float32Array>();

  constructor(
    private readonly engine: Pick<
      Engine,
      'encoders' | 'runtime' | 'withRecovery' | 'endIfCancelled' | 'ended'
    >,
    private readonly parts: Pick<Collaborators, 'loadPixels' | 'embeddings'>,
  ) {}

  /**
   * A text as an encoder reads it; by CLIP's own vocabulary and length where there is no encoder yet.
   * @throws model/… when the tokenizer's or the encoder's file can't be read
   */
  async readText(text: string, choice?: EncoderChoice): Promise<ReadText> {
    const tokenizer = await this.engine.encoders.tokenizer();
    const encoder = choice && (await this.engine.encoders.encoder(choice));
    const context = encoder?.config.text.context ?? CONTEXT_LENGTH;
    const tokens = tokenizer.tokens(text);
    const unknown = await encoder?.unknown(tokens.map(({ id }) => id));
    const strange = tokens.filter(({ id }) => unknown?.has(id)).map((token) => token.text);
    return {
      tokens,
      unusualWords: tokenizer.unusualWords(text),
      unknownTokens: [...new Set(strange)],
      dropped: tokenizer.encode(text, context).dropped,
      room: context - START_AND_END,
    };
  }

  /**
   * Every prompt of each class as an encoder reads it; by CLIP's own vocabulary and length where there is no encoder.
   * @throws text/prompt for words that make no prompts, model/…
   */
  async readPrompts(prompts: PromptSet, choice?: EncoderChoice): Promise<ReadPrompts[]> {
    const tokenizer = await this.engine.encoders.tokenizer();
    const encoder = choice && (await this.engine.encoders.encoder(choice));
    const room = (encoder?.config.text.context ?? CONTEXT_LENGTH) - START_AND_END;
    const read: ReadPrompts[] = [];
    for (const own of prompts.classes) {
      const texts = promptsOf(own, prompts).map((text) => ({ text, tokens: tokenizer.tokens(text) }));
      const unknown = await encoder?.unknown(texts.flatMap(({ tokens }) => tokens.map(({ id }) => id)));
      const strange = texts.map(({ tokens }) => tokens.filter(({ id }) => unknown?.has(id)));
      const longest = texts.reduce((most, next) => (next.tokens.length > most.tokens.length ? next : most));
      const cut = texts.filter(({ tokens }) => tokens.length > room).length;
      read.push({
        count: texts.length,
        cut,
        ...(cut && { longest: { text: longest.text, tokens: longest.tokens.length, room } }),
        unread: strange.filter(({ length }) => length).length,
        unknownTokens: [...new Set(strange.flat().map(({ text }) => text))],
      });
    }
    return read;
  }

  /**
   * The cosine of a text with each image, reported in parts as they come; an image that can't be read is reported as
   * such and the rest goes on. Ends within a batch when it is cancelled; images that were embedded by then stay so.
   * @throws text/prompt for a text without tokens, model/…, cancelled
   */
  async ask(
    { jobId, encoder: choice, text, images }: AskRequest,
    report: (results: readonly AskResult[]) => void | Promise<void>,
  ): Promise<void> {
    try {
      const encoder = await this.engine.encoders.encoder(choice);
      const { ids } = (await this.engine.encoders.tokenizer()).encode(text, encoder.config.text.context);
      if (ids.length === START_AND_END)
        throw new AppError('text/prompt', 'there is no word in the question', {
          hint: 'Type what the images should show.',
        });
      const words = await this.engine.withRecovery((runtime) => encoder.embedText(runtime, ids));
      const match = (imageId: ImageId, seen: Float32Array): Match => ({
        imageId,
        cosine: product(words, seen),
      });
      const known: Match[] = [];
      const fresh: AskedImage[] = [];
      const embeddings = await Promise.all(images.map(({ id }) => this.#embedding(keyOf(choice), id)));
      for (const [i, image] of images.entries()) {
        const seen = embeddings[i];
        if (seen) known.push(match(image.id, seen));
        else fresh.push(image);
      }
      if (known.length) await report(known);
      const batch = encoder.batchOn(await this.engine.runtime());
      let next = this.#load(encoder, fresh.slice(0, batch));
      for (let first = 0; first < fresh.length; first += batch) {
        this.engine.endIfCancelled(jobId);
        const loaded = await next;
        // The next batch is decoded while this one is computed.
        next = this.#load(encoder, fresh.slice(first + batch, first + 2 * batch));
        const planes = loaded.flatMap(({ plane }) => plane ?? []);
        const seen = await this.engine.withRecovery((runtime) => encoder.embedImages(runtime, planes));
        const results: AskResult[] = [];
        for (const { image, plane, error } of loaded) {
          if (plane) {
            const embedding = seen.shift()!;
            await this.#keep(keyOf(choice), image.id, embedding);
            results.push(match(image.id, embedding));
          } else results.push({ imageId: image.id, error });
        }
        await report(results);
      }
    } finally {
      this.engine.ended(jobId);
    }
  }

  /** Reads some images; those that fail say why instead. */
  #load({ config }: ClipEncoder, images: readonly AskedImage[]) {
    const read = async (image: AskedImage) => {
      try {
        const spec = { side: config.imageSide, kernel: 'bicubic', white: image.white } as const;
        return { image, plane: await this.parts.loadPixels(image, spec) };
      } catch (caught) {
        const { code, message, hint } = toAppError(caught);
        return { image, error: { code, message, hint } };
      }
    };
    return Promise.all(images.map(read));
  }

  async #embedding(encoder: string, imageId: ImageId): Promise<Float32Array | undefined> {
    const key = `${encoder}|${imageId}`;
    const known = this.#embeddings.get(key) ?? (await this.parts.embeddings.get(encoder, imageId));
    if (known) this.#embeddings.set(key, known);
    return known;
  }

  async #keep(encoder: string, imageId: ImageId, embedding: Float32Array): Promise<void> {
    this.#embeddings.set(`${encoder}|${imageId}`, embedding);
    // A full store costs the next visit time, and this one nothing.
    await this.parts.embeddings.put(encoder, imageId, embedding).catch(() => undefined);
  }
}

/** Of unit vectors, the cosine. */
function product(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}
