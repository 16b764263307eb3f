import { describe, expect, it } from 'vitest';
import { countVerdicts, verdict } from '../../src/review/verdict';

describe('verdict', () => {
  it.each([
    [0.49, 'good'],
    [0.5, 'strange'],
    [Infinity, 'strange'],
    [undefined, 'unscored'],
    [NaN, 'unscored'],
  ])('%d at 0.5 is %s', (value, expected) => {
    expect(verdict(value, 0.5)).toBe(expected);
  });

  it('counts a set', () => {
    expect(countVerdicts([0.1, 0.9, undefined, 0.5, 0.2], 0.5)).toEqual({ good: 2, strange: 2, unscored: 1 });
    expect(countVerdicts([], 0.5)).toEqual({ good: 0, strange: 0, unscored: 0 });
  });

  it('refuses a threshold under which everything would be good', () => {
    expect(() => verdict(1, NaN)).toThrow(
      expect.objectContaining({ code: 'internal', message: 'the threshold is NaN' }) as Error,
    );
  });
});
