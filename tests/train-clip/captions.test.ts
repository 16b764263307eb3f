import { describe, expect, it } from 'vitest';
import { Rng } from '../../src/base/rng';
import { Captions, GROUPS } from '../../scripts/train-clip/captions';
import { tokenizer } from '../text/shipped-tokenizer';

const captions = new Captions(tokenizer);

describe('captions', () => {
  it('are all prompts of the presets, in the tokens that they use', () => {
    expect(captions.groups.map(({ length }) => length)).toEqual([...Array<number>(7).fill(864), 504, 432]);
    // methods.md 21.5
    expect(captions.longest).toBe(24);
    const used = new Set(captions.groups.flat(2));
    expect(used.size).toBe(captions.tokenIds.length);
    expect(Math.max(...used)).toBe(captions.tokenIds.length - 1);
  });

  it('have rows that stand for their tokens', () => {
    const first = captions.groups[0][0].map((row) => captions.tokenIds[row]);
    expect(first).toEqual(tokenizer.encode('a photo of a SEM image with accidental connectivity.').ids);
  });

  it('are drawn group by group, each with its end', () => {
    const { tokens, ends } = captions.draw(new Rng(1, 'captions'), 2);
    expect(tokens.shape).toEqual([2 * GROUPS.length, 24]);
    const end = captions.tokenIds.indexOf(49407);
    Array.from(ends.data as Int32Array).forEach((at, i) => {
      const row = Array.from(tokens.data as Int32Array).slice(i * 24, (i + 1) * 24);
      expect(row[at]).toBe(end);
      expect(captions.groups[Math.floor(i / 2)]).toContainEqual(row.slice(0, at + 1));
    });
  });
});
