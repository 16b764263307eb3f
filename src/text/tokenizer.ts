import { AppError, assert } from '../base/errors';
import { unescapeHtml } from './unescape-html';

/** What CLIP's text towers were trained with. */
export const CONTEXT_LENGTH = 77;

const BYTES = 256;
const MERGES = 48_894;
/** The single bytes, the single bytes that end a word, and the merges come first. */
const START = 2 * BYTES + MERGES;
const END = START + 1;
/** Rows of a published CLIP's token table. */
export const VOCABULARY = END + 1;

/** Words, their English endings, single digits, and runs of anything else. */
const PIECE = /'s|'t|'re|'ve|'m|'ll|'d|\p{L}+|\p{N}|[^ \p{L}\p{N}]+/giu;
/** Python's white space; JavaScript's `\s` has U+FEFF more, and not the separators 28 to 31 and 133. */
const WHITE_SPACE = /[\t-\r\x1c-\x1f\x85\p{Z}]+/gu;
/** Text that means the start or end token to open_clip: a user may not end a prompt early. */
const SPECIAL = /<(?:start|end)_of_text>/gi;

/** The text of a prompt as ids, `[start, …, end]`, not padded: the tower is exact at any length. */
export interface Encoding {
  readonly ids: readonly number[];
  /** Tokens that had no room; 0 when the prompt is whole. */
  readonly dropped: number;
}

export interface Token {
  readonly id: number;
  /** A part of the cleaned, lower-case text; bytes that make no whole character alone read `<0xE5>`. */
  readonly text: string;
  /** Whether it is the last of its word, digit or run of signs. */
  readonly endsWord: boolean;
}

/**
 * CLIP's byte-level byte-pair encoding, with the ids of open_clip for every text that needs no repair (mojibake, curly
 * quotes, ligatures: open_clip mends them first, this doesn't).
 * @source methods.md 22.6; Sennrich, Haddow, Birch, "Neural machine translation of rare words with subword units", 2016
 */
export class ClipTokenizer {
  /** Bytes by id. */
  readonly #bytes: Uint8Array[];
  /** Id of two neighbours joined, which is also its rank, by `pairKey`. */
  readonly #joined = new Map<number, number>();
  readonly #cache = new Map<string, readonly number[]>();

  /**
   * @param merges the 48,894 lines in order of rank, two symbols each
   * @throws model/format when it isn't that list
   */
  constructor(merges: string) {
    const lines = merges.trimEnd().split('\n');
    const damaged = (fact: string) =>
      new AppError('model/format', `not the merges of CLIP's tokenizer: ${fact}`, {
        hint: 'Reload the page; if it stays, the installation is incomplete or altered.',
      });
    if (lines.length !== MERGES) throw damaged(`${lines.length} lines instead of ${MERGES}`);
    const ids = new Map<string, number>();
    SPELLING.forEach(({ symbol }, id) => ids.set(symbol, id).set(`${symbol}</w>`, BYTES + id));
    const single = SPELLING.map(({ byte }) => Uint8Array.of(byte));
    this.#bytes = [...single, ...single];
    lines.forEach((line, rank) => {
      const [left, right = '', ...rest] = line.split(' ');
      const [first, second] = [ids.get(left), ids.get(right)];
      if (first === undefined || second === undefined || rest.length)
        throw damaged(`line ${rank + 1} is "${line.slice(0, 40)}"`);
      ids.set(left + right, this.#bytes.length);
      this.#joined.set(pairKey(first, second), this.#bytes.length);
      this.#bytes.push(Uint8Array.of(...this.#bytes[first], ...this.#bytes[second]));
    });
  }

  /**
   * A longer text is cut so that the end token is the last, as open_clip does.
   * @throws internal when there is no room for start and end
   */
  encode(text: string, contextLength = CONTEXT_LENGTH): Encoding {
    assert(contextLength >= 2, `a context of ${contextLength} tokens`);
    const ids = [START, ...pieces(text).flatMap((piece) => this.#idsOf(piece)), END];
    const dropped = Math.max(ids.length - contextLength, 0);
    ids.splice(ids.length - 1 - dropped, dropped);
    return { ids, dropped };
  }

  /** What the model reads, uncut and without start and end. */
  tokens(text: string): Token[] {
    return pieces(text).flatMap((piece) =>
      this.#idsOf(piece).map((id, i, { length }) => ({
        id,
        text: readable(this.#bytes[id]),
        endsWord: i === length - 1,
      })),
    );
  }

  /** Words, each once, that are no token of their own: too rare where CLIP learnt, so it knows them by parts. */
  unusualWords(text: string): string[] {
    const rare = pieces(text).filter((piece) => /\p{L}/u.test(piece) && this.#idsOf(piece).length > 1);
    return [...new Set(rare)];
  }

  #idsOf(piece: string): readonly number[] {
    const known = this.#cache.get(piece);
    if (known) return known;
    let ids = Array.from(new TextEncoder().encode(piece), (byte) => ID_OF_BYTE[byte]);
    ids[ids.length - 1] += BYTES;
    for (;;) {
      let lowest = Infinity;
      for (let i = 1; i < ids.length; i++)
        lowest = Math.min(lowest, this.#joined.get(pairKey(ids[i - 1], ids[i])) ?? Infinity);
      if (lowest === Infinity) break;
      const joined: number[] = [];
      for (let i = 0; i < ids.length; i++) {
        const joins = i + 1 < ids.length && this.#joined.get(pairKey(ids[i], ids[i + 1])) === lowest;
        joined.push(joins ? lowest : ids[i]);
        if (joins) i++;
      }
      ids = joined;
    }
    this.#cache.set(piece, ids);
    return ids;
  }
}

/** How the list of merges spells single bytes, by id: printable ones as themselves, the others from U+0100 on. */
const SPELLING: readonly { byte: number; symbol: string }[] = (() => {
  const printable = (byte: number) =>
    (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
  const bytes = Array.from({ length: BYTES }, (_, byte) => byte);
  const others = bytes.filter((byte) => !printable(byte));
  return [
    ...bytes.filter(printable).map((byte) => ({ byte, symbol: String.fromCharCode(byte) })),
    ...others.map((byte, i) => ({ byte, symbol: String.fromCharCode(BYTES + i) })),
  ];
})();

const ID_OF_BYTE = new Uint8Array(BYTES);
SPELLING.forEach(({ byte }, id) => (ID_OF_BYTE[byte] = id));

const pairKey = (first: number, second: number): number => first * (END + 1) + second;

/** The cleaned text in words, digits and runs of signs. */
function pieces(text: string): readonly string[] {
  const plain = unescapeHtml(unescapeHtml(text)).replace(SPECIAL, ' ');
  return plain.replace(WHITE_SPACE, ' ').toLowerCase().match(PIECE) ?? [];
}

function readable(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return Array.from(bytes, (byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`).join('');
  }
}
