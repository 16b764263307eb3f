import { deflateSync } from 'node:zlib';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { Rng } from '../../src/base/rng';
import { toGrey16, toGrey8 } from '../../src/image/raster';
import { decodeTiff } from '../../src/image/tiff';
import { noDecoder, readWithSharp, sharpDecoder } from './sharp-decoder';
import { buildTiff, greyFields, literalPackBits, packRows } from './tiff-builder';
import type { Field, TiffSpec } from './tiff-builder';

const rng = new Rng(1, 'tiff.test');
const WIDTH = 45;
const HEIGHT = 37;

/** A gradient with noise: smooth enough for predictors and LZW to matter, and every bit in use. */
const samples = (channels: number, depth: number): Uint8Array | Uint16Array => {
  const data =
    depth === 16 ? new Uint16Array(WIDTH * HEIGHT * channels) : new Uint8Array(WIDTH * HEIGHT * channels);
  const white = 2 ** depth - 1;
  for (let i = 0; i < data.length; i++)
    data[i] = Math.floor(
      ((i % (WIDTH * channels)) / (WIDTH * channels)) * 0.9 * white + rng.uniform() * 0.1 * (white + 1),
    );
  return data;
};
const luma = (data: Uint8Array | Uint16Array) =>
  data instanceof Uint8Array ? toGrey8(data) : toGrey16(data);
const read = async (file: Uint8Array, decoder = noDecoder) =>
  (await decodeTiff(file, 'a.tif', decoder)).raster;
const bytesOf = (data: Uint8Array | Uint16Array) =>
  new Uint8Array(data.buffer, data.byteOffset, data.byteLength);

describe('files written by libtiff', () => {
  const compressions = ['none', 'lzw', 'deflate', 'packbits'] as const;
  const kinds = [
    { channels: 1, depth: 8, space: 'b-w' },
    { channels: 1, depth: 16, space: 'grey16' },
    { channels: 3, depth: 8, space: 'srgb' },
    { channels: 3, depth: 16, space: 'rgb16' },
    { channels: 4, depth: 8, space: 'srgb' },
  ] as const;
  const variants = compressions.flatMap((compression) =>
    kinds.flatMap((kind) =>
      [false, true].flatMap((tile) =>
        (['none', 'horizontal'] as const).map((predictor) => ({ ...kind, compression, tile, predictor })),
      ),
    ),
  );

  it.each(variants)(
    '$compression, $channels × $depth bit, tiles $tile, predictor $predictor',
    async (variant) => {
      const { channels, depth, space, compression, tile, predictor } = variant;
      const data = samples(channels, depth);
      const file = await sharp(data, { raw: { width: WIDTH, height: HEIGHT, channels } })
        .toColourspace(space)
        .tiff({ compression, tile, tileWidth: 16, tileHeight: 32, predictor })
        .toBuffer();
      const { raster, directory } = await decodeTiff(file, 'a.tif', noDecoder);
      expect(directory.number(259, 1)).toBe({ none: 1, lzw: 5, deflate: 8, packbits: 32773 }[compression]);
      expect(directory.has(322)).toBe(tile);
      const colour = channels === 4 ? data.filter((_, i) => i % 4 < 3) : data;
      expect([raster.width, raster.height, raster.bits]).toEqual([WIDTH, HEIGHT, depth]);
      expect(raster.data).toEqual(channels === 1 ? data : luma(colour));
    },
  );

  it.each([1, 3] as const)('JPEG with %i components, in strips and tiles', async (channels) => {
    for (const tile of [false, true]) {
      const data = samples(channels, 8);
      const file = await sharp(data, { raw: { width: WIDTH, height: HEIGHT, channels } })
        .toColourspace(channels === 1 ? 'b-w' : 'srgb')
        .tiff({ compression: 'jpeg', quality: 90, tile, tileWidth: 16, tileHeight: 32 })
        .toBuffer();
      const values = await readWithSharp(file);
      const expected = channels === 1 ? values : luma(values);
      const { data: actual } = await read(file, sharpDecoder);
      // libtiff and libjpeg round YCbCr differently.
      expect(Math.max(...expected.map((v, i) => Math.abs(v - actual[i])))).toBeLessThanOrEqual(
        channels === 1 ? 0 : 2,
      );
    }
  });

  it.each([1, 2, 4] as const)('%i bit, spread to 0 … 255', async (bitdepth) => {
    for (const miniswhite of [false, true]) {
      const data = samples(1, 8);
      const file = await sharp(data, { raw: { width: WIDTH, height: HEIGHT, channels: 1 } })
        .toColourspace('b-w')
        .tiff({ compression: 'none', bitdepth, miniswhite })
        .toBuffer();
      const { directory, raster } = await decodeTiff(file, 'a.tif', noDecoder);
      expect(directory.number(258, 1)).toBe(bitdepth);
      const values = await readWithSharp(file);
      expect(raster.data).toEqual(values);
    }
  });
});

describe('files of forms that few writers make', () => {
  const one = { width: WIDTH, height: HEIGHT };
  const oneChannel = (
    depth: number,
    bigEndian: boolean,
    change: Partial<TiffSpec> = {},
    ...fields: Field[]
  ) =>
    buildTiff({
      ...one,
      bigEndian,
      segments: [packRows(samples(1, depth), WIDTH, depth, bigEndian)],
      ...change,
      fields: [...greyFields(depth), [278, 3, [HEIGHT]], ...fields],
    });

  it.each([1, 2, 4, 8, 16])('%i bit in both byte orders', async (depth) => {
    const data = samples(1, depth);
    for (const bigEndian of [false, true]) {
      const file = oneChannel(depth, bigEndian, { segments: [packRows(data, WIDTH, depth, bigEndian)] });
      const raster = await read(file);
      expect(raster.bits).toBe(depth === 16 ? 16 : 8);
      expect(raster.data).toEqual(depth < 8 ? data.map((v) => (v * 255) / (2 ** depth - 1)) : data);
      expect(raster.data).toEqual(await readWithSharp(file));
    }
  });

  it.each([1, 4, 8, 16])('white is zero, %i bit', async (depth) => {
    const data = samples(1, depth);
    const white = 2 ** depth - 1;
    const file = oneChannel(depth, true, { segments: [packRows(data, WIDTH, depth, true)] }, [262, 3, [0]]);
    expect((await read(file)).data).toEqual(
      data.map((v) => ((white - v) * (depth < 8 ? 255 : white)) / white),
    );
    expect((await read(file)).data).toEqual(await readWithSharp(file));
  });

  it.each([1, 4, 8])('palette of %i bit: an index goes through its colour to grey', async (depth) => {
    const data = samples(1, depth);
    const colours = Array.from({ length: 3 << depth }, () => rng.integer(65536));
    const entries = 1 << depth;
    const grey = (v: number) =>
      toGrey8(Uint8Array.of(colours[v] >> 8, colours[entries + v] >> 8, colours[2 * entries + v] >> 8))[0];
    const photometric: Field[] = [
      [262, 3, [3]],
      [320, 3, colours],
    ];
    for (const bigEndian of [false, true]) {
      const segments = [packRows(data, WIDTH, depth)];
      const file = oneChannel(depth, bigEndian, { segments }, ...photometric);
      expect((await read(file)).data).toEqual(Uint8Array.from(data, grey));
    }
    // Some writers give the colours in 8 bits.
    const small = colours.map((v) => v >> 8);
    const file = oneChannel(depth, false, { segments: [packRows(data, WIDTH, depth)] }, photometric[0], [
      320,
      3,
      small,
    ]);
    expect((await read(file)).data).toEqual(Uint8Array.from(data, grey));
  });

  it.each([8, 16])('RGB of %i bit, channels apart, in strips of 8 rows', async (depth) => {
    const data = samples(3, depth);
    for (const bigEndian of [false, true]) {
      const segments = [0, 1, 2].flatMap((channel) => {
        const plane = data.filter((_, i) => i % 3 === channel);
        return Array.from({ length: Math.ceil(HEIGHT / 8) }, (_, strip) =>
          literalPackBits(
            packRows(plane.slice(strip * 8 * WIDTH, (strip + 1) * 8 * WIDTH), WIDTH, depth, bigEndian),
          ),
        );
      });
      const file = buildTiff({
        ...one,
        bigEndian,
        segments,
        fields: [
          [258, 3, [depth, depth, depth]],
          [259, 3, [32773]],
          [262, 3, [2]],
          [277, 3, [3]],
          [278, 3, [8]],
          [284, 3, [2]],
        ],
      });
      expect((await read(file)).data).toEqual(luma(data));
      expect((await read(file)).data).toEqual(luma(await readWithSharp(file)));
    }
  });

  it('16 bit, big-endian, differences of neighbours, Deflate', async () => {
    const data = samples(1, 16);
    const differences = data.map((v, i) => (i % WIDTH ? v - data[i - 1] : v));
    const file = oneChannel(
      16,
      true,
      { segments: [deflateSync(packRows(differences, WIDTH, 16, true))] },
      [259, 3, [8]],
      [317, 3, [2]],
    );
    expect((await read(file)).data).toEqual(data);
    expect(await readWithSharp(file)).toEqual(data);
  });

  it('a last strip that holds more rows than the image has', async () => {
    const data = samples(1, 8);
    const rest = Buffer.concat([bytesOf(data.subarray(20 * WIDTH)), new Uint8Array(3 * WIDTH).fill(9)]);
    const segments = [deflateSync(data.subarray(0, 20 * WIDTH)), deflateSync(rest)];
    const file = oneChannel(8, false, { segments }, [259, 3, [32946]], [278, 3, [20]]);
    expect((await read(file)).data).toEqual(data);
  });

  it("wrong byte counts of uncompressed strips don't matter", async () => {
    const data = samples(1, 8);
    const file = oneChannel(8, false, { segments: [bytesOf(data)] }, [279, 4, [5]]);
    expect((await read(file)).data).toEqual(data);
  });

  it('bytes that lie within a larger buffer', async () => {
    const file = oneChannel(16, false);
    const buffer = new Uint8Array(file.length + 7);
    buffer.set(file, 3);
    expect((await read(buffer.subarray(3, 3 + file.length))).data).toEqual((await read(file)).data);
  });

  it('counts pages, and a ring of directories ends', async () => {
    const file = oneChannel(8, false, { pages: 3 });
    expect((await decodeTiff(file, 'a.tif', noDecoder)).directory.pages).toBe(3);
    const ring = oneChannel(8, false);
    const view = new DataView(ring.buffer);
    const start = view.getUint32(4, true);
    view.setUint32(start + 2 + 12 * view.getUint16(start, true), start, true);
    expect((await decodeTiff(ring, 'a.tif', noDecoder)).directory.pages).toBe(1);
  });
});
