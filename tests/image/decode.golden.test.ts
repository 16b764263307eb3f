import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { detectPictureHeight } from '../../src/image/data-bar';
import { decodeImage } from '../../src/image/decode';
import { toGrey8 } from '../../src/image/raster';
import { DATA_DIR, describeWith } from '../support/golden';
import { readWithSharp, sharpDecoder } from './sharp-decoder';

/** What a correct reader must report of a microscope's file. */
interface Expected {
  readonly file: string;
  readonly width: number;
  readonly height: number;
  readonly bits: readonly number[];
  readonly photometric: number;
  readonly compression: number;
  readonly vendor: string;
  readonly model: string;
  readonly pixel_size_nm: number | null;
  readonly info_bar_rows: readonly [number, number] | null;
  readonly picture_height_above_bar: number;
}

const TIFF_DIR = join(DATA_DIR, 'tiff');

describeWith([join(TIFF_DIR, 'expected.json')], 'TIFF files of microscopes', () => {
  const files = JSON.parse(readFileSync(join(TIFF_DIR, 'expected.json'), 'utf8')) as readonly Expected[];
  const decode = ({ file }: Expected) => decodeImage(readFileSync(join(TIFF_DIR, file)), file, sharpDecoder);

  it.each(files)('$file: what it says of itself', async (expected) => {
    const { raster, format, metadata } = await decode(expected);
    expect(format).toBe('tiff');
    expect([raster.width, raster.height, raster.bits]).toEqual([
      expected.width,
      expected.height,
      expected.bits[0],
    ]);
    expect(metadata.pictureHeight).toBe(expected.picture_height_above_bar);
    if (expected.pixel_size_nm === null) expect(metadata).not.toHaveProperty('pixelSizeNm');
    else expect(metadata.pixelSizeNm).toBeCloseTo(expected.pixel_size_nm, 6);
    const vendor = ['FEI', 'Zeiss'].find((known) => expected.vendor.startsWith(known));
    expect(metadata.vendor?.split(' ')[0]).toBe(vendor);
    // A model that the tags don't name is described in words there.
    const named = vendor && !/not given/.test(expected.model);
    if (named) expect(expected.model.toLowerCase()).toContain(metadata.model?.toLowerCase());
    else expect(metadata.model).toBeUndefined();
  });

  it.each(files)('$file: the pixels are those that libtiff reads', async (expected) => {
    const { raster } = await decode(expected);
    const values = await readWithSharp(readFileSync(join(TIFF_DIR, expected.file)));
    const grey = values.length === raster.data.length ? values : toGrey8(values as Uint8Array);
    let worst = 0;
    for (let i = 0; i < grey.length; i++) worst = Math.max(worst, Math.abs(grey[i] - raster.data[i]));
    // JPEG decoders round differently.
    expect(worst).toBeLessThanOrEqual(expected.compression === 7 ? 2 : 0);
  });

  it.each(files)('$file: the bar in its pixels alone', async (expected) => {
    const { raster } = await decode(expected);
    // Nothing can be seen where bar and picture are one black.
    const blank = raster.data.every((value) => value === raster.data[0]);
    expect(detectPictureHeight(raster)).toBe(blank ? expected.height : expected.picture_height_above_bar);
  });
});

const FOLDERS = ['sem-ic', 'sem-nanowire', 'magnetic-tile'];
describeWith(
  FOLDERS.map((folder) => join(DATA_DIR, folder)),
  'pictures without a data bar',
  () => {
    it.each(FOLDERS)('%s, masks included', async (folder) => {
      const names = readdirSync(join(DATA_DIR, folder), { recursive: true, encoding: 'utf8' });
      const sample = names.filter((name) => name.endsWith('.png')).filter((_, i) => i % 4 === 0);
      expect(sample.length).toBeGreaterThan(0);
      for (const name of sample) {
        const { raster, metadata } = await decodeImage(
          readFileSync(join(DATA_DIR, folder, name)),
          name,
          sharpDecoder,
        );
        expect([name, metadata.pictureHeight]).toEqual([name, raster.height]);
      }
    });
  },
);
