import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import type { DecodedImage } from '../../src/image/decode';
import { decodeImage, sniffFormat } from '../../src/image/decode';
import { toGrey8 } from '../../src/image/raster';
import { buildPng, chunk, header } from './png-builder';
import { refusal } from './refusals';
import { noDecoder, readWithSharp, sharpDecoder } from './sharp-decoder';
import { buildTiff, greyFields } from './tiff-builder';

const WIDTH = 40;
const HEIGHT = 24;
const rgb = Uint8Array.from({ length: WIDTH * HEIGHT * 3 }, (_, i) => 3 * (i % 40) + Math.floor(i / 40));
const picture = sharp(rgb, { raw: { width: WIDTH, height: HEIGHT, channels: 3 } });

/** A BMP of 24 bits as Windows writes it. */
function bmp(): Uint8Array {
  const file = Buffer.alloc(54 + WIDTH * HEIGHT * 3);
  file.write('BM', 'latin1');
  file.writeUInt32LE(file.length, 2);
  file.writeUInt32LE(54, 10);
  file.writeUInt32LE(40, 14);
  file.writeInt32LE(WIDTH, 18);
  file.writeInt32LE(HEIGHT, 22);
  file.writeUInt16LE(1, 26);
  file.writeUInt16LE(24, 28);
  for (let y = 0; y < HEIGHT; y++)
    for (let x = 0; x < WIDTH * 3; x++)
      file[54 + (HEIGHT - 1 - y) * WIDTH * 3 + x] = rgb[y * WIDTH * 3 + x - (x % 3) + 2 - (x % 3)];
  return file;
}

const tiff = (pages = 1) =>
  buildTiff({
    width: WIDTH,
    height: HEIGHT,
    pages,
    segments: [new Uint8Array(WIDTH * HEIGHT).fill(7)],
    fields: greyFields(8),
  });

const files = {
  png: () => picture.clone().png().toBuffer(),
  jpeg: () => picture.clone().jpeg().toBuffer(),
  webp: () => picture.clone().webp().toBuffer(),
  bmp: async () => bmp(),
  tiff: async () => tiff(),
} as const;

describe('formats', () => {
  it.each(Object.keys(files) as (keyof typeof files)[])('%s, whatever the name says', async (format) => {
    const file = await files[format]();
    expect(sniffFormat(file)).toBe(format);
    for (const name of [`a.${format}`, 'a.png', 'a']) {
      const image = await decodeImage(
        file,
        name,
        format === 'png' || format === 'tiff' ? noDecoder : sharpDecoder,
      );
      expect(image.format).toBe(format);
      expect([image.raster.width, image.raster.height, image.raster.bits]).toEqual([WIDTH, HEIGHT, 8]);
      expect(image.metadata).toEqual({ pictureHeight: HEIGHT, notes: [] });
      if (format === 'tiff') continue;
      const colours = format === 'bmp' ? rgb : await readWithSharp(file);
      expect(image.raster.data).toEqual(toGrey8(colours as Uint8Array));
    }
  });

  it('WebP without loss, with alpha, and JPEG of one component or progressive', async () => {
    const variants = [
      picture.clone().webp({ lossless: true }),
      picture.clone().ensureAlpha(0.5).webp(),
      picture.clone().toColourspace('b-w').jpeg(),
      picture.clone().jpeg({ progressive: true }),
    ];
    for (const variant of variants) {
      const { raster } = await decodeImage(await variant.toBuffer(), 'a', sharpDecoder);
      expect([raster.width, raster.height]).toEqual([WIDTH, HEIGHT]);
    }
  });

  it('values and metadata of a TIFF reach the caller', async () => {
    const file = buildTiff({
      width: WIDTH,
      height: HEIGHT,
      segments: [new Uint8Array(WIDTH * HEIGHT)],
      fields: [...greyFields(8), [34682, 2, '[Scan]\r\nPixelWidth=2e-9\r\n[Image]\r\nResolutionY=20\r\n']],
    });
    const { metadata }: DecodedImage = await decodeImage(file, 'a.tif', noDecoder);
    expect(metadata).toEqual({
      vendor: 'FEI / Thermo Fisher',
      pixelSizeNm: 2,
      pixelSizeFrom: 'tag 34682, [Scan] PixelWidth',
      pictureHeight: 20,
      notes: [],
    });
  });

  it('of several pages or frames the first is read, and a note says so', async () => {
    const notes = async (file: Uint8Array) => (await decodeImage(file, 'a', sharpDecoder)).metadata.notes;
    expect(await notes(tiff(3))).toEqual(['The file holds 3 pages; the first is used.']);
    const animated = buildPng(
      header(16, 16, 8, 0),
      new Uint8Array(16 * 17),
      chunk('acTL', Uint8Array.of(0, 0, 0, 5, 0, 0, 0, 0)),
    );
    expect(await notes(animated)).toEqual(['The file holds 5 frames; the first is used.']);
    const frames = sharp(rgb.slice(0, 20 * 40 * 3), {
      raw: { width: 20, height: 40, channels: 3, pageHeight: 20 },
    });
    const webp = await frames.webp({ loop: 0, delay: [100, 100] }).toBuffer();
    expect(await notes(webp)).toEqual(['The file is an animation; the first frame is used.']);
    expect((await decodeImage(webp, 'a', sharpDecoder)).raster.height).toBe(20);
  });
});

describe('files that are refused', () => {
  const of = (file: Uint8Array, name: string) => refusal(() => decodeImage(file, name, sharpDecoder));

  it('what is no image, by its content', async () => {
    expect(await of(new TextEncoder().encode('Hello world'), 'notes.png')).toEqual({
      code: 'image/unknown-format',
      message: 'notes.png is not a PNG, JPEG, WebP, BMP or TIFF file: it begins with 48 65 6c 6c 6f 20 77 6f',
    });
    expect((await of(new TextEncoder().encode('BMW is a car maker, not a bitmap'), 'cars.bmp')).code).toBe(
      'image/unknown-format',
    );
    expect((await of(Uint8Array.of(0x89, 0x50), 'x.png')).message).toMatch(/begins with 89 50$/);
    expect(await of(new Uint8Array(0), 'empty.png')).toEqual({
      code: 'image/corrupt',
      message: 'empty.png is empty (0 bytes)',
    });
  });

  it.each(Object.keys(files) as (keyof typeof files)[])('a %s that is cut off, wherever', async (format) => {
    const file = await files[format]();
    for (const share of [0.15, 0.5, 0.9, 0.99]) {
      const { code, message } = await of(file.subarray(0, Math.floor(file.length * share)), 'scan_014');
      expect([code, share]).toEqual(['image/corrupt', share]);
      expect(message).toMatch(/^scan_014 is cut off/);
    }
  });

  it('sides, before the host decodes anything', async () => {
    const sized = (change: (file: Buffer) => void) => {
      const file = Buffer.from(bmp());
      change(file);
      return refusal(() => decodeImage(file, 'dot.bmp', noDecoder));
    };
    expect(await sized((file) => file.writeInt32LE(1, 18))).toEqual({
      code: 'image/too-small',
      message: 'dot.bmp is 1×24 px; an image needs at least 16×16',
    });
    const large = await files.jpeg();
    const frame = large.indexOf(Buffer.of(0xff, 0xc0));
    large.writeUInt16BE(60000, frame + 5);
    large.writeUInt16BE(60000, frame + 7);
    expect(await refusal(() => decodeImage(large, 'wall.jpg', noDecoder))).toEqual({
      code: 'image/too-large',
      message: 'wall.jpg is 60,000×60,000 px, 3,600 megapixels; the limit is 100',
    });
    const tiny = await picture.clone().resize(15, 20).webp().toBuffer();
    expect((await of(tiny, 'dot.webp')).message).toBe('dot.webp is 15×20 px; an image needs at least 16×16');
  });

  it('JPEG of kinds that are not read', async () => {
    const changed = async (offset: number, value: number) => {
      const file = await files.jpeg();
      file[file.indexOf(Buffer.of(0xff, 0xc0)) + offset] = value;
      return of(file, 'scan.jpg');
    };
    const unsupported = (fact: string) => ({ code: 'image/unsupported', message: `scan.jpg ${fact}` });
    expect(await changed(4, 12)).toEqual(unsupported('is a JPEG of 12 bits per sample'));
    expect(await changed(1, 0xc3)).toEqual(unsupported('is a lossless or arithmetic-coded JPEG'));
    expect(await changed(9, 2)).toEqual(unsupported('is a JPEG of 2 components'));
    const cmyk = await picture.clone().toColourspace('cmyk').jpeg().toBuffer();
    expect(await of(cmyk, 'scan.jpg')).toEqual(unsupported('is a CMYK JPEG'));
    expect(await changed(1, 0xfe)).toEqual({
      code: 'image/corrupt',
      message: 'scan.jpg is damaged: it has no JPEG frame',
    });
    expect((await changed(0, 0)).message).toMatch(/^scan\.jpg is damaged: no JPEG marker at byte \d+$/);
  });

  it('headers that say less than the host needs', async () => {
    const webp = Buffer.from(await files.webp());
    webp.write('VP9 ', 12, 'latin1');
    expect(await of(webp, 'a.webp')).toEqual({
      code: 'image/corrupt',
      message: 'a.webp is damaged: it has no WebP frame',
    });
    expect((await of(webp.subarray(0, 25), 'a.webp')).message).toBe(
      'a.webp is cut off: 25 bytes, a WebP header has 30',
    );
    expect((await of(bmp().subarray(0, 30), 'a.bmp')).message).toBe(
      'a.bmp is cut off: 30 bytes are no BMP header',
    );
    expect((await of(bmp().subarray(0, 2000), 'a.bmp')).message).toBe(
      'a.bmp is cut off: it has 2,000 of 2,934 bytes',
    );
  });

  it('what the host cannot decode', async () => {
    const broken = () => Promise.reject(new Error('no'));
    const file = await files.jpeg();
    expect(await refusal(() => decodeImage(file, 'scan.jpg', broken))).toEqual({
      code: 'image/corrupt',
      message: 'scan.jpg cannot be decoded',
    });
  });
});
