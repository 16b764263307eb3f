import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CONTEXT_LENGTH, ClipTokenizer } from '../../src/text/tokenizer';
import { MERGES, tokenizer } from './shipped-tokenizer';

const [START, END] = [49406, 49407];
const ids = (text: string) => tokenizer.encode(text).ids;

/** A space where a word, digit or run of signs ends; split characters put together again. */
const decoded = (text: string) => {
  const bytes = tokenizer.tokens(text).map(({ text: part, endsWord }) => {
    const hex = /^(<0x[0-9A-F]{2}>)+$/.test(part) ? part.replaceAll(/<0x|>/g, '') : undefined;
    return [hex ? Buffer.from(hex, 'hex') : Buffer.from(part), Buffer.from(endsWord ? ' ' : '')];
  });
  return Buffer.concat(bytes.flat()).toString().trim();
};

describe('encode', () => {
  // methods.md 22.6
  it.each([
    ['a photo of a cat', '320 1125 539 320 2368'],
    ['A photo of a SEM image with a linear scratch.', '320 1125 539 320 17106 2867 593 320 19816 13258 269'],
    [
      'a dark photo of the semiconductor SEM image with copper residue.',
      '320 3144 1125 539 518 43551 17106 2867 593 10333 2152 2887 269',
    ],
    [
      'a blurry photo of a wafer surface with fish scale-shaped scratches',
      '320 21977 1125 539 320 17638 528 7744 593 2759 5879 268 10127 46556',
    ],
    ["55nm CMOS, it's 100% good!", '276 276 11370 66 9593 267 585 568 272 271 271 260 886 256'],
    ['flawless wafer surface', '15531 17638 528 7744'],
    ['naïve café µm', '1097 35689 563 15304 126 113 332'],
  ])('%s', (text, expected) => {
    expect(tokenizer.encode(text)).toEqual({
      ids: [START, ...expected.split(' ').map(Number), END],
      dropped: 0,
    });
  });

  it.each(['', '   ', '\u00a0\t\u2003\x1f\x85', '<end_of_text>', '&lt;START_of_text&gt;'])(
    'gives start and end alone for "%s"',
    (text) => {
      expect(ids(text)).toEqual([START, END]);
    },
  );

  it('reads html twice, white space as one space, and any case', () => {
    expect(ids('&amp;lt;b&amp;gt;')).toEqual(ids('<b>'));
    expect(ids(' A\u00a0\n\x1cPHOTO\u3000of ')).toEqual(ids('a photo of'));
  });

  it('lets no text end the prompt early', () => {
    expect(ids('a scratch<end_of_text><START_OF_TEXT>on metal')).toEqual(ids('a scratch on metal'));
    expect(ids('<end_<end_of_text>of_text>').slice(1, -1)).not.toContain(END);
  });

  it('cuts what is too long before the end token and says how much', () => {
    const fits = 'scratch '.repeat(CONTEXT_LENGTH - 2);
    expect(tokenizer.encode(fits)).toMatchObject({ dropped: 0 });
    const cut = tokenizer.encode(`${fits} on metal`);
    expect(cut).toEqual({ ids: ids(fits), dropped: 2 });
    expect(tokenizer.encode('a photo of a cat', 4)).toEqual({ ids: [START, 320, 1125, END], dropped: 3 });
    expect(() => tokenizer.encode('a', 1)).toThrow('a context of 1 tokens');
  });

  it('gives ids of the vocabulary for any text, start and end outside', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary', maxLength: 200 }),
        fc.integer({ min: 2, max: 80 }),
        (text, n) => {
          const { ids: found, dropped } = tokenizer.encode(text, n);
          expect([found[0], found.at(-1)]).toEqual([START, END]);
          expect(found.slice(1, -1).every((id) => Number.isInteger(id) && id >= 0 && id < START)).toBe(true);
          expect(found.length + dropped).toBe(tokenizer.tokens(text).length + 2);
          expect(found.length).toBeLessThanOrEqual(n);
        },
      ),
    );
  });
});

describe('tokens', () => {
  it('shows the parts of a word', () => {
    expect(tokenizer.tokens("It's SEMICONDUCTORY!")).toEqual([
      { id: 585, text: 'it', endsWord: true },
      { id: 568, text: "'s", endsWord: true },
      ...tokenizer.tokens('semiconductory'),
      { id: 256, text: '!', endsWord: true },
    ]);
    expect(tokenizer.tokens('cmos')).toEqual([
      { id: 66, text: 'c', endsWord: false },
      { id: 9593, text: 'mos', endsWord: true },
    ]);
  });

  it('shows bytes where a character is split', () => {
    expect(tokenizer.tokens('半').map(({ text }) => text)).toEqual(['<0xE5>', '<0x8D>', '<0x8A>']);
  });

  it('make up the words that were written', () => {
    const word = fc.stringMatching(/^[a-zA-Zéµßñ半Я]{1,20}$/);
    fc.assert(
      fc.property(fc.array(word, { maxLength: 8 }), fc.constantFrom(' ', '\n', ' \u00a0 '), (words, gap) => {
        expect(decoded(words.join(gap))).toBe(words.join(' ').toLowerCase());
      }),
    );
  });

  it('make up printable ASCII, but for the places of its spaces', () => {
    const text = fc.stringMatching(/^[ -%'-~]{0,60}$/).filter((written) => !/_of_text>/i.test(written));
    const bare = (written: string) => written.replaceAll(' ', '');
    fc.assert(
      fc.property(text, (written) => {
        expect(bare(decoded(written))).toBe(bare(written).toLowerCase());
      }),
    );
  });
});

it('unusualWords names the words that are no token of their own, each once', () => {
  const text = "55nm CMOS: the wafer's infilm defect, a CMOS defect; café 😀😀 2024";
  expect(tokenizer.unusualWords(text)).toEqual(['cmos', 'wafer', 'infilm']);
  expect(tokenizer.unusualWords('a photo of a cat')).toEqual([]);
});

describe('the list of merges', () => {
  const lines = MERGES.trimEnd().split('\n');
  const damaged = (fact: string) =>
    expect.objectContaining({
      code: 'model/format',
      message: `not the merges of CLIP's tokenizer: ${fact}`,
    }) as Error;

  it.each([
    ['', '1 lines instead of 48894'],
    [`#version: 0.2\n${MERGES}`, '48895 lines instead of 48894'],
    [lines.slice(0, -1).join('\n'), '48893 lines instead of 48894'],
    [lines.with(2, 'a').join('\n'), 'line 3 is "a"'],
    [lines.with(0, 'in g').join('\n'), 'line 1 is "in g"'],
    [lines.with(9, 'a b c').join('\n'), 'line 10 is "a b c"'],
  ])('is refused when damaged (%#)', (text, fact) => {
    expect(() => new ClipTokenizer(text)).toThrow(damaged(fact));
  });
});
