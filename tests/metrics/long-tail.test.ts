import { describe, expect, it } from 'vitest';
import { groupsFor, imbalanceFactor, longTailGroups, recallByGroup } from '../../src/metrics/long-tail';

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

describe('groupsFor', () => {
  it('keeps the thresholds where they part the classes', () => {
    expect(groupsFor([455, 120, 59])).toEqual({ many: [0, 1], medium: [2], few: [], by: 'thresholds' });
  });

  it('takes thirds of the ranks where they do not', () => {
    expect(groupsFor([1, 5, 9, 3, 7])).toEqual({ many: [2, 4], medium: [1], few: [0, 3], by: 'terciles' });
    expect(groupsFor([400, 300, 200])).toEqual({ many: [0], medium: [1], few: [2], by: 'terciles' });
  });

  it('keeps classes of equal counts together', () => {
    expect(groupsFor([5, 5, 5, 5])).toEqual({ many: [], medium: [0, 1, 2, 3], few: [], by: 'terciles' });
    expect(groupsFor([5, 5, 1])).toMatchObject({ many: [], medium: [0, 1], few: [2] });
  });

  it('has nothing to part in one class or none', () => {
    expect(groupsFor([4])).toMatchObject({ many: [], medium: [0], few: [] });
    expect(groupsFor([])).toMatchObject({ many: [], medium: [], few: [] });
  });
});
