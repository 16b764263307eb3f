import { describe, expect, it } from 'vitest';
import { Rng } from '../../src/base/rng';
import { burnBar, drawBar } from '../../src/sample/data-bar';
import type { Bar } from '../../src/sample/data-bar';

const BAR: Bar = { heightPx: 9, text: '7.H', scaleBarPx: 10, atTop: false, ink: 255, paper: 0, dot: 1 };
const rows = (pixels: Uint8Array, width: number, from: number, to: number, columns: number): string[] =>
  Array.from({ length: to - from }, (_, k) =>
    [...pixels.subarray((from + k) * width, (from + k) * width + columns)]
      .map((value) => (value ? '#' : '.'))
      .join(''),
  );

describe('burnBar', () => {
  it('writes letters and leaves the picture above alone', () => {
    const pixels = new Uint8Array(64 * 30).fill(77);
    burnBar(pixels, 64, BAR);
    expect(new Set(pixels.subarray(0, 64 * 21))).toEqual(new Set([77]));
    expect(rows(pixels, 64, 23, 28, 14)).toEqual([
      '...###.....#.#',
      '.....#.....#.#',
      '.....#.....###',
      '....#......#.#',
      '....#...#..#.#',
    ]);
  });

  it('draws the scale bar at its length, with both stops', () => {
    const pixels = new Uint8Array(64 * 30);
    burnBar(pixels, 64, BAR);
    const line = pixels.subarray(25 * 64 + 20, 26 * 64);
    expect(line.filter((value) => value === 255).length).toBe(10);
    expect([51, 60].map((x) => pixels[23 * 64 + x])).toEqual([255, 255]);
  });

  it('can lie at the top, in larger dots', () => {
    const pixels = new Uint8Array(128 * 40).fill(77);
    burnBar(pixels, 128, { ...BAR, atTop: true, dot: 2, heightPx: 18, ink: 0, paper: 200 });
    expect(pixels[128 * 18]).toBe(77);
    expect(pixels[0]).toBe(200);
    expect([...pixels.subarray(4 * 128 + 5, 4 * 128 + 13)]).toEqual([200, 0, 0, 0, 0, 0, 0, 200]);
  });

  it('holds its text and a scale bar in any usual picture', () => {
    for (const width of [128, 160, 512, 1024])
      for (let seed = 0; seed < 50; seed++) {
        const bar = drawBar(new Rng(seed, 'bar'), width, width);
        expect(bar.text).toMatch(/^\d+\.0KV \d+KX (SE|SE2|TLD|IN) \d+[NU]M$/);
        expect(bar.heightPx).toBeGreaterThanOrEqual(7 * bar.dot);
        expect(bar.heightPx).toBeLessThan(0.15 * width);
        expect(bar.scaleBarPx).toBeGreaterThan(3);
        expect(bar.scaleBarPx).toBeLessThan(0.35 * width);
      }
  });
});
