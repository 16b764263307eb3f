import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { decodeTiff } from '../../src/image/tiff';
import { refusal } from './refusals';
import { sharpDecoder } from './sharp-decoder';
import { buildTiff, greyFields, literalPackBits } from './tiff-builder';
import type { Field, TiffSpec } from './tiff-builder';

describe('TIFF files that are refused', () => {
  const side = 32;
  const plane = new Uint8Array(side * side).map((_, i) => i);
  const strips = (rows: number) =>
    Array.from({ length: side / rows }, (_, i) => plane.subarray(i * rows * side, (i + 1) * rows * side));
  const spec = (...fields: Field[]): TiffSpec => ({
    width: side,
    height: side,
    segments: strips(4),
    fields: [...greyFields(8), [278, 3, [4]], ...fields],
  });
  const of = (file: Uint8Array) => refusal(() => decodeTiff(file, 'scan_014.tif', sharpDecoder));

  const unsupported: [string, Field[]][] = [
    [
      'holds floating-point numbers',
      [
        [258, 3, [32]],
        [339, 3, [3]],
      ],
    ],
    ['holds signed numbers', [[339, 3, [2]]]],
    ['has 12 bits per sample', [[258, 3, [12]]]],
    ['has 32 bits per sample', [[258, 3, [32]]]],
    [
      'mixes 8, 8, 16 bits per sample',
      [
        [258, 3, [8, 8, 16]],
        [277, 3, [3]],
      ],
    ],
    [
      'is in CMYK',
      [
        [258, 3, [8, 8, 8, 8]],
        [262, 3, [5]],
        [277, 3, [4]],
      ],
    ],
    [
      'is in YCbCr',
      [
        [262, 3, [6]],
        [277, 3, [3]],
      ],
    ],
    [
      'is in CIE Lab',
      [
        [262, 3, [8]],
        [277, 3, [3]],
      ],
    ],
    ['is in colour space 32803', [[262, 3, [32803]]]],
    [
      'has a palette for 16 bits',
      [
        [258, 3, [16]],
        [262, 3, [3]],
      ],
    ],
    [
      'has 2 samples per pixel',
      [
        [262, 3, [2]],
        [277, 3, [2]],
      ],
    ],
    ['has 9 samples per pixel', [[277, 3, [9]]]],
    ['is compressed with CCITT Group 4', [[259, 3, [4]]]],
    ['is compressed with old-style JPEG', [[259, 3, [6]]]],
    ['is compressed with Zstandard', [[259, 3, [50000]]]],
    ['is compressed with method 65000', [[259, 3, [65000]]]],
    [
      'is JPEG-compressed with 1 samples of 16 bits',
      [
        [258, 3, [16]],
        [259, 3, [7]],
      ],
    ],
    [
      'uses predictor 3 with 8 bits per sample',
      [
        [259, 3, [5]],
        [317, 3, [3]],
      ],
    ],
    [
      'uses predictor 2 with 4 bits per sample',
      [
        [258, 3, [4]],
        [259, 3, [8]],
        [317, 3, [2]],
      ],
    ],
    ['packs its bits from the low end', [[266, 3, [2]]]],
  ];
  it.each(unsupported)('%s', async (fact, fields) => {
    expect(await of(buildTiff(spec(...fields)))).toEqual({
      code: 'image/unsupported',
      message: `scan_014.tif ${fact}`,
    });
  });

  const damaged: [string, Field[]][] = [
    ['its first page has no width or height', [[256, 4, [0]]]],
    ['its tag 256 has the type 2', [[256, 2, 'wide']]],
    ['it lists 3 of 8 strips', [[273, 4, [8, 136, 264]]]],
    [
      'it lists 0 of 4 tiles',
      [
        [322, 3, [16]],
        [323, 3, [16]],
      ],
    ],
    ['its strips are 32×0 px', [[278, 3, [0]]]],
    [
      'its tiles are 1×99,000,000 px',
      [
        [322, 4, [1]],
        [323, 4, [99e6]],
      ],
    ],
    [
      'its tiles are 4,294,967,295×16 px',
      [
        [322, 4, [4294967295]],
        [323, 3, [16]],
      ],
    ],
    [
      'its palette has 3 of 768 numbers',
      [
        [262, 3, [3]],
        [320, 3, [1, 2, 3]],
      ],
    ],
    [
      'strip 3 of 8 is empty',
      [
        [259, 3, [5]],
        [279, 4, [128, 128, 0, 128, 128, 128, 128, 128]],
      ],
    ],
    ['strip 1 of 8 cannot be unpacked', [[259, 3, [8]]]],
    ['strip 1 of 8 cannot be unpacked', [[259, 3, [5]]]],
    [
      'strip 1 of 8 has 1 bytes for 128 of picture',
      [
        [259, 3, [32773]],
        [279, 4, [1, 1, 1, 1, 1, 1, 1, 1]],
      ],
    ],
  ];
  it.each(damaged)('damaged: %s', async (fact, fields) => {
    expect(await of(buildTiff(spec(...fields)))).toEqual({
      code: 'image/corrupt',
      message: `scan_014.tif is damaged: ${fact}`,
    });
  });

  it('a strip that ends early is no half-black picture', async () => {
    const segments = strips(4).map(literalPackBits);
    segments[5] = literalPackBits(plane.subarray(0, 100));
    expect(await of(buildTiff({ ...spec([259, 3, [32773]]), segments }))).toEqual({
      code: 'image/corrupt',
      message: 'scan_014.tif is damaged: strip 6 of 8 holds 100 of 128 bytes',
    });
  });

  it('files that are cut off', async () => {
    const file = buildTiff(spec());
    const directoryAt = new DataView(file.buffer).getUint32(4, true);
    expect((await of(file.subarray(0, 5))).message).toBe(
      'scan_014.tif is cut off: 5 bytes, a TIFF header has 8',
    );
    expect((await of(file.subarray(0, 600))).message).toBe(
      'scan_014.tif is cut off: its directory is at byte 1,032 of 600',
    );
    expect((await of(file.subarray(0, directoryAt + 20))).message).toBe(
      'scan_014.tif is cut off: its directory is at byte 1,032 of 1,052 and has 9 entries',
    );
    expect((await of(file.subarray(0, directoryAt + 2 + 12 * 9 + 4))).message).toBe(
      'scan_014.tif is cut off: its tag 273 ends at byte 1,178 of 1,146',
    );
    // The directory first, the strips after it, as microscopes write them.
    const far = (start: number) => Array.from({ length: 8 }, (_, i) => start + i * 128);
    expect((await of(buildTiff(spec([273, 4, far(file.length - 3 * 128)])))).message).toBe(
      'scan_014.tif is cut off after strip 3 of 8',
    );
    expect((await of(buildTiff(spec([273, 4, far(file.length - 100)])))).message).toBe(
      'scan_014.tif is cut off within strip 1 of 8',
    );
  });

  it('sides are checked before anything is allocated', async () => {
    expect(await of(buildTiff(spec([256, 4, [15]])))).toEqual({
      code: 'image/too-small',
      message: 'scan_014.tif is 15×32 px; an image needs at least 16×16',
    });
    expect(await of(buildTiff(spec([256, 4, [4294967295]])))).toEqual({
      code: 'image/too-large',
      message: 'scan_014.tif is 4,294,967,295×32 px, 137,439 megapixels; the limit is 100',
    });
  });

  it('a JPEG strip of other sides, or broken', async () => {
    const jpeg = (width: number) =>
      sharp({ create: { width, height: 32, channels: 3, background: 'grey' } })
        .toColourspace('b-w')
        .jpeg()
        .toBuffer();
    const withStrip = (strip: Uint8Array) =>
      buildTiff({ ...spec([259, 3, [7]], [278, 3, [32]]), segments: [strip] });
    expect((await decodeTiff(withStrip(await jpeg(32)), 'a.tif', sharpDecoder)).raster.width).toBe(32);
    expect(await of(withStrip(await jpeg(48)))).toEqual({
      code: 'image/corrupt',
      message: 'scan_014.tif is damaged: strip 1 of 1 is 48×32 px instead of 32×32',
    });
    expect(await of(withStrip((await jpeg(32)).subarray(0, -2)))).toEqual({
      code: 'image/corrupt',
      message: 'scan_014.tif (strip 1 of 1) is cut off: its end marker is missing',
    });
  });

  it('BigTIFF', async () => {
    const file = buildTiff(spec());
    file[2] = 43;
    expect(await of(file)).toEqual({ code: 'image/unsupported', message: 'scan_014.tif is a BigTIFF file' });
  });
});
