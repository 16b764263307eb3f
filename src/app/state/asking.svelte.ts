import { SvelteMap } from 'svelte/reactivity';
import type { BackboneId, ImageId, JobId } from '../../base/ids';
import type { AskResult, EncoderChoice, ReadText } from '../../protocol/engine-api';
import type { EngineClient } from '../engine-client';
import type { Backbones, Encoder } from './backbones.svelte';
import { whiteOf } from './fits.svelte';
import type { Job, Jobs } from './jobs.svelte';
import type { Entry } from './library.svelte';
import { failureOf } from './reason';

/** A question that was put to the images. */
export interface Question {
  readonly text: string;
  readonly encoder: Encoder;
  /** Images it was put to. */
  readonly asked: number;
}

const LONGEST_TITLE = 40;

/** Free text against the images of the open set. */
export class Asking {
  text = $state('');
  /** The text as the encoder reads it. */
  reading = $state.raw<ReadText | undefined>(undefined);
  question = $state.raw<Question | undefined>(undefined);
  running = $state.raw<Job | undefined>(undefined);
  readonly cosines = new SvelteMap<ImageId, number>();
  /** Images that could not be read, and why. */
  readonly failures = new SvelteMap<ImageId, string>();
  #chosen = $state.raw<BackboneId | undefined>(undefined);
  #readings = 0;

  constructor(
    private readonly backbones: Pick<Backbones, 'encoders'>,
    private readonly client: Pick<EngineClient, 'ask' | 'engine'>,
    private readonly jobs: Jobs,
  ) {}

  /** The chosen encoder, or the last one listed. */
  get encoder(): Encoder | undefined {
    const { encoders } = this.backbones;
    return encoders.find(({ description }) => description.id === this.#chosen) ?? encoders.at(-1);
  }

  /** Whether the encoder was changed since the question. */
  get outdated(): boolean {
    const { question, encoder } = this;
    const sameChoice =
      question?.encoder.description.id === encoder?.description.id &&
      question?.encoder.activation === encoder?.activation;
    return !!question && !sameChoice;
  }

  choose(id: BackboneId | undefined): void {
    this.#chosen = id;
  }

  /** Why nothing can be asked now, in the order of what is to be done; undefined when it can. */
  problem(images: number): string | undefined {
    const { encoder, reading } = this;
    if (!encoder) return 'A question needs a CLIP.';
    if (!encoder.activation) return `Choose the activation of ${encoder.description.title} first.`;
    if (!images) return 'There are no images to ask about yet.';
    if (!this.text.trim() || reading?.tokens.length === 0) return 'Type what the images should show.';
    if (reading?.unknownTokens.length)
      return `${encoder.description.title} never learnt “${reading.unknownTokens.join('”, “')}”. Use other words, or a published CLIP.`;
    return undefined;
  }

  /** Reads the text as it stands; a slower answer to an earlier one is dropped. @throws model/… */
  async read(): Promise<void> {
    const turn = ++this.#readings;
    const { text, encoder } = this;
    const choice = encoder && choiceOf(encoder);
    const reading = text && (await this.client.engine((engine) => engine.readText(text, choice)));
    if (turn === this.#readings) this.reading = reading || undefined;
  }

  /** Puts the text to images; cosines are shown as they come, and stay when it is cancelled. @throws text/…, model/… */
  async ask(entries: readonly Entry[]): Promise<void> {
    const { encoder, text } = this;
    const choice = encoder && choiceOf(encoder);
    if (!choice) return;
    this.cancel();
    const question: Question = { text: text.trim(), encoder, asked: entries.length };
    this.question = question;
    this.cosines.clear();
    this.failures.clear();
    const start = performance.now();
    const shown =
      question.text.length > LONGEST_TITLE ? `${question.text.slice(0, LONGEST_TITLE)}…` : question.text;
    await this.jobs.run(`Asking “${shown}”`, async (job) => {
      this.running = job;
      const tick = (phase: string) => {
        const done = this.cosines.size + this.failures.size;
        const elapsedMs = performance.now() - start;
        const remainingMs = done ? (elapsedMs / done) * (entries.length - done) : undefined;
        job.progress = { phase, done, total: entries.length, unit: 'images', elapsedMs, remainingMs };
      };
      tick('opening the encoder');
      const take = (results: readonly AskResult[]) => {
        if (this.question !== question) return;
        for (const result of results)
          if ('error' in result) this.failures.set(result.imageId, failureOf(result));
          else this.cosines.set(result.imageId, result.cosine);
        tick('reading images');
      };
      const images = entries.map((entry) => ({
        id: entry.imageId,
        name: entry.name,
        blob: entry.image.blob,
        white: whiteOf([entry]),
      }));
      const jobId = crypto.randomUUID() as JobId;
      try {
        await this.client.ask({ jobId, encoder: choice, text, images }, take, job.signal);
      } finally {
        if (this.running === job) this.running = undefined;
      }
    });
  }

  cancel(): void {
    this.running?.cancel();
  }

  /** Another set is open: the answer was not about it. */
  clear(): void {
    this.cancel();
    this.question = undefined;
    this.cosines.clear();
    this.failures.clear();
  }
}

const choiceOf = ({ description, activation }: Encoder): EncoderChoice | undefined =>
  activation && { backboneId: description.id, activation };
