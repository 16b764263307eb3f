import { toGrey8 } from './raster';
import { checkSides, corrupt, cutOff, formatCount, MAX_PIXELS, unsupported } from './refusal';
import type { Colour, Depth } from './samples';
import type { TiffDirectory } from './tiff-directory';

export type Compression = 'none' | 'lzw' | 'jpeg' | 'deflate' | 'packbits';

/** A strip or tile: a rectangle of the image, of one channel or of all. */
export interface Segment {
  readonly offset: number;
  readonly byteCount: number;
  readonly x: number;
  readonly y: number;
  /** Of the stored rectangle; tiles may reach beyond the image. */
  readonly width: number;
  readonly height: number;
  readonly firstChannel: number;
  readonly channels: number;
}

/** How a TIFF's picture is stored, checked against itself and against the file's length. */
export interface TiffLayout {
  readonly width: number;
  readonly height: number;
  readonly depth: Depth;
  readonly channels: number;
  readonly colour: Colour;
  /** Colour of a JPEG's three components: YCbCr, or RGB as they are. */
  readonly ycbcr: boolean;
  readonly compression: Compression;
  /** Rows hold differences of neighbours. */
  readonly predictor: boolean;
  readonly bigEndian: boolean;
  readonly unit: 'strip' | 'tile';
  readonly segments: readonly Segment[];
}

/** Grey or RGB with a few extra samples (alpha, height); more is no picture. */
const MAX_CHANNELS = 8;

const TAG = {
  width: 256,
  height: 257,
  depth: 258,
  compression: 259,
  photometric: 262,
  fillOrder: 266,
  stripOffsets: 273,
  channels: 277,
  rowsPerStrip: 278,
  stripByteCounts: 279,
  planar: 284,
  predictor: 317,
  palette: 320,
  tileWidth: 322,
  tileHeight: 323,
  tileOffsets: 324,
  tileByteCounts: 325,
  sampleFormat: 339,
} as const;

const READ_COMPRESSIONS: Readonly<Record<number, Compression | undefined>> = {
  1: 'none',
  5: 'lzw',
  7: 'jpeg',
  8: 'deflate',
  32946: 'deflate',
  32773: 'packbits',
};

const OTHER_COMPRESSIONS: Readonly<Record<number, string | undefined>> = {
  2: 'CCITT',
  3: 'CCITT Group 3',
  4: 'CCITT Group 4',
  6: 'old-style JPEG',
  34712: 'JPEG 2000',
  50000: 'Zstandard',
  50001: 'WebP',
};

const OTHER_PHOTOMETRICS: Readonly<Record<number, string | undefined>> = {
  5: 'CMYK',
  6: 'YCbCr',
  8: 'CIE Lab',
};

const SAMPLE_FORMATS: Readonly<Record<number, string | undefined>> = {
  2: 'signed numbers',
  3: 'floating-point numbers',
  5: 'complex numbers',
  6: 'complex numbers',
};

/**
 * Reads how the picture of a directory is stored.
 * @throws image/corrupt, image/unsupported, image/too-small, image/too-large
 */
export function readLayout(directory: TiffDirectory, size: number, name: string): TiffLayout {
  const width = directory.number(TAG.width, 0);
  const height = directory.number(TAG.height, 0);
  if (!width || !height) throw corrupt(name, 'is damaged: its first page has no width or height');
  checkSides(name, width, height);
  const channels = directory.number(TAG.channels, 1);
  const depth = readDepth(directory, name);
  const compression = readCompression(directory, name);
  // The tag belongs to these two; in other files it means nothing.
  const predicted = compression === 'lzw' || compression === 'deflate';
  const predictor = predicted ? directory.number(TAG.predictor, 1) : 1;
  if (predictor > 2 || (predictor === 2 && depth < 8))
    throw unsupported(name, `uses predictor ${predictor} with ${depth} bits per sample`);
  if (directory.number(TAG.fillOrder, 1) !== 1) throw unsupported(name, 'packs its bits from the low end');
  const photometric = directory.number(TAG.photometric, 1);
  const colour = readColour(directory, photometric, depth, compression, name);
  if (channels < (colour.kind === 'rgb' ? 3 : 1) || channels > MAX_CHANNELS)
    throw unsupported(name, `has ${channels} samples per pixel`);
  if (compression === 'jpeg' && (depth !== 8 || (channels !== 1 && channels !== 3)))
    throw unsupported(name, `is JPEG-compressed with ${channels} samples of ${depth} bits`);
  const shape = { width, height, depth, channels, compression };
  return {
    ...shape,
    colour,
    ycbcr: photometric === 6,
    predictor: predictor === 2,
    bigEndian: directory.bigEndian,
    ...readSegments(directory, shape, size, name),
  };
}

function readDepth(directory: TiffDirectory, name: string): Depth {
  const format = directory
    .numbers(TAG.sampleFormat, MAX_CHANNELS)
    .find((value) => value !== 1 && value !== 4);
  if (format !== undefined)
    throw unsupported(name, `holds ${SAMPLE_FORMATS[format] ?? `samples of format ${format}`}`);
  const [depth = 1, ...depths] = directory.numbers(TAG.depth, MAX_CHANNELS);
  if (depths.some((other) => other !== depth))
    throw unsupported(name, `mixes ${[depth, ...depths].join(', ')} bits per sample`);
  if (![1, 2, 4, 8, 16].includes(depth)) throw unsupported(name, `has ${depth} bits per sample`);
  return depth as Depth;
}

function readCompression(directory: TiffDirectory, name: string): Compression {
  const code = directory.number(TAG.compression, 1);
  const compression = READ_COMPRESSIONS[code];
  if (!compression)
    throw unsupported(name, `is compressed with ${OTHER_COMPRESSIONS[code] ?? `method ${code}`}`);
  return compression;
}

function readColour(
  directory: TiffDirectory,
  photometric: number,
  depth: Depth,
  compression: Compression,
  name: string,
): Colour {
  if (photometric <= 1) return { kind: 'grey', whiteIsZero: photometric === 0 };
  // The JPEG decoder undoes YCbCr.
  if (photometric === 2 || (photometric === 6 && compression === 'jpeg')) return { kind: 'rgb' };
  if (photometric === 3 && depth <= 8) return { kind: 'palette', grey: readPalette(directory, depth, name) };
  throw unsupported(
    name,
    photometric === 3
      ? `has a palette for ${depth} bits`
      : `is in ${OTHER_PHOTOMETRICS[photometric] ?? `colour space ${photometric}`}`,
  );
}

function readPalette(directory: TiffDirectory, depth: Depth, name: string): Uint8Array {
  const entries = 1 << depth;
  const map = directory.numbers(TAG.palette, 3 * entries);
  if (map.length < 3 * entries)
    throw corrupt(name, `is damaged: its palette has ${map.length} of ${3 * entries} numbers`);
  // The numbers are of 16 bits, but some writers give 8: libtiff tells them apart the same way.
  const shift = map.some((value) => value > 255) ? 8 : 0;
  return toGrey8(
    Uint8Array.from({ length: 3 * entries }, (_, i) => map[(i % 3) * entries + Math.floor(i / 3)] >> shift),
  );
}

/** The size of strips or tiles, and how many lie side by side and one below the other. */
function readGrid(directory: TiffDirectory, width: number, height: number, name: string) {
  const unit = directory.has(TAG.tileWidth) ? 'tile' : 'strip';
  const stepX = directory.number(TAG.tileWidth, width);
  const stepY =
    unit === 'tile'
      ? directory.number(TAG.tileHeight, 0)
      : Math.min(directory.number(TAG.rowsPerStrip, height), height);
  const across = Math.ceil(width / stepX);
  const down = Math.ceil(height / stepY);
  // Tiles may reach beyond the image, but not so that a small file costs hours of unpacking.
  if (!stepX || !stepY || across * stepX * down * stepY > 2 * MAX_PIXELS)
    throw corrupt(name, `is damaged: its ${unit}s are ${formatCount(stepX)}×${formatCount(stepY)} px`);
  return { unit, stepX, stepY, across, down } as const;
}

function readSegments(
  directory: TiffDirectory,
  image: Pick<TiffLayout, 'width' | 'height' | 'depth' | 'channels' | 'compression'>,
  size: number,
  name: string,
): Pick<TiffLayout, 'unit' | 'segments'> {
  const { width, height, depth, channels, compression } = image;
  const { unit, stepX, stepY, across, down } = readGrid(directory, width, height, name);
  const separate = channels > 1 && directory.number(TAG.planar, 1) === 2;
  const perPlane = across * down;
  const total = perPlane * (separate ? channels : 1);
  const offsets = directory.numbers(unit === 'tile' ? TAG.tileOffsets : TAG.stripOffsets, total);
  const byteCounts = directory.numbers(unit === 'tile' ? TAG.tileByteCounts : TAG.stripByteCounts, total);
  // Uncompressed sizes follow from the sides, and writers are known to get the counts wrong.
  const listed = compression === 'none' ? offsets.length : Math.min(offsets.length, byteCounts.length);
  if (listed < total) throw corrupt(name, `is damaged: it lists ${listed} of ${formatCount(total)} ${unit}s`);
  const segments = Array.from({ length: total }, (_, i): Segment => {
    const inPlane = i % perPlane;
    const y = Math.floor(inPlane / across) * stepY;
    const segment = {
      x: (inPlane % across) * stepX,
      y,
      width: stepX,
      height: unit === 'tile' ? stepY : Math.min(stepY, height - y),
      firstChannel: Math.floor(i / perPlane),
      channels: separate ? 1 : channels,
    };
    const byteCount = compression === 'none' ? segment.height * rowBytes(segment, depth) : byteCounts[i];
    if (!byteCount) throw corrupt(name, `is damaged: ${unit} ${i + 1} of ${total} is empty`);
    if (offsets[i] + byteCount > size)
      throw cutOff(name, `is cut off ${i ? `after ${unit} ${i}` : `within ${unit} 1`} of ${total}`);
    return { ...segment, offset: offsets[i], byteCount };
  });
  return { unit, segments };
}

/** Bytes of one unpacked row of a segment. */
export const rowBytes = (segment: Pick<Segment, 'width' | 'channels'>, depth: Depth): number =>
  Math.ceil((segment.width * segment.channels * depth) / 8);
