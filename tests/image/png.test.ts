import { deflateSync } from 'node:zlib';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { Rng } from '../../src/base/rng';
import { decodePng } from '../../src/image/png';
import { toGrey16, toGrey8 } from '../../src/image/raster';
import { buildPng, chunk, header, SIGNATURE, unfiltered } from './png-builder';
import { refusal } from './refusals';
import { readWithSharp } from './sharp-decoder';
import { packRows } from './tiff-builder';

const rng = new Rng(1, 'png.test');
const WIDTH = 37;
const HEIGHT = 29;

function samples(channels: number, depth: number): Uint8Array | Uint16Array {
  const data = new (depth === 16 ? Uint16Array : Uint8Array)(WIDTH * HEIGHT * channels);
  return data.map((_, i) => {
    const ramp = ((i % (WIDTH * channels)) + i / (WIDTH * channels)) / (WIDTH * channels + HEIGHT);
    return Math.floor((0.8 * ramp + 0.2 * rng.uniform()) * 2 ** depth);
  });
}
const luma = (data: Uint8Array | Uint16Array, channels: number) =>
  data instanceof Uint8Array ? toGrey8(data, channels) : toGrey16(data, channels);

const PASSES = [
  [0, 0, 8, 8],
  [4, 0, 8, 8],
  [0, 4, 4, 8],
  [2, 0, 4, 4],
  [0, 2, 2, 4],
  [1, 0, 2, 2],
  [0, 1, 1, 2],
];

/** The rows of the seven passes, filter 0 before each. */
function interlacedLines(data: Uint8Array | Uint16Array, width: number, depth: number): Uint8Array {
  const parts = PASSES.map(([x0, y0, dx, dy]) => {
    const values: number[] = [];
    for (let y = y0; y < data.length / width; y += dy)
      for (let x = x0; x < width; x += dx) values.push(data[y * width + x]);
    const columns = Math.ceil((width - x0) / dx);
    return unfiltered(packRows(values, columns, depth, true), Math.ceil((columns * depth) / 8));
  });
  return Buffer.concat(parts);
}

describe('files written by libpng', () => {
  const kinds = [
    { channels: 1, depth: 8, space: 'b-w' },
    { channels: 1, depth: 16, space: 'grey16' },
    { channels: 2, depth: 8, space: 'b-w' },
    { channels: 3, depth: 8, space: 'srgb' },
    { channels: 3, depth: 16, space: 'rgb16' },
    { channels: 4, depth: 8, space: 'srgb' },
  ] as const;
  const variants = kinds.flatMap((kind) =>
    [false, true].flatMap((progressive) =>
      [false, true].map((adaptiveFiltering) => ({ ...kind, progressive, adaptiveFiltering })),
    ),
  );

  it.each(variants)(
    '$channels × $depth bit, interlaced $progressive, filters $adaptiveFiltering',
    async ({ channels, depth, space, progressive, adaptiveFiltering }) => {
      const data = samples(channels, depth);
      const file = await sharp(data, { raw: { width: WIDTH, height: HEIGHT, channels } })
        .toColourspace(space)
        .png({ progressive, adaptiveFiltering })
        .toBuffer();
      expect([...file.subarray(24, 29)]).toEqual([
        depth,
        { 1: 0, 2: 4, 3: 2, 4: 6 }[channels],
        0,
        0,
        progressive ? 1 : 0,
      ]);
      const { raster, frames } = decodePng(file, 'a.png');
      expect(frames).toBe(1);
      expect([raster.width, raster.height, raster.bits]).toEqual([WIDTH, HEIGHT, depth]);
      const expected = channels < 3 ? data.filter((_, i) => i % channels === 0) : luma(data, channels);
      expect(raster.data).toEqual(expected);
    },
  );

  it('a palette', async () => {
    const file = await sharp(samples(3, 8), { raw: { width: WIDTH, height: HEIGHT, channels: 3 } })
      .png({ palette: true, colours: 40 })
      .toBuffer();
    expect(file[25]).toBe(3);
    expect(decodePng(file, 'a.png').raster.data).toEqual(luma(await readWithSharp(file), 3));
  });
});

describe('files built by hand', () => {
  const rowBytes = (depth: number, channels = 1) => Math.ceil((WIDTH * depth * channels) / 8);
  const build = (depth: number, colourType: number, data: ArrayLike<number>, ...between: Uint8Array[]) =>
    buildPng(
      header(WIDTH, HEIGHT, depth, colourType),
      unfiltered(packRows(data, WIDTH, depth, true), rowBytes(depth)),
      ...between,
    );

  it.each([1, 2, 4])('grey of %i bit is spread to 0 … 255', async (depth) => {
    const data = samples(1, depth);
    const file = build(depth, 0, data);
    expect(decodePng(file, 'a.png').raster.data).toEqual(data.map((v) => (v * 255) / (2 ** depth - 1)));
    expect(decodePng(file, 'a.png').raster.data).toEqual(await readWithSharp(file));
  });

  it.each([1, 2, 4, 8])('a palette of %i bit; indices beyond it are black', (depth) => {
    const data = samples(1, depth);
    const entries = Math.max(1, 2 ** depth - 1);
    const rgb = Uint8Array.from({ length: 3 * entries }, () => rng.integer(256));
    const grey = new Uint8Array(2 ** depth);
    grey.set(toGrey8(rgb));
    const file = build(depth, 3, data, chunk('PLTE', rgb), chunk('tRNS', Uint8Array.of(0)));
    expect(decodePng(file, 'a.png').raster.data).toEqual(Uint8Array.from(data, (v) => grey[v]));
  });

  it.each([8, 16])('interlaced, %i bit', async (depth) => {
    const data = samples(1, depth);
    const file = buildPng(header(WIDTH, HEIGHT, depth, 0, 1), interlacedLines(data, WIDTH, depth));
    const { data: actual } = decodePng(file, 'a.png').raster;
    expect(actual).toEqual(data);
    expect(actual).toEqual(await readWithSharp(file));
  });

  it.each([16, 17, 18, 19, 20, 21, 22, 23])(
    'interlaced, %i rows: all of them, and not a byte less',
    async (rows) => {
      for (const width of [16, 21, 31]) {
        const data = Uint8Array.from({ length: width * rows }, () => rng.integer(256));
        const lines = interlacedLines(data, width, 8);
        expect(decodePng(buildPng(header(width, rows, 8, 0, 1), lines), 'a.png').raster.data).toEqual(data);
        const short = buildPng(header(width, rows, 8, 0, 1), lines.subarray(0, -1));
        expect(await refusal(() => decodePng(short, 'a.png'))).toEqual({
          code: 'image/corrupt',
          message: `a.png is damaged: it holds ${lines.length - 1} of ${lines.length} bytes of picture data`,
        });
      }
    },
  );

  it.each([0, 1, 2, 3, 4])(
    'row filter %i, also on the first row and over the edge of bytes',
    async (filter) => {
      for (const [channels, colourType] of [
        [1, 0],
        [3, 2],
        [2, 4],
      ]) {
        // Any bytes are valid differences: libpng says what they mean.
        const bytes = rowBytes(8, channels);
        const lines = Uint8Array.from({ length: HEIGHT * (1 + bytes) }, (_, i) =>
          i % (1 + bytes) ? rng.integer(256) : filter,
        );
        const file = buildPng(header(WIDTH, HEIGHT, 8, colourType), lines);
        const expected = await readWithSharp(file);
        expect(decodePng(file, 'a.png').raster.data).toEqual(channels === 3 ? luma(expected, 3) : expected);
      }
    },
  );

  it('several IDAT chunks, cut anywhere, and data beyond the picture', () => {
    const data = samples(1, 8);
    const lines = unfiltered(data as Uint8Array, WIDTH);
    const packed = deflateSync(Buffer.concat([lines, new Uint8Array(500)]));
    const cuts = [0, 1, 2, 7, 300, packed.length - 2, packed.length];
    const file = Buffer.concat([
      SIGNATURE,
      header(WIDTH, HEIGHT, 8, 0),
      ...cuts.slice(1).map((end, i) => chunk('IDAT', packed.subarray(cuts[i], end))),
      chunk('IEND', new Uint8Array(0)),
    ]);
    expect(decodePng(file, 'a.png').raster.data).toEqual(data);
  });

  it('a broken ancillary chunk does no harm; an animation is counted', () => {
    const data = samples(1, 8);
    const broken = chunk('iCCP', new Uint8Array(50));
    broken[20] ^= 1;
    const file = build(8, 0, data, broken, chunk('acTL', Uint8Array.of(0, 0, 0, 12, 0, 0, 0, 0)));
    expect(decodePng(file, 'a.png')).toEqual({
      raster: { width: WIDTH, height: HEIGHT, data, bits: 8 },
      frames: 12,
    });
  });
});

describe('PNG files that are refused', () => {
  const lines = new Uint8Array(16 * 17);
  const whole = buildPng(header(16, 16, 8, 0), lines);
  const of = (file: Uint8Array) => refusal(() => decodePng(file, 'scan.png'));
  const corrupt = (fact: string) => ({ code: 'image/corrupt', message: `scan.png ${fact}` });

  it('cut off anywhere: never a picture', async () => {
    for (let length = 8; length < whole.length; length++) {
      const { code, message } = await of(whole.subarray(0, length));
      expect(code).toBe('image/corrupt');
      expect(message).toMatch(/^scan\.png is cut off: /);
    }
    expect(await of(whole.subarray(0, 40))).toEqual(corrupt('is cut off: it ends without its IEND chunk'));
    expect(await of(whole.subarray(0, 53))).toEqual(
      corrupt(`is cut off: its IDAT chunk has ${whole.length - 57} bytes, 12 are there`),
    );
  });

  it('a changed bit in a critical chunk', async () => {
    for (const at of [17, 30, 45]) {
      const file = Uint8Array.from(whole);
      file[at] ^= 4;
      expect((await of(file)).message).toMatch(
        /^scan\.png is damaged: the checksum of its I(HDR|DAT) chunk is wrong$/,
      );
    }
    const file = Uint8Array.from(whole);
    file[12] = 7;
    expect(await of(file)).toEqual(corrupt('is damaged: no chunk begins at byte 8'));
  });

  it('too little data, even by one byte of the last row', async () => {
    for (const missing of [1, 16, 17, 271])
      expect(await of(buildPng(header(16, 16, 8, 0), lines.subarray(missing)))).toEqual(
        corrupt(`is damaged: it holds ${272 - missing} of 272 bytes of picture data`),
      );
    const none = Buffer.concat([SIGNATURE, header(16, 16, 8, 0), chunk('IEND', new Uint8Array(0))]);
    expect(await of(none)).toEqual(corrupt('is damaged: it holds 0 of 272 bytes of picture data'));
  });

  it('a stream that is broken or ends early', async () => {
    const packed = deflateSync(lines.map((_, i) => (i % 17 ? i : 0)));
    for (const body of [packed.subarray(0, 20), Uint8Array.from(packed).fill(0xff, 2)]) {
      const file = Buffer.concat([
        SIGNATURE,
        header(16, 16, 8, 0),
        chunk('IDAT', body),
        chunk('IEND', new Uint8Array(0)),
      ]);
      expect(await of(file)).toEqual(corrupt('is damaged: its picture data cannot be unpacked'));
    }
  });

  it('a header that makes no sense, a missing palette, an unknown filter', async () => {
    expect(await of(buildPng(header(16, 16, 5, 0), lines))).toEqual(
      corrupt(
        'is damaged: its header asks for depth 5, colour type 0, compression 0, filter 0 and interlacing 0',
      ),
    );
    expect((await of(buildPng(header(16, 16, 16, 3), lines))).message).toMatch(/depth 16, colour type 3/);
    expect((await of(buildPng(header(16, 16, 8, 0, 2), lines))).message).toMatch(/interlacing 2$/);
    expect(await of(buildPng(chunk('IHDR', new Uint8Array(12)), lines))).toEqual(
      corrupt('is damaged: its IHDR chunk has 12 bytes instead of 13'),
    );
    expect(await of(buildPng(chunk('tEXt', new Uint8Array(12)), lines))).toEqual(
      corrupt('is damaged: it does not begin with an IHDR chunk'),
    );
    expect(await of(buildPng(header(16, 16, 8, 3), lines))).toEqual(
      corrupt('is damaged: its palette is missing'),
    );
    expect(
      await of(
        buildPng(
          header(16, 16, 8, 0),
          lines.map((_, i) => (i === 17 ? 5 : 0)),
        ),
      ),
    ).toEqual(corrupt('is damaged: its rows of pixels cannot be decoded'));
  });

  it.each([1, 2, 4])('interlaced with %i bit, grey or palette', async (depth) => {
    const data = new Uint8Array(256);
    const palette = chunk('PLTE', new Uint8Array(3));
    for (const colourType of [0, 3])
      expect(
        await of(buildPng(header(16, 16, depth, colourType, 1), interlacedLines(data, 16, depth), palette)),
      ).toEqual({
        code: 'image/unsupported',
        message: `scan.png is interlaced with ${depth} bits per sample`,
      });
  });

  it('a small file whose data would fill the memory is a picture of its size, whatever follows', () => {
    const bomb = buildPng(header(16, 16, 8, 0), new Uint8Array(2e8));
    const before = process.memoryUsage().arrayBuffers;
    expect(decodePng(bomb, 'a.png').raster.data).toEqual(new Uint8Array(256));
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1.5e8);
  });

  it('sides out of bounds, before anything is unpacked', async () => {
    expect(await of(buildPng(header(1, 1, 8, 0), lines))).toEqual({
      code: 'image/too-small',
      message: 'scan.png is 1×1 px; an image needs at least 16×16',
    });
    expect(await of(buildPng(header(20000, 20000, 8, 0), lines))).toEqual({
      code: 'image/too-large',
      message: 'scan.png is 20,000×20,000 px, 400 megapixels; the limit is 100',
    });
  });
});
