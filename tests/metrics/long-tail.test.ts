import { describe, expect, it } from 'vitest';
import { imbalanceFactor, longTailGroups, recallByGroup } from '../../src/metrics/long-tail';

describe('long tail', () => {
  it('100 and 20 belong to the middle', () => {
    expect(longTailGroups([101, 100, 20, 19])).toEqual({ many: [0], medium: [1, 2], few: [3] });
  });

  it('averages recall over the classes of a group, null for an empty one', () => {
    expect(recallByGroup([1, 0.5, 0], { many: [0, 1], medium: [], few: [2] })).toEqual({
      many: 0.75,
      medium: null,
      few: 0,
    });
  });

  it('refuses groups of other classes', () => {
    expect(() => recallByGroup([1], { many: [3], medium: [], few: [] })).toThrow(
      expect.objectContaining({ code: 'internal', message: 'class 3 of 1' }) as Error,
    );
  });

  it('imbalance is undefined without classes or with an empty one', () => {
    expect([imbalanceFactor([455, 59]), imbalanceFactor([3, 0]), imbalanceFactor([])]).toEqual([
      455 / 59,
      null,
      null,
    ]);
  });
});
