import { describe, expect, it } from 'vitest';
import { cellsNear } from '../../../src/app/views/grid-window';

describe('cellsNear', () => {
  it.each([
    ['at the start', 0, 280, [0, 16]],
    ['a little further: the same', 27, 250, [0, 16]],
    ['in the middle: a block before and after', 28 * 20, 28 * 10, [16, 36]],
    ['at the end', 28 * 50, 280, [44, 60]],
    ['pulled beyond the end', 28 * 70, 280, [60, 60]],
    ['before it is known how much is in view', 0, 0, [0, 4]],
    ['with more before it than there is room for', 0, -40, [0, 4]],
  ])('%s', (_, offset, extent, expected) => {
    expect(cellsNear(offset, extent, 28, 60)).toEqual(expected);
  });

  it('holds every cell in view, wherever it is scrolled', () => {
    for (let offset = 0; offset <= 28 * 50; offset++) {
      const [first, end] = cellsNear(offset, 280, 28, 60);
      expect(first).toBeLessThanOrEqual(Math.floor(offset / 28));
      expect(end).toBeGreaterThanOrEqual(Math.ceil((offset + 280) / 28));
    }
  });

  it('draws a line that is in view whole', () => {
    expect(cellsNear(0, 280, 28, 8)).toEqual([0, 8]);
  });
});
