import { describe, expect, it } from 'vitest';
import { fullScale, toMaskInput, toModelInput } from '../../src/image/model-input';
import type { Raster } from '../../src/image/raster';
import { resize8, resizeFloat } from '../../src/image/resample';

const raster = (width: number, height: number, data: Raster['data']): Raster => ({
  width,
  height,
  data,
  bits: data instanceof Uint16Array ? 16 : 8,
});

describe('full scale', () => {
  it.each([
    [0, 255],
    [255, 255],
    [256, 511],
    [1023, 1023],
    [4000, 4095],
    [4096, 8191],
    [64512, 65535],
    [65535, 65535],
  ])('of 16 bits with values up to %i is %i', (max, white) => {
    expect(fullScale(max, 16)).toBe(white);
  });

  it('of 8 bits is 255', () => {
    expect(fullScale(3, 8)).toBe(255);
  });
});

describe('model input', () => {
  const data = Uint8Array.from({ length: 30 * 20 }, (_, i) => (i * 7919) % 256);

  it('8 bits: rounded as Pillow rounds, then divided by 255', () => {
    for (const kernel of ['bilinear', 'bicubic'] as const) {
      const input = toModelInput(raster(30, 20, data), { size: 16, kernel, white: 255 });
      expect(input).toEqual(Float32Array.from(resize8(data, 30, 20, 16, 16, kernel), (v) => v / 255));
    }
  });

  it('16 bits: not rounded, white and beyond are 1', () => {
    const wide = Uint16Array.from(data, (v) => v * 16);
    const input = toModelInput(raster(30, 20, wide), { size: 16, kernel: 'bilinear', white: 4095 });
    const exact = resizeFloat(Float32Array.from(wide), 30, 20, 16, 16, 'bilinear');
    expect(Math.max(...input.map((v, i) => Math.abs(v - exact[i] / 4095)))).toBeLessThan(1e-6);
    const white = toModelInput(raster(30, 20, wide.fill(60000)), { size: 4, kernel: 'bicubic', white: 4095 });
    expect([...white].every((v) => Math.abs(v - 1) < 1e-6 && v <= 1)).toBe(true);
  });

  it('bicubic overshoot stays within 0 … 1', () => {
    const step = Uint16Array.from({ length: 64 }, (_, i) => (i % 8 < 4 ? 0 : 1000));
    const input = toModelInput(raster(8, 8, step), { size: 32, kernel: 'bicubic', white: 1000 });
    expect([Math.min(...input), Math.max(...input)]).toEqual([0, 1]);
  });

  it('mid-grey is 0.5', () => {
    const grey = toModelInput(raster(20, 20, new Uint16Array(400).fill(32768)), {
      size: 5,
      kernel: 'bicubic',
      white: 65536,
    });
    expect([...grey].every((v) => Math.abs(v - 0.5) < 1e-6)).toBe(true);
  });
});

describe('mask input', () => {
  it('is 1 above half of full scale', () => {
    expect([...toMaskInput(raster(2, 2, Uint8Array.of(0, 127, 128, 255)), 2)]).toEqual([0, 0, 1, 1]);
    expect([...toMaskInput(raster(2, 2, Uint16Array.of(0, 127, 128, 255)), 2)]).toEqual([0, 0, 1, 1]);
    expect([...toMaskInput(raster(2, 2, Uint16Array.of(0, 32767, 32768, 65535)), 2)]).toEqual([0, 0, 1, 1]);
  });

  it.each([
    [Uint8Array.of(0, 1, 1, 0), [0, 1, 1, 0]],
    [Uint16Array.of(0, 1, 1, 0), [0, 1, 1, 0]],
    [Uint8Array.of(0, 1, 2, 3), [0, 0, 1, 1]],
    [Uint8Array.of(0, 63, 64, 127), [0, 0, 1, 1]],
    // From 128 on full scale counts, so that a soft edge stays where it is.
    [Uint8Array.of(0, 64, 127, 128), [0, 0, 0, 1]],
    [Uint8Array.of(0, 0, 0, 0), [0, 0, 0, 0]],
    [Uint16Array.of(0, 0, 0, 0), [0, 0, 0, 0]],
  ])(
    'of a mask that stays below half of full scale is 1 above half of its largest value: %j',
    (mask, expected) => {
      expect([...toMaskInput(raster(2, 2, mask), 2)]).toEqual(expected);
    },
  );

  it('is squashed as the image is, without values in between', () => {
    const mask = Uint8Array.of(0, 0, 255, 255, 0, 0, 255, 255);
    expect([...toMaskInput(raster(4, 2, mask), 4)]).toEqual([0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 1, 1]);
  });
});
