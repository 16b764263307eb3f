import { describe, expect, it } from 'vitest';
import { Rng } from '../../../src/base/rng';
import { floatTensor, floats } from '../../../src/base/tensor';
import type { TensorData } from '../../../src/base/tensor';
import { gaussianBlur } from '../../../src/graph/ops/index';
import type { FeatureCache } from '../../../src/methods/kit/feature-cache';
import {
  TileSampler,
  cutTiles,
  fromSigned,
  stitchTiles,
  tilingOf,
  toSigned,
} from '../../../src/methods/kit/tiles';
import { relativeError } from '../../support/golden';
import { evaluate, openNodeRuntime } from '../../support/node-runtime';

const runtime = openNodeRuntime();

/** Pictures [count,1,S,S] in which every value is its own place. */
const numbered = (count: number, side: number): TensorData =>
  floatTensor(
    [count, 1, side, side],
    Float32Array.from({ length: count * side * side }, (_, i) => i),
  );

describe('a tiling', () => {
  it.each([
    [64, [0]],
    [96, [0, 32]],
    [224, [0, 32, 64, 96, 128, 160]],
    [100, [0, 32, 36]],
  ])('of a side of %i ends at the border', (side, starts) => {
    expect(tilingOf(side, 64, 32).starts).toEqual(starts);
  });
});

describe('tiles', () => {
  it.each([8, 12, 13])('are cut row by row, image by image (side %i)', async (side) => {
    const tiling = tilingOf(side, 8, 4);
    const { starts } = tiling;
    const { tiles } = await evaluate(runtime, { x: numbered(2, side) }, ({ x }) => ({
      tiles: cutTiles(x, tiling),
    }));
    expect(tiles.shape).toEqual([2 * starts.length ** 2, 1, 8, 8]);
    const expected = [0, 1].flatMap((image) =>
      starts.flatMap((top) =>
        starts.flatMap((left) =>
          Array.from(
            { length: 64 },
            (_, i) => image * side * side + (top + (i >> 3)) * side + left + (i & 7),
          ),
        ),
      ),
    );
    expect([...floats(tiles)]).toEqual(expected);
  });

  it.each(['flat', 'raised cosine'] as const)('put back give the image, %s', async (window) => {
    const tiling = tilingOf(13, 8, 4);
    const x = numbered(2, 13);
    const { plain, smooth, expected } = await evaluate(runtime, { x }, (values) => {
      const tiles = cutTiles(values.x, tiling);
      return {
        plain: stitchTiles(tiles, tiling, window),
        smooth: stitchTiles(tiles, tiling, window, 2),
        expected: gaussianBlur(values.x, 2),
      };
    });
    expect(plain.shape).toEqual(x.shape);
    expect(relativeError(floats(plain), floats(x))).toBeLessThan(1e-6);
    expect(relativeError(floats(smooth), floats(expected))).toBeLessThan(1e-5);
  });

  it('are averaged where they overlap', async () => {
    const tiling = tilingOf(12, 8, 4);
    const tiles = floatTensor(
      [4, 1, 8, 8],
      Float32Array.from({ length: 256 }, (_, i) => i >> 6),
    );
    const { flat, soft } = await evaluate(runtime, { tiles }, (values) => ({
      flat: stitchTiles(values.tiles, tiling, 'flat'),
      soft: stitchTiles(values.tiles, tiling, 'raised cosine'),
    }));
    const [a, b] = [floats(flat), floats(soft)];
    expect([a[0], a[11], a[132], a[143]]).toEqual([0, 1, 2, 3]);
    expect(a[6 * 12 + 6]).toBeCloseTo(1.5, 6);
    // The nearer to a tile's border, the less it counts.
    expect(b[4]).toBeLessThan(0.1);
    expect(b[7]).toBeGreaterThan(0.9);
  });
});

describe('grey values', () => {
  it('go to −1 … 1 and back', async () => {
    const x = floatTensor([3], [0, 0.25, 1]);
    const found = await evaluate(runtime, { x }, (values) => ({
      signed: toSigned(values.x),
      back: fromSigned(toSigned(values.x)),
    }));
    expect([...floats(found.signed)]).toEqual([-1, -0.5, 1]);
    expect([...floats(found.back)]).toEqual([0, 0.25, 1]);
  });
});

describe('random tiles', () => {
  const side = 10;
  const cache = {
    width: side * side,
    of: async (index: number) => Float32Array.from({ length: 100 }, (_, i) => 1000 * index + i),
  } as FeatureCache;
  const sampler = (images: number[], tile = 4, batch = 64) =>
    new TileSampler({ rng: (stream) => new Rng(3, stream) }, cache, Int32Array.from(images), { batch, tile });

  /** [step to the right, step down] of every tile. */
  const steps = (tiles: TensorData): number[][] =>
    Array.from({ length: tiles.shape[0] }, (_, i) => {
      const at = i * 16;
      const data = floats(tiles);
      for (let p = 0; p < 16; p++)
        expect(data[at + p]).toBe(
          data[at] + (p & 3) * (data[at + 1] - data[at]) + (p >> 2) * (data[at + 4] - data[at]),
        );
      return [data[at + 1] - data[at], data[at + 4] - data[at]];
    });

  it('are squares of the images asked for, at many places', async () => {
    const tiles = await sampler([2, 5]).at('a');
    expect(tiles.shape).toEqual([64, 1, 4, 4]);
    for (const step of steps(tiles)) expect(step).toEqual([1, 10]);
    const corners = Array.from({ length: 64 }, (_, i) => floats(tiles)[i * 16]);
    expect(new Set(corners.map((value) => Math.floor(value / 1000)))).toEqual(new Set([2, 5]));
    expect(new Set(corners).size).toBeGreaterThan(30);
  });

  it('are mirrored when wanted, all four ways', async () => {
    const found = steps(await sampler([0]).at('a', true)).map(String);
    expect(new Set(found)).toEqual(new Set(['1,10', '-1,10', '1,-10', '-1,-10']));
  });

  it('are the same for the same stream, others for another', async () => {
    expect(await sampler([0, 1]).at('a')).toEqual(await sampler([0, 1]).at('a'));
    expect(await sampler([0, 1]).at('a')).not.toEqual(await sampler([0, 1]).at('b'));
    expect(await sampler([0, 1]).looks(2)).toEqual(await sampler([0, 1]).looks(2));
  });

  it('are whole images when a tile is as large', async () => {
    const tiles = await sampler([1], 10, 2).at('a');
    expect([...floats(tiles).slice(0, 100)]).toEqual([...(await cache.of(1))]);
  });
});
