import { describe, expect, it } from 'vitest';
import { connectedComponents } from '../../src/base/components';
import { Rng } from '../../src/base/rng';
import { findRegions } from '../../src/review/regions';

/** A map from rows of digits; the digit is the value. */
function drawn(...rows: string[]) {
  return { map: Float32Array.from(rows.join(''), Number), width: rows[0].length, height: rows.length };
}

describe('findRegions', () => {
  it('measures what a drawn map shows', () => {
    const { map, width, height } = drawn(
      '5000000', //
      '0600000',
      '0000099',
      '0000089',
    );
    const [square, diagonal, ...rest] = findRegions(map, width, height, 5);
    expect(rest).toEqual([]);
    expect(square).toEqual({
      box: { x: 5, y: 2, width: 2, height: 2 },
      area: 4,
      centroid: { x: 6, y: 3 },
      peak: 9,
      peakAt: { x: 5.5, y: 2.5 },
      mean: 8.75,
      hull: [
        { x: 5, y: 2 },
        { x: 5, y: 4 },
        { x: 7, y: 4 },
        { x: 7, y: 2 },
      ],
    });
    expect(diagonal).toMatchObject({ area: 2, peak: 6, peakAt: { x: 1.5, y: 1.5 }, mean: 5.5 });
    expect(diagonal.hull).toEqual([
      { x: 0, y: 0 },
      { x: 0, y: 1 },
      { x: 1, y: 2 },
      { x: 2, y: 2 },
      { x: 2, y: 1 },
      { x: 1, y: 0 },
    ]);
  });

  it('counts a value that equals the threshold, as the metrics do', () => {
    expect(findRegions(Float32Array.of(1, 2), 2, 1, 2)).toHaveLength(1);
    expect(findRegions(Float32Array.of(1, 2), 2, 1, 2.1)).toEqual([]);
  });

  it('puts the higher peak first, then the larger area, then scan order', () => {
    const { map, width, height } = drawn(
      '7070770', //
      '0000000',
      '9000070',
    );
    expect(findRegions(map, width, height, 1).map(({ box, peak, area }) => [box.x, peak, area])).toEqual([
      [0, 9, 1],
      [4, 7, 2],
      [0, 7, 1],
      [2, 7, 1],
      [5, 7, 1],
    ]);
  });

  it('agrees with counting pixel by pixel on random maps', () => {
    const rng = new Rng(1, 'regions');
    for (let round = 0; round < 30; round++) {
      const [width, height] = [1 + rng.integer(20), 1 + rng.integer(20)];
      const map = Float32Array.from({ length: width * height }, () => rng.uniform());
      const threshold = rng.between(0.3, 0.9);
      const regions = findRegions(map, width, height, threshold);
      const { labels, count } = connectedComponents(
        Array.from(map, (v) => (v >= threshold ? 1 : 0)),
        width,
        height,
      );
      expect(regions).toHaveLength(count);
      for (const region of regions) {
        const { x, y } = region.peakAt;
        const label = labels[(y - 0.5) * width + x - 0.5];
        const pixels = Array.from(labels.keys()).filter((i) => labels[i] === label);
        const columns = pixels.map((i) => i % width);
        const rows = pixels.map((i) => Math.floor(i / width));
        const mean = (values: number[]) => values.reduce((a, b) => a + b, 0) / values.length;
        expect(region.area).toBe(pixels.length);
        expect(region.peak).toBe(Math.max(...pixels.map((i) => map[i])));
        expect(region.mean).toBeCloseTo(mean(pixels.map((i) => map[i])), 12);
        expect(region.centroid.x).toBeCloseTo(mean(columns) + 0.5, 10);
        expect(region.centroid.y).toBeCloseTo(mean(rows) + 0.5, 10);
        expect(region.box).toEqual({
          x: Math.min(...columns),
          y: Math.min(...rows),
          width: Math.max(...columns) - Math.min(...columns) + 1,
          height: Math.max(...rows) - Math.min(...rows) + 1,
        });
        expectHull(
          region.hull,
          pixels.flatMap((i) => cornersOf(i, width)),
        );
      }
      expect(regions.map(({ peak }) => peak)).toEqual(regions.map(({ peak }) => peak).sort((a, b) => b - a));
    }
  });

  it.each([
    [Float32Array.of(1, 2, 3), 2, 1, 0, 'internal', 'a map of 3 values for 2×1'],
    [Float32Array.of(1, 2), 2, 1, NaN, 'internal', 'the map threshold is NaN'],
    [Float32Array.of(1, 2, 3, NaN), 2, 2, 0, 'run/not-finite', 'the map at x 1, y 1 is NaN'],
  ])('refuses what it cannot measure (%#)', (map, width, height, threshold, code, message) => {
    expect(() => findRegions(map, width, height, threshold)).toThrow(
      expect.objectContaining({ code, message }) as Error,
    );
  });
});

type Corner = readonly [number, number];

function cornersOf(i: number, width: number): Corner[] {
  const x = i % width;
  const y = Math.floor(i / width);
  return [[x, y], [x + 1, y], [x, y + 1], [x + 1, y + 1]]; // prettier-ignore
}

/** Every hull point is a corner; the hull turns one way at every point; no corner lies outside. */
function expectHull(hull: readonly { x: number; y: number }[], corners: readonly Corner[]): void {
  const known = new Set(corners.map(String));
  hull.forEach((a, i) => {
    const b = hull[(i + 1) % hull.length];
    const c = hull[(i + 2) % hull.length];
    expect(known.has(`${a.x},${a.y}`)).toBe(true);
    const side = (x: number, y: number) => (b.x - a.x) * (y - a.y) - (b.y - a.y) * (x - a.x);
    expect(side(c.x, c.y)).toBeLessThan(0);
    for (const [x, y] of corners) expect(side(x, y)).toBeLessThanOrEqual(0);
  });
}
