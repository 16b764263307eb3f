import { deflateSync } from 'node:zlib';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { AppError } from '../../src/base/errors';
import { Rng } from '../../src/base/rng';
import { decodeImage } from '../../src/image/decode';
import { sharpDecoder } from './sharp-decoder';
import { buildTiff, greyFields } from './tiff-builder';

const SIDE = 24;
const ROUNDS = 250;

const grey = (pixels: Uint8Array) =>
  sharp(pixels, { raw: { width: SIDE, height: SIDE, channels: 1 } }).toColourspace('b-w');
const tiff = (pixels: Uint8Array, options: Parameters<ReturnType<typeof sharp>['tiff']>[0]) =>
  grey(pixels).tiff(options).toBuffer();

const seeds: Readonly<Record<string, (pixels: Uint8Array) => Promise<Uint8Array> | Uint8Array>> = {
  PNG: (pixels) => grey(pixels).png().withMetadata().toBuffer(),
  'PNG, interlaced': (pixels) => grey(pixels).png({ progressive: true }).toBuffer(),
  JPEG: (pixels) => grey(pixels).jpeg().toBuffer(),
  WebP: (pixels) => grey(pixels).webp().toBuffer(),
  'TIFF, lzw': (pixels) => tiff(pixels, { compression: 'lzw', predictor: 'horizontal' }),
  'TIFF, deflate': (pixels) => tiff(pixels, { compression: 'deflate' }),
  'TIFF, packbits': (pixels) => tiff(pixels, { compression: 'packbits' }),
  'TIFF, jpeg': (pixels) => tiff(pixels, { compression: 'jpeg' }),
  'TIFF, tiles': (pixels) => tiff(pixels, { compression: 'lzw', tile: true, tileWidth: 16, tileHeight: 16 }),
  'TIFF, big-endian, palette': (pixels) =>
    buildTiff({
      width: SIDE,
      height: SIDE,
      bigEndian: true,
      segments: [deflateSync(pixels)],
      fields: [...greyFields(8, 8), [262, 3, [3]], [320, 3, Array.from({ length: 768 }, (_, i) => i * 80)]],
    }),
  'TIFF, FEI': (pixels) =>
    buildTiff({
      width: SIDE,
      height: SIDE,
      segments: [pixels],
      fields: [
        ...greyFields(8),
        [34682, 2, '[Scan]\r\nPixelWidth=1e-9\r\n[Image]\r\nResolutionX=24\r\nResolutionY=20\r\n'],
      ],
    }),
  'TIFF, Zeiss': (pixels) =>
    buildTiff({
      width: SIDE,
      height: SIDE,
      segments: [pixels],
      fields: [...greyFields(8), [34118, 2, '0\r\n0\r\n0\r\n1e-9\r\nAP_WIDTH\r\nWidth = 1.024 µm\r\n']],
    }),
};

/** Cuts the file off, or changes up to four bytes of it; the directory is hit as often as the pixels. */
function damage(file: Uint8Array, rng: Rng): Uint8Array {
  const damaged = file.slice(0, rng.integer(4) === 0 ? rng.integer(file.length) : file.length);
  for (let flips = 1 + rng.integer(4); flips > 0 && damaged.length; flips--) {
    const at = rng.integer(2)
      ? rng.integer(damaged.length)
      : Math.max(0, damaged.length - 1 - rng.integer(200));
    damaged[at] = rng.pick([0, 1, 0x7f, 0x80, 0xff, rng.integer(256), damaged[at] ^ (1 << rng.integer(8))]);
  }
  return damaged;
}

describe('damaged files: an image or an error that says what is wrong, never anything else', () => {
  it.each(Object.keys(seeds))('%s', async (kind) => {
    const rng = new Rng(7, `decode-fuzz.${kind}`);
    const pixels = Uint8Array.from({ length: SIDE * SIDE }, () => (rng.integer(3) ? 128 : rng.integer(256)));
    const file = new Uint8Array(await seeds[kind](pixels));
    expect((await decodeImage(file, 'whole', sharpDecoder)).raster.data).toHaveLength(SIDE * SIDE);
    let refused = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const damaged = damage(file, rng);
      try {
        const { raster } = await decodeImage(damaged, 'fuzz', sharpDecoder);
        expect(raster.data).toHaveLength(raster.width * raster.height);
      } catch (error) {
        expect(error).toBeInstanceOf(AppError);
        const { code, message, hint } = error as AppError;
        expect(code).toMatch(/^image\//);
        expect(message).toMatch(/^fuzz /);
        expect(hint).not.toBe('');
        refused++;
      }
    }
    // The damage must have been worth the name; pixels without a checksum may change unnoticed.
    expect(refused).toBeGreaterThan(ROUNDS / 10);
  });
});
