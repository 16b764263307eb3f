import { SvelteMap } from 'svelte/reactivity';
import type { BackboneId } from '../../base/ids';
import type { Activation, BackboneDescription } from '../../protocol/engine-api';
import type { BackboneStore } from '../../store/backbone-store';
import type { BackboneRecord } from '../../store/schema';
import type { SettingsStore } from '../../store/settings-store';
import type { EngineClient } from '../engine-client';
import type { Jobs } from './jobs.svelte';
import type { Notice, Notices } from './notices.svelte';

export const BUILT_IN: BackboneId = 'builtin:efficientnet-lite0' as BackboneId;
/** The small CLIP that was trained on synthetic SEM images. */
export const BUILT_IN_ENCODER: BackboneId = 'builtin:sem-encoder' as BackboneId;

/** Both forms of the smooth step that CLIPs are trained with, as the user chooses between them. */
export const ACTIVATIONS: readonly { readonly value: Activation; readonly title: string }[] = [
  { value: 'gelu', title: 'GELU' },
  { value: 'quickGelu', title: 'QuickGELU' },
];

/** Why it is asked, and where the answer stands. @source methods.md 22.1 */
export const ACTIVATION_REASON =
  'The file doesn’t say which. OpenAI’s weights and LAION-400M’s B/32 use QuickGELU, LAION’s others GELU; ' +
  'config.json beside the published file tells it as quick_gelu or hidden_act.';

/** What is said in an encoder's place; once the engine runs, there is at least the one that is built in. */
export const NO_ENCODER_YET = 'Encoders are known once the engine has started.';

/** A CLIP; `activation` is undefined as long as the user hasn't answered. */
export interface Encoder {
  readonly description: BackboneDescription;
  /** The file that was dropped; undefined for what ships with the app. */
  readonly file?: { readonly name: string; readonly bytes: number };
  /** Whether the file itself tells it. */
  readonly settled: boolean;
  readonly activation: Activation | undefined;
}

const MEGA = 1e6;

const USUAL_SIDES = [128, 160, 224, 256, 320, 448, 512];

/** Sides around a backbone's usual one, each a multiple of what it needs. */
export function sidesOf({ sides: { multipleOf, least, usual } }: BackboneDescription): number[] {
  const near = USUAL_SIDES.map((side) => Math.round(side / multipleOf) * multipleOf);
  return [...new Set([...near, usual])].filter((side) => side >= least).sort((a, b) => a - b);
}

/** Weights files: the built-in backbone and what the user dropped, for detectors and for questions in words. */
export class Backbones {
  #builtIn = $state.raw<readonly BackboneDescription[]>([]);
  #dropped = $state.raw<readonly BackboneRecord[]>([]);
  /** What the user answered, kept apart from the weights: to store those again is to write a gigabyte. */
  readonly #activations = new SvelteMap<BackboneId, Activation>();
  /** Notices that wait for an answer, which may be given elsewhere. */
  readonly #questions = new Map<BackboneId, Notice>();

  all = $derived([...this.#builtIn, ...this.#dropped.map(({ description }) => description)]);
  /** Those whose layers detectors can stand on. */
  forDetectors = $derived(this.all.filter(({ clip }) => !clip));
  encoders: readonly Encoder[] = $derived(
    [
      ...this.#builtIn.map((description) => ({ description })),
      ...this.#dropped.map(({ description, fileName, blob }) => ({
        description,
        file: { name: fileName, bytes: blob.size },
      })),
    ].flatMap((known) => encoderOf(known, this.#activations.get(known.description.id)) ?? []),
  );

  constructor(
    private readonly store: BackboneStore,
    private readonly settings: SettingsStore,
    private readonly client: Pick<EngineClient, 'engine' | 'hash'>,
    private readonly jobs: Jobs,
    private readonly notices: Notices,
  ) {}

  /** What weights are called; undefined once their file was deleted. */
  titleOf(id: BackboneId): string | undefined {
    return this.all.find((backbone) => backbone.id === id)?.title;
  }

  /** Of a CLIP, as far as it is known. */
  activationOf(id: BackboneId): Activation | undefined {
    return this.encoders.find(({ description }) => description.id === id)?.activation;
  }

  async load(): Promise<void> {
    const describe = (id: BackboneId) => this.client.engine((engine) => engine.describeBackbone(id));
    this.#builtIn = [await describe(BUILT_IN), await describe(BUILT_IN_ENCODER)];
    const dropped = await this.store.all();
    for (const { description } of dropped) if (description.clip) await this.#recall(description.id);
    // What was dropped meanwhile stays.
    const known = new Set(dropped.map(({ description }) => description.id));
    this.#dropped = [...dropped, ...this.#dropped.filter(({ description }) => !known.has(description.id))];
  }

  /**
   * Offers a dropped weights file; of a CLIP it asks what the file doesn't tell.
   * @returns what it is, undefined when reading was cancelled
   * @throws model/…, store/quota
   */
  async add(file: File): Promise<BackboneDescription | undefined> {
    // The header alone first: a file that is no use is refused before its bytes are hashed.
    const found = await this.client.engine((engine) => engine.recognise(file));
    const id = await this.#hash(file);
    if (!id) return undefined;
    const known = this.all.find((backbone) => backbone.id === id);
    if (known) {
      this.notices.say(`${file.name} is here already: ${known.title}.`);
      return known;
    }
    const description = { ...found, id };
    const record: BackboneRecord = { description, fileName: file.name, blob: file };
    await this.store.put(record);
    // The store's copy stays when the file is moved.
    this.#dropped = [...this.#dropped, { ...record, blob: (await this.store.blob(id)) ?? file }];
    const is = `${file.name} is ${found.title}`;
    if (!found.clip) this.notices.say(`${is}; it can be chosen as a backbone.`);
    // One that was here before has been asked about.
    else if (found.clip.activation !== 'ask' || (await this.#recall(id)))
      this.notices.say(`${is}; questions can be put to it under Ask.`);
    else
      this.#questions.set(
        id,
        this.notices.ask(
          `${is}. Which activation was it trained with?`,
          ACTIVATIONS.map(({ value, title }) => ({ title, choose: () => this.#answered(id, value, title) })),
          { hint: `${ACTIVATION_REASON} It can be changed under Ask.` },
        ),
      );
    return description;
  }

  /** Keeps the user's answer for these weights. */
  async setActivation(id: BackboneId, activation: Activation): Promise<void> {
    await this.settings.put(settingOf(id), activation);
    this.#activations.set(id, activation);
    this.#closeQuestion(id);
  }

  async #recall(id: BackboneId): Promise<boolean> {
    const known = await this.settings.get<Activation>(settingOf(id));
    if (known) this.#activations.set(id, known);
    return !!known;
  }

  /** Deletes dropped weights; `undo` of the notice puts them back. */
  async remove(id: BackboneId): Promise<void> {
    const record = this.#dropped.find(({ description }) => description.id === id);
    if (!record) return;
    await this.store.delete(id);
    this.#dropped = this.#dropped.filter((other) => other !== record);
    this.#closeQuestion(id);
    this.notices.say(`${record.description.title} was deleted from this browser.`, {
      undo: () => void this.#putBack(record).catch((error: unknown) => this.notices.fail(error)),
    });
  }

  async #putBack(record: BackboneRecord): Promise<void> {
    await this.store.put(record);
    this.#dropped = [...this.#dropped, record];
  }

  #closeQuestion(id: BackboneId): void {
    const question = this.#questions.get(id);
    if (question) this.notices.close(question);
  }

  #answered(id: BackboneId, activation: Activation, title: string): void {
    this.setActivation(id, activation).then(
      () => this.notices.say(`Taken as ${title}; questions can be put to it under Ask.`),
      (error: unknown) => this.notices.fail(error),
    );
  }

  /** @returns undefined when it was cancelled */
  #hash(file: File): Promise<BackboneId | undefined> {
    const start = performance.now();
    return this.jobs.run(`Reading ${file.name}`, async (job) => {
      const report = (doneBytes: number) => {
        const elapsedMs = performance.now() - start;
        job.progress = {
          phase: 'checksum',
          done: Math.round(doneBytes / MEGA),
          total: Math.round(file.size / MEGA),
          unit: 'MB',
          elapsedMs,
          remainingMs: doneBytes ? (elapsedMs / doneBytes) * (file.size - doneBytes) : undefined,
        };
      };
      return (await this.client.hash(file, report, job.signal)) as BackboneId;
    });
  }
}

const settingOf = (id: BackboneId): string => `activation.${id}`;

function encoderOf(
  { description, file }: Pick<Encoder, 'description' | 'file'>,
  answer: Activation | undefined,
): Encoder | undefined {
  const { clip } = description;
  if (!clip) return undefined;
  const settled = clip.activation !== 'ask';
  const activation = clip.activation === 'ask' ? answer : clip.activation;
  return { description, file, settled, activation };
}
