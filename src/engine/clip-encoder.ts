import { assert } from '../base/errors';
import { kept } from '../base/kept';
import { floatTensor, floats, intTensor } from '../base/tensor';
import { unit } from '../base/unit';
import type { TensorData } from '../base/tensor';
import { GraphBuilder } from '../graph/builder';
import { l2Normalise } from '../graph/ops/index';
import type { Activation, ClipConfig } from '../nn/clip/config';
import { nameInFile } from '../nn/clip/names';
import { clipTensors, readClip } from '../nn/clip/recognise';
import type { RecognisedClip } from '../nn/clip/recognise';
import { tokenRows } from '../nn/clip/sem-encoder';
import { TextTower } from '../nn/clip/text';
import { FrozenWeights } from '../nn/frozen-weights';
import { FrozenLayers } from '../nn/layers';
import type { Program } from '../runtime/program';
import type { Priority } from '../runtime/queue';
import type { Runtime } from '../runtime/runtime';
import type { Safetensors } from '../weights/safetensors';
import type { LoadedBackbone } from './backbones';
import { FeatureExtractor, disposeTaps, stackImages } from './features';

/** Images in a run on a GPU. On a processor one keeps all cores busy, and a cancel is heard sooner. */
const GPU_BATCH = 4;

/** Lengths of texts are rounded up to this, so that few programs serve all. */
const LENGTH_STEP = 8;

const TOKEN_TABLE = 'token_embedding.weight';

/** What a program of the text tower is made for. */
interface TextProgramSize {
  readonly batch: number;
  readonly length: number;
  readonly priority: Priority;
}

/**
 * A CLIP's file at work: images and texts to unit vectors whose products are their cosines. Each tower is read when it
 * is first needed, the token table never as a whole: a text takes a few of its rows.
 */
export class ClipEncoder {
  readonly config: ClipConfig;
  readonly #towers = new Map<'text', Promise<FrozenWeights>>();
  readonly #tables = new Map<'ids', Promise<Int32Array | undefined>>();
  readonly #images = new WeakMap<Runtime, Promise<FeatureExtractor>>();
  /** By batch and length. */
  readonly #texts = new WeakMap<Runtime, Promise<Map<string, Promise<Program>>>>();

  /** @param vision its vision tower, asked for when the first image is embedded */
  constructor(
    private readonly file: Safetensors,
    private readonly clip: RecognisedClip,
    activation: Activation,
    private readonly vision: () => Promise<LoadedBackbone>,
  ) {
    this.config = { ...clip.shape, activation };
  }

  /** Images that one call of `embedImages` takes best. */
  batchOn(runtime: Runtime): number {
    return runtime.report.kind === 'webgpu' ? GPU_BATCH : 1;
  }

  /**
   * @param planes grey at the tower's side, bicubic, 0 … 1: [side·side] each
   * @returns a unit vector [embed] for each
   * @throws run/not-finite, gpu/lost, model/…
   */
  async embedImages(runtime: Runtime, planes: readonly Float32Array[]): Promise<Float32Array[]> {
    const { imageSide, embed } = this.config;
    const batch = this.batchOn(runtime);
    const extractor = await kept(this.#images, runtime, async () =>
      FeatureExtractor.open(runtime, await this.vision(), ['classes'], imageSide, batch, 'inspect'),
    );
    const found: Float32Array[] = [];
    for (let first = 0; first < planes.length; first += batch) {
      const some = planes.slice(first, first + batch);
      const taps = await extractor.run(stackImages(some, batch, imageSide), 'inspect');
      const rows = floats(await runtime.read(taps.classes!));
      disposeTaps(taps);
      // Of the four levels' class tokens the last is the image's embedding.
      found.push(...some.map((_, i) => unit(rows.subarray((4 * i + 3) * embed, (4 * i + 4) * embed))));
    }
    return found;
  }

  /**
   * @param ids a text by CLIP's tokenizer, start and end included, no longer than the context
   * @returns a unit vector [embed]
   * @throws text/prompt for a token that the encoder has no row for, run/not-finite, gpu/lost, model/…
   */
  async embedText(runtime: Runtime, ids: readonly number[]): Promise<Float32Array> {
    // Always as long as the context, which is exact: a program for each length would hold the tower's weights anew.
    const { context } = this.config.text;
    const [embedding] = await this.#embed(runtime, [ids], { batch: 1, length: context, priority: 'inspect' });
    return embedding;
  }

  /**
   * Several texts at once, cut to the longest of them rounded up, which is exact and cheaper.
   * @param batch texts that a program takes; a shorter list is filled up
   * @returns a unit vector [embed] for each
   * @throws as `embedText`
   */
  embedTexts(
    runtime: Runtime,
    texts: readonly (readonly number[])[],
    batch: number,
  ): Promise<Float32Array[]> {
    const longest = Math.max(...texts.map(({ length }) => length));
    const length = Math.min(this.config.text.context, Math.ceil(longest / LENGTH_STEP) * LENGTH_STEP);
    return this.#embed(runtime, texts, { batch, length, priority: 'fit' });
  }

  /** A vector that the file has ready for one of the groups of captions it was trained with. */
  async shippedVector(group: number | undefined): Promise<Float32Array | undefined> {
    const name = `${this.clip.prefix}text_vectors`;
    if (group === undefined || !this.file.tensors.has(name)) return undefined;
    const { embed } = this.config;
    return floats(await this.file.read(name)).slice(group * embed, (group + 1) * embed);
  }

  /** Of some token ids those that the encoder has no row for: only encoders with a part of CLIP's vocabulary lack any. */
  async unknown(ids: readonly number[]): Promise<ReadonlySet<number>> {
    const table = await this.#tokenIds();
    const known = new Set(table);
    return new Set(table ? ids.filter((id) => !known.has(id)) : []);
  }

  /** All of the text tower but its table of tokens, by open_clip's names. */
  textWeights(): Promise<FrozenWeights> {
    const names = [...clipTensors(this.clip.shape).keys()].filter(
      (name) => !name.startsWith('visual.') && name !== TOKEN_TABLE,
    );
    const read = async () =>
      new FrozenWeights(await readClip(this.clip, (own) => this.file.read(own), names));
    return kept(this.#towers, 'text', read);
  }

  /** Rows of the table of tokens; the encoder must have one for each. @returns [n,width] */
  async embedTokens(ids: readonly number[]): Promise<TensorData> {
    const table = await this.#tokenIds();
    return this.file.readRows(
      this.clip.prefix + nameInFile(this.clip.naming, TOKEN_TABLE),
      table ? tokenRows(table, ids) : ids,
    );
  }

  async #embed(
    runtime: Runtime,
    texts: readonly (readonly number[])[],
    size: TextProgramSize,
  ): Promise<Float32Array[]> {
    const { batch, length, priority } = size;
    const { width } = this.config.text;
    const distinct = [...new Set(texts.flat())];
    const rows = floats(await this.embedTokens(distinct));
    const rowOf = new Map(distinct.map((id, row) => [id, row]));
    const tokens = new Float32Array(batch * length * width);
    const ends = new Int32Array(batch);
    texts.forEach((ids, i) => {
      assert(ids.length <= length, `${ids.length} tokens for a length of ${length}`);
      ends[i] = ids.length - 1;
      ids.forEach((id, at) => {
        const row = rowOf.get(id)!;
        tokens.set(rows.subarray(row * width, (row + 1) * width), (i * length + at) * width);
      });
    });
    const programs = kept(this.#texts, runtime, async () => new Map<string, Promise<Program>>());
    const program = await kept(await programs, `${batch}x${length}`, () => this.#compileText(runtime, size));
    const feeds = { tokens: floatTensor([batch, length, width], tokens), end: intTensor([batch], ends) };
    const found = floats((await program.run(feeds, { priority })).values.embedding);
    const { embed } = this.config;
    return texts.map((_, i) => found.slice(i * embed, (i + 1) * embed));
  }

  async #compileText(runtime: Runtime, { batch, length, priority }: TextProgramSize): Promise<Program> {
    const { width } = this.config.text;
    const graph = new GraphBuilder();
    const tower = new TextTower(new FrozenLayers(graph, await this.textWeights(), 0), this.config);
    const tokens = graph.input('tokens', [batch, length, width]);
    graph.output('embedding', l2Normalise(tower.encode(tokens, graph.input('end', [batch], 'int32'))));
    return runtime.compile(graph.build(), { priority });
  }

  /** CLIP's id of each row of the token table, where it has but a part of them. */
  #tokenIds(): Promise<Int32Array | undefined> {
    return kept(this.#tables, 'ids', async () => {
      const name = `${this.clip.prefix}token_ids`;
      if (!this.file.tensors.has(name)) return undefined;
      const { data }: TensorData = await this.file.read(name);
      return data as Int32Array;
    });
  }
}
