import { describe, expect, it } from 'vitest';
import { TiffDirectory } from '../../src/image/tiff-directory';
import { readVendorMetadata } from '../../src/image/vendor-metadata';
import { buildTiff, greyFields } from './tiff-builder';
import type { Field } from './tiff-builder';

const WIDTH = 64;
const HEIGHT = 48;
const read = (...fields: Field[]) => {
  const file = buildTiff({
    width: WIDTH,
    height: HEIGHT,
    segments: [new Uint8Array(WIDTH * HEIGHT)],
    fields: [...greyFields(8), ...fields],
  });
  return readVendorMetadata(TiffDirectory.open(file, 'a.tif'), WIDTH, HEIGHT);
};
const ini = (sections: Record<string, Record<string, string | number>>) =>
  Object.entries(sections)
    .map(([title, keys]) =>
      [`[${title}]`, ...Object.entries(keys).map(([k, v]) => `${k}=${v}`), ''].join('\r\n'),
    )
    .join('\r\n');
const fei = (sections: Record<string, Record<string, string | number>>, tag = 34682) =>
  read([tag, 2, ini(sections)]);

describe('FEI', () => {
  const scan = { ResolutionX: WIDTH, ResolutionY: 40 };

  it('pixel size, model and rows', () => {
    const all = {
      System: { SystemType: 'Helios NanoLab" 660' },
      Beam: { Scan: 'EScan' },
      Scan: { PixelWidth: '7.70833e-009', PixelHeight: '7.70833e-009' },
      Image: scan,
      PrivateFei: { DatabarHeight: 0 },
    };
    const expected = {
      vendor: 'FEI / Thermo Fisher',
      model: 'Helios NanoLab 660',
      pixelSizeNm: 7.70833,
      pixelSizeFrom: 'tag 34682, [Scan] PixelWidth',
      pictureHeight: 40,
      notes: [],
    };
    expect(fei(all)).toEqual(expected);
    expect(fei(all, 34680)).toEqual({ ...expected, pixelSizeFrom: 'tag 34680, [Scan] PixelWidth' });
  });

  it('the section that the beam names, when there is no [Scan]', () => {
    const metadata = fei({
      Beam: { Scan: 'IScan' },
      IScan: { PixelWidth: 2e-9 },
      EScan: { PixelWidth: 5e-9 },
    });
    expect(metadata.pixelSizeNm).toBe(2);
    expect(metadata.pixelSizeFrom).toBe('tag 34682, [IScan] PixelWidth');
  });

  it.each(['', '0', '-1e-9', 'NaN', 'Infinity', '1e-9 m', '--'])(
    'a pixel width of "%s" is unknown, not 0',
    (PixelWidth) => {
      const metadata = fei({ Scan: { PixelWidth }, Image: scan });
      expect(metadata).not.toHaveProperty('pixelSizeNm');
      expect(metadata).not.toHaveProperty('pixelSizeFrom');
      expect(metadata.pictureHeight).toBe(40);
    },
  );

  it('the bar: scanned rows first, then DatabarHeight, else unknown', () => {
    const rows = (ResolutionY: number, DatabarHeight: number) =>
      fei({ Image: { ResolutionY }, PrivateFei: { DatabarHeight } }).pictureHeight;
    expect(rows(40, 3)).toBe(40);
    expect(rows(0, 3)).toBe(45);
    expect(rows(48, 3)).toBe(48);
    expect(rows(0, 0)).toBeUndefined();
    // A picture that was cut: neither number is about what is left.
    expect(rows(60, 3)).toBeUndefined();
    expect(rows(5, 3)).toBeUndefined();
  });

  it('a file that was saved smaller than its scan says so', () => {
    const metadata = fei({ Scan: { PixelWidth: 3e-9 }, Image: { ResolutionX: 2 * WIDTH, ResolutionY: 80 } });
    expect(metadata.pixelSizeNm).toBe(6);
    expect(metadata.pictureHeight).toBe(40);
    expect(metadata.notes).toEqual([
      'The scan was 128 px wide, the file is 64; the pixel size is taken times 2.',
    ]);
  });

  it('pixels that are not square are noted', () => {
    expect(fei({ Scan: { PixelWidth: 4e-9, PixelHeight: 5e-9 } }).notes).toEqual([
      'Pixels are 1.25 times as high as wide; the size given is the width.',
    ]);
  });
});

describe('Zeiss', () => {
  const text = (head: string, ...fields: [string, string][]) =>
    ['0', '0', '0', head, '1e3', ...fields.flat()].join('\r\n');
  const latin = (value: string) => Uint8Array.from(value, (c) => c.charCodeAt(0));
  const zeiss = (value: string) => read([34118, 2, latin(value)]);

  it('line 4 is for 1024 px, whatever the width of the file', () => {
    expect(zeiss(text('5.824988e-009'))).toEqual({
      vendor: 'Zeiss',
      pixelSizeNm: 93.199808,
      pixelSizeFrom: 'tag 34118, line 4',
      notes: [],
    });
  });

  it('AP_PIXEL_SIZE is not believed; the other fields are, with their units', () => {
    const pixel = ['AP_PIXEL_SIZE', 'Pixel Size = 5.825 nm'] as [string, string];
    expect(zeiss(text('0', pixel)).pixelSizeNm).toBeUndefined();
    const units: [string, number][] = [
      ['2.615 µm', 2615],
      ['2.615 um', 2615],
      ['55.82 nm', 55.82],
      ['900 pm', 0.9],
      ['1 mm', 1e6],
    ];
    for (const [value, nm] of units)
      expect(
        zeiss(text('0', pixel, ['AP_IMAGE_PIXEL_SIZE', `Image Pixel Size = ${value}`])).pixelSizeNm,
      ).toBe(nm);
    for (const value of ['0.0 fm', '5', 'nm', '1.2.3 nm'])
      expect(
        zeiss(text('0', ['AP_IMAGE_PIXEL_SIZE', `Image Pixel Size = ${value}`])).pixelSizeNm,
      ).toBeUndefined();
    expect(zeiss(text('bad', ['AP_WIDTH', 'Width = 6.4 µm']))).toMatchObject({
      pixelSizeNm: 100,
      pixelSizeFrom: 'tag 34118, AP_WIDTH',
    });
  });

  it('line 4 stands when one other field agrees, and falls when none does', () => {
    const image = (nm: number) => ['AP_IMAGE_PIXEL_SIZE', `Image Pixel Size = ${nm} nm`] as [string, string];
    const width: [string, string] = ['AP_WIDTH', 'Width = 1.024 µm'];
    expect(zeiss(text('1e-9', image(16.1))).pixelSizeFrom).toBe('tag 34118, line 4');
    expect(zeiss(text('1e-9', image(99), width)).pixelSizeNm).toBe(16);
    expect(zeiss(text('1e-9', image(99)))).toMatchObject({
      pixelSizeNm: 99,
      pixelSizeFrom: 'tag 34118, AP_IMAGE_PIXEL_SIZE',
    });
  });

  it.each([
    ['Merlin-61-08', 'Merlin'],
    ['SUPRA 40-25-44', 'SUPRA 40'],
    ['unknown', undefined],
  ])('serial number %s', (serial, model) => {
    expect(zeiss(text('1e-9', ['SV_SERIAL_NUMBER', `Serial No. = ${serial}`])).model).toBe(model);
  });

  it('the text in 16 bits', () => {
    const wide = new Uint8Array(Buffer.from(text('1e-9', ['AP_WIDTH', 'Width = 1.024 µm']), 'utf16le'));
    expect(read([34119, 2, wide])).toMatchObject({ pixelSizeNm: 16, pixelSizeFrom: 'tag 34119, line 4' });
  });
});

describe('everything else', () => {
  it('no private tag, or one that is not in the file: nothing is claimed', () => {
    expect(read()).toEqual({ notes: [] });
    const file = buildTiff({
      width: WIDTH,
      height: HEIGHT,
      segments: [new Uint8Array(4)],
      fields: [[34682, 2, 'x'.repeat(100)]],
    });
    const cut = TiffDirectory.open(file.subarray(0, -50), 'a.tif');
    expect(readVendorMetadata(cut, WIDTH, HEIGHT)).toEqual({ notes: [] });
  });
});
