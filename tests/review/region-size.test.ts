import { describe, expect, it } from 'vitest';
import { Rng } from '../../src/base/rng';
import type { Box, ImagePx, MapPx } from '../../src/base/space';
import { regionSize, toImageBox, toImagePoint, toMapPoint } from '../../src/review/region-size';
import type { MapFrame } from '../../src/review/region-size';
import { findRegions } from '../../src/review/regions';

const box = (x: number, y: number, width: number, height: number) =>
  ({ x, y, width, height }) as Box<ImagePx>;

/** A 1024×768 image below a data bar of 32 rows, squashed to 256×256: 4 and 3 image pixels per map pixel. */
const FRAME: MapFrame = { mapWidth: 256, mapHeight: 256, covers: box(0, 32, 1024, 768), pitchNm: 2.5 };

const mapPoint = (x: number, y: number) => ({ x: x as MapPx, y: y as MapPx });

describe('from map to image', () => {
  it('scales both axes by their own factor', () => {
    expect(toImagePoint(mapPoint(0, 0), FRAME)).toEqual({ x: 0, y: 32 });
    expect(toImagePoint(mapPoint(256, 256), FRAME)).toEqual({ x: 1024, y: 800 });
    expect(toImagePoint(mapPoint(10.5, 20.5), FRAME)).toEqual({ x: 42, y: 93.5 });
    const inMap = { x: 1, y: 2, width: 3, height: 4 } as Box<MapPx>;
    expect(toImageBox(inMap, FRAME)).toEqual(box(4, 38, 12, 12));
  });

  it('comes back', () => {
    const rng = new Rng(1, 'space');
    for (let i = 0; i < 50; i++) {
      const point = mapPoint(rng.between(-10, 300), rng.between(-10, 300));
      const back = toMapPoint(toImagePoint(point, FRAME), FRAME);
      expect(back.x).toBeCloseTo(point.x, 10);
      expect(back.y).toBeCloseTo(point.y, 10);
    }
  });
});

describe('regionSize', () => {
  const map = new Float32Array(256 * 256);
  for (let y = 10; y < 14; y++) for (let x = 20; x < 23; x++) map[y * 256 + x] = 1;
  const [region] = findRegions(map, 256, 256, 1);

  it('in image pixels and nanometres', () => {
    const { px, nm } = regionSize(region, FRAME);
    expect(px).toMatchObject({ width: 12, height: 12, area: 144 });
    expect(px.diameter).toBeCloseTo(2 * Math.sqrt(144 / Math.PI), 12);
    expect(px.extent).toBeCloseTo(12 * Math.SQRT2, 12);
    expect(nm).toEqual({
      width: 30,
      height: 30,
      area: 900,
      diameter: 2.5 * px.diameter,
      extent: 2.5 * px.extent,
    });
  });

  it('invents no nanometres', () => {
    const { px, nm } = regionSize(region, { ...FRAME, pitchNm: undefined });
    expect(nm).toBeUndefined();
    expect(px).toEqual(regionSize(region, FRAME).px);
    for (const pitchNm of [0, -1, NaN])
      expect(() => regionSize(region, { ...FRAME, pitchNm })).toThrow(
        expect.objectContaining({ code: 'internal', message: `pixel pitch of ${pitchNm} nm` }) as Error,
      );
  });

  it('the extent is the farthest pair of pixel corners on the image', () => {
    const rng = new Rng(2, 'extent');
    for (let round = 0; round < 20; round++) {
      const [width, height] = [2 + rng.integer(12), 2 + rng.integer(12)];
      const frame = {
        mapWidth: width,
        mapHeight: height,
        covers: box(0, 0, rng.between(5, 900), rng.between(5, 900)),
      };
      const noise = Float32Array.from({ length: width * height }, () => (rng.uniform() < 0.7 ? 1 : 0));
      for (const found of findRegions(noise, width, height, 1)) {
        const alone = new Set(floodFrom(noise, width, height, found.peakAt.x - 0.5, found.peakAt.y - 0.5));
        const corners = [...alone].flatMap((i) =>
          [0, 1].flatMap((dx) =>
            [0, 1].map((dy) => toImagePoint(mapPoint((i % width) + dx, Math.floor(i / width) + dy), frame)),
          ),
        );
        let farthest = 0;
        for (const a of corners)
          for (const b of corners) farthest = Math.max(farthest, Math.hypot(a.x - b.x, a.y - b.y));
        expect(regionSize(found, frame).px.extent).toBeCloseTo(farthest, 9);
      }
    }
  });
});

function floodFrom(
  map: Float32Array,
  width: number,
  height: number,
  x: number,
  y: number,
  seen = new Set<number>(),
) {
  const i = y * width + x;
  if (x < 0 || y < 0 || x >= width || y >= height || !map[i] || seen.has(i)) return seen;
  seen.add(i);
  for (let dy = -1; dy <= 1; dy++)
    for (let dx = -1; dx <= 1; dx++) floodFrom(map, width, height, x + dx, y + dy, seen);
  return seen;
}
