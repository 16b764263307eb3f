import type { Rng } from '../../src/base/rng';
import { intTensor } from '../../src/base/tensor';
import type { TensorData } from '../../src/base/tensor';
import { tokenRows } from '../../src/nn/clip/sem-encoder';
import { CLASS_NAMES } from '../../src/sample/classes';
import { DETAILED_PROMPTS, GENERIC_PROMPTS } from '../../src/text/prompt-presets';
import { promptsOf } from '../../src/text/prompts';
import type { ClipTokenizer } from '../../src/text/tokenizer';

/** What a group's captions say: the classes in the order of their indices, then good and bad in general. */
export const GROUPS: readonly string[] = [...CLASS_NAMES, 'gen_good', 'gen_bad'];

/** Captions as a text tower takes them. */
export interface CaptionFeeds {
  /** Rows of the token table; what stands behind an end doesn't count. int32 [P,longest] */
  readonly tokens: TensorData;
  /** int32 [P] */
  readonly ends: TensorData;
}

/** Every prompt of the presets as rows of a token table that keeps the tokens in use alone. */
export class Captions {
  /** CLIP's id of each row, ascending. */
  readonly tokenIds: Int32Array;
  /** Tokens of the longest caption, start and end included. */
  readonly longest: number;
  /** Rows of every caption of each group. */
  readonly groups: readonly (readonly (readonly number[])[])[];

  constructor(tokenizer: ClipTokenizer) {
    const detailed = CLASS_NAMES.map((name) => DETAILED_PROMPTS.classes.find((own) => own.name === name)!);
    const prompts = [
      ...detailed.map((own) => promptsOf(own, DETAILED_PROMPTS)),
      ...GENERIC_PROMPTS.classes.map((own) => promptsOf(own, GENERIC_PROMPTS)),
    ];
    const encoded = prompts.map((texts) => texts.map((text) => tokenizer.encode(text).ids));
    this.tokenIds = Int32Array.from(new Set(encoded.flat(2))).sort();
    this.longest = Math.max(...encoded.flat().map(({ length }) => length));
    this.groups = encoded.map((texts) => texts.map((ids) => tokenRows(this.tokenIds, ids)));
  }

  /** So many random captions of each group, group after group. */
  draw(rng: Rng, each: number): CaptionFeeds {
    return this.feeds(this.groups.flatMap((rows) => Array.from({ length: each }, () => rng.pick(rows))));
  }

  /** Given captions, by their rows. */
  feeds(captions: readonly (readonly number[])[]): CaptionFeeds {
    const tokens = new Int32Array(captions.length * this.longest);
    captions.forEach((rows, i) => tokens.set(rows, i * this.longest));
    const ends = Int32Array.from(captions, ({ length }) => length - 1);
    return {
      tokens: intTensor([captions.length, this.longest], tokens),
      ends: intTensor([ends.length], ends),
    };
  }
}
