import { describe, expect, it } from 'vitest';
import { cropAround, cropAroundMask, cropAroundPeak } from '../../src/review/crop';

describe('the part of an image around a region', () => {
  it('is half of it each way, around the point, and never leaves the frame', () => {
    expect(cropAround(0.5, 0.6)).toEqual({ x: 0.25, y: 0.35, width: 0.5, height: 0.5 });
    expect(cropAround(0.05, 0.99)).toEqual({ x: 0, y: 0.5, width: 0.5, height: 0.5 });
  });

  it('lies around the highest pixel of a map', () => {
    const map = new Float32Array(100);
    map[4 * 10 + 6] = 2;
    map[1] = 1;
    const { x, y } = cropAroundPeak(map, 10);
    expect(x).toBeCloseTo(0.4, 12);
    expect(y).toBeCloseTo(0.2, 12);
  });

  it('lies around the middle of a mask; an empty one has none', () => {
    const mask = new Uint8Array(100);
    for (const at of [44, 45, 54, 55]) mask[at] = 1;
    expect(cropAroundMask(mask, 10)).toEqual({ x: 0.25, y: 0.25, width: 0.5, height: 0.5 });
    expect(cropAroundMask(new Uint8Array(100), 10)).toBeUndefined();
  });
});
