import { describe, expect, it } from 'vitest';
import type { Raster } from '../../src/image/raster';
import { resize8 } from '../../src/image/resample';
import { autoWindow, thumbnail, toDisplay8 } from '../../src/image/thumbnail';

const raster = (width: number, height: number, data: Raster['data']): Raster => ({
  width,
  height,
  data,
  bits: data instanceof Uint16Array ? 16 : 8,
});
const row = (...values: number[]) => raster(values.length, 1, Uint16Array.from(values));

describe('window and level', () => {
  it('is linear between low and high and flat beyond', () => {
    expect([...toDisplay8(row(0, 100, 125, 200, 300, 65535), { low: 100, high: 200 })]).toEqual([
      0, 0, 64, 255, 255, 255,
    ]);
    const all = raster(
      256,
      1,
      Uint8Array.from({ length: 256 }, (_, v) => v),
    );
    expect(toDisplay8(all, { low: 0, high: 255 })).toEqual(all.data);
  });

  it('a window without width is a step', () => {
    expect([...toDisplay8(row(5, 6, 7), { low: 6, high: 6 })]).toEqual([0, 0, 255]);
  });
});

describe('automatic window', () => {
  it('cuts 0.35 % at either end', () => {
    const ramp = Uint16Array.from({ length: 10_000 }, (_, i) => 1000 + i);
    expect(autoWindow(raster(100, 100, ramp))).toEqual({ low: 1035, high: 10_964 });
  });

  it('keeps a few bright specks when there is nothing else', () => {
    const mask = new Uint8Array(10_000);
    mask[77] = 255;
    expect(autoWindow(raster(100, 100, mask))).toEqual({ low: 0, high: 255 });
  });

  it.each([
    [0, 255],
    [255, 255],
    [513, 1023],
    [65535, 65535],
  ])('a constant image of %i gets full scale %i', (value, high) => {
    expect(autoWindow(raster(10, 10, new Uint16Array(100).fill(value)))).toEqual({ low: 0, high });
  });
});

describe('thumbnail', () => {
  it('keeps the aspect and resizes as Pillow does', () => {
    const data = Uint8Array.from({ length: 300 * 200 }, (_, i) => (i * 31) % 256);
    const small = thumbnail(raster(300, 200, data), 96);
    expect(small).toEqual({ width: 96, height: 64, pixels: resize8(data, 300, 200, 96, 64, 'bilinear') });
  });

  it('never enlarges and never vanishes', () => {
    const data = Uint8Array.from({ length: 300 }, (_, i) => i);
    expect(thumbnail(raster(20, 15, data), 96)).toEqual({ width: 20, height: 15, pixels: data });
    const line = thumbnail(raster(1000, 16, new Uint8Array(16_000)), 20);
    expect([line.width, line.height]).toEqual([20, 1]);
  });

  it('shows 16 bits through the automatic window', () => {
    const data = Uint16Array.from({ length: 10_000 }, (_, i) => 513 + (i % 100));
    const { pixels } = thumbnail(raster(100, 100, data), 100);
    expect(pixels).toEqual(toDisplay8(raster(100, 100, data), { low: 513, high: 612 }));
    expect([Math.min(...pixels), Math.max(...pixels)]).toEqual([0, 255]);
  });
});
