import { expect, it } from 'vitest';
import { DETAILED_PROMPTS } from '../../src/text/prompt-presets';
import { promptsOf } from '../../src/text/prompts';
import { describeGolden, goldenJson } from '../support/golden';
import { tokenizer } from './shipped-tokenizer';

interface Golden {
  context: number;
  strings: { text: string; ids: number[]; ids_without_text_repair?: number[] }[];
  all_prompts: {
    count: number;
    fnv1a_of_ids_low_byte_then_high_byte: number;
    first: string;
    last: string;
  };
}

describeGolden(['clip-tokenizer.json'], "the ids of open_clip's tokenizer", () => {
  const golden = goldenJson<Golden>('clip-tokenizer.json');

  it.each(golden.strings)('$text', ({ text, ids, ids_without_text_repair: unrepaired }) => {
    expect(tokenizer.encode(text, golden.context).ids).toEqual(unrepaired ?? ids);
  });

  it('for all prompts of the seven classes', () => {
    const texts = DETAILED_PROMPTS.classes.flatMap((entry) => promptsOf(entry, DETAILED_PROMPTS));
    const { count, first, last, fnv1a_of_ids_low_byte_then_high_byte: expected } = golden.all_prompts;
    expect([texts.length, texts[0], texts.at(-1)]).toEqual([count, first, last]);
    let hash = 0x811c9dc5;
    for (const id of texts.flatMap((text) => tokenizer.encode(text).ids))
      for (const byte of [id & 0xff, id >> 8]) hash = Math.imul(hash ^ byte, 0x01000193);
    expect(hash >>> 0).toBe(expected);
  });
});
