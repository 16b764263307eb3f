import { describe, expect, it } from 'vitest';
import { Rng } from '../../src/base/rng';
import { cropped, toGrey16, toGrey8 } from '../../src/image/raster';

describe('luma', () => {
  it('equal channels stay what they are', () => {
    const all8 = Uint8Array.from({ length: 256 * 3 }, (_, i) => Math.floor(i / 3));
    expect(toGrey8(all8)).toEqual(Uint8Array.from({ length: 256 }, (_, v) => v));
    const all16 = Uint16Array.from({ length: 65536 * 3 }, (_, i) => Math.floor(i / 3));
    expect(toGrey16(all16).every((v, i) => v === i)).toBe(true);
  });

  it('pure colours', () => {
    expect([...toGrey8(Uint8Array.of(255, 0, 0, 0, 255, 0, 0, 0, 255))]).toEqual([76, 150, 29]);
    expect([...toGrey16(Uint16Array.of(65535, 0, 0, 0, 65535, 0, 0, 0, 65535))]).toEqual([
      19595, 38469, 7471,
    ]);
  });

  it('16 bits: equal to arithmetic in whole numbers without bound', () => {
    const rng = new Rng(1, 'raster.test');
    const rgb = Uint16Array.from({ length: 3000 }, () => rng.pick([0, 65535, rng.integer(65536)]));
    const exact = Array.from({ length: 1000 }, (_, i) => {
      const [r, g, b] = rgb.subarray(3 * i, 3 * i + 3);
      return Number((19595n * BigInt(r) + 38470n * BigInt(g) + 7471n * BigInt(b) + 32768n) >> 16n);
    });
    expect([...toGrey16(rgb)]).toEqual(exact);
  });

  it('ignores a fourth channel', () => {
    expect(toGrey8(Uint8ClampedArray.of(255, 0, 0, 9, 0, 255, 0, 200), 4)).toEqual(Uint8Array.of(76, 150));
    expect(toGrey16(Uint16Array.of(7, 7, 7, 9), 4)).toEqual(Uint16Array.of(7));
  });
});

describe('a part of a raster', () => {
  const raster = {
    width: 4,
    height: 3,
    bits: 16,
    data: Uint16Array.from({ length: 12 }, (_, i) => 1000 * i),
  } as const;

  it('has the values of the file', () => {
    expect(cropped(raster, { x: 0.25, y: 1 / 3, width: 0.5, height: 2 / 3 })).toEqual({
      width: 2,
      height: 2,
      bits: 16,
      data: Uint16Array.of(5000, 6000, 9000, 10_000),
    });
  });

  it('is a pixel at least, and never beyond an edge', () => {
    expect(cropped(raster, { x: 1, y: 0.99, width: 0, height: 0.2 })).toMatchObject({
      width: 1,
      height: 1,
      data: Uint16Array.of(11_000),
    });
    expect(cropped(raster, { x: -1, y: 0, width: 9, height: 9 })).toMatchObject({ width: 4, height: 3 });
  });
});
