import { describe, expect, it } from 'vitest';
import { Rng } from '../../src/base/rng';
import { detectPictureHeight } from '../../src/image/data-bar';
import type { Raster } from '../../src/image/raster';

const WIDTH = 400;
const HEIGHT = 300;

interface Bar {
  readonly first: number;
  readonly last: number;
  readonly paper: number;
  readonly ink: number;
  readonly framed: boolean;
}

/** Noise around a level, with a bar of blank rows and rows of strokes over it. */
function image(level: number, bar?: Bar, white = 255): Raster {
  const rng = new Rng(3, 'data-bar.test');
  const data = new (white > 255 ? Uint16Array : Uint8Array)(WIDTH * HEIGHT);
  for (let i = 0; i < data.length; i++) data[i] = Math.max(0, ((level + 20 * rng.bell()) * white) / 255);
  if (bar)
    for (let y = bar.first; y <= bar.last; y++) {
      const text = y > bar.first + 4 && y < bar.last - 4;
      const frame = bar.framed && (y === bar.first || y === bar.last);
      for (let x = 1; x < WIDTH - 1; x++) {
        const stroke = text && x % 50 > 15 && rng.integer(4) === 0;
        data[y * WIDTH + x] = ((frame || stroke ? bar.ink : bar.paper) * white) / 255;
      }
    }
  return { width: WIDTH, height: HEIGHT, data, bits: white > 255 ? 16 : 8 };
}

describe('finding the data bar', () => {
  const white: Bar = { first: 270, last: 299, paper: 255, ink: 0, framed: true };
  const black: Bar = { first: 275, last: 299, paper: 0, ink: 255, framed: false };

  it.each([
    ['white, framed, at the bottom', 120, white],
    ['white, framed, with picture rows below', 120, { ...white, first: 262, last: 284 }],
    ['white, unframed', 120, { ...white, framed: false }],
    ['black, unframed', 120, black],
    ['black, framed in white, under a black picture', 0, { ...black, framed: true }],
    ['grey', 120, { ...white, paper: 47, ink: 250 }],
  ])('%s', (_, level, bar) => {
    expect(detectPictureHeight(image(level, bar))).toBe(bar.first);
  });

  it('in 16 bits, and in 12 bits within 16', () => {
    for (const full of [65535, 4095]) expect(detectPictureHeight(image(120, white, full))).toBe(270);
  });

  it.each([
    ['no bar', image(120)],
    ['a flat band without text', image(120, { ...white, ink: 255 })],
    ['a black picture with nothing on it', image(-200)],
    ['a bar too thin to hold text', image(120, { ...white, first: 292 })],
    ['a band that takes half of the image', image(120, { ...white, first: 150 })],
    ['a bar in the middle', image(120, { ...white, first: 150, last: 180 })],
    ['a dark bar that nothing parts from a dark picture', image(0, black)],
  ])('none: %s', (_, raster) => {
    expect(detectPictureHeight(raster)).toBe(HEIGHT);
  });

  it('none in line patterns and masks', () => {
    const pattern = (f: (x: number, y: number) => number): Raster => ({
      width: WIDTH,
      height: HEIGHT,
      data: Uint8Array.from({ length: WIDTH * HEIGHT }, (_, i) => f(i % WIDTH, Math.floor(i / WIDTH))),
      bits: 8,
    });
    const disc = (x: number, y: number) => (Math.hypot(x - 200, y - 280) < 12 ? 255 : 0);
    const patterns = [
      pattern((x) => (x % 10 < 3 ? 255 : 0)),
      pattern((_, y) => (y % 10 < 3 ? 255 : 0)),
      pattern((x, y) => (x % 10 < 3 && y % 10 < 3 ? 255 : 0)),
      pattern((x, y) => (y < 260 ? 255 : 0) + disc(x, y)),
      pattern(disc),
    ];
    expect(patterns.map(detectPictureHeight)).toEqual(patterns.map(() => HEIGHT));
  });

  it('the smallest images', () => {
    for (const size of [16, 17, 40])
      expect(
        detectPictureHeight({ width: size, height: size, data: new Uint8Array(size * size), bits: 8 }),
      ).toBe(size);
  });
});
