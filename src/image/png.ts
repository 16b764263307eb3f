import { decode } from 'fast-png';
import { zlibSync } from 'fflate';
import { bytesOf } from '../base/tensor';
import { inflate } from './inflate';
import type { PngFile } from './png-chunks';
import { joined, readPng } from './png-chunks';
import type { Raster } from './raster';
import { toGrey8 } from './raster';
import { corrupt, formatCount, unsupported } from './refusal';
import type { Colour, Samples } from './samples';
import { newSamples, readSamples, toRaster } from './samples';

/**
 * Decodes a PNG of any depth and colour type, interlaced from 8 bits on. Alpha, gamma and colour profiles are ignored:
 * values stay the file's. Of an animation the still picture is read.
 * @throws image/corrupt, image/unsupported, image/too-small, image/too-large
 */
export function decodePng(bytes: Uint8Array, name: string): { raster: Raster; frames: number } {
  const png = readPng(bytes, name);
  const { width, height, depth, channels, interlaced, frames } = png;
  // The library takes the passes of such files as if every sample had a byte.
  if (interlaced && depth < 8)
    throw unsupported(name, `is interlaced with ${depth} bits per sample`, 'Save it without interlacing.');
  const samples = decodeRows(unpack(png, name), png, name);
  return { raster: toRaster(samples, width, height, channels, depth, colourOf(png)), frames };
}

const rowBytes = ({ width, channels, depth }: PngFile): number => Math.ceil((width * channels * depth) / 8);

/**
 * Rows of the seven passes of an interlaced picture: the first has every eighth row, the next two together every fourth,
 * two every second, the last two all. No pass is empty, because sides are at least 16 px.
 * @source PNG specification, section 8.2
 */
const passRows = (height: number): number =>
  [8, 4, 2, 1].reduce((rows, step) => rows + Math.ceil(height / step), 0);

/** The filtered rows, all of them and no more. @throws image/corrupt when there are fewer */
function unpack(png: PngFile, name: string): Uint8Array {
  const { height, interlaced, packed } = png;
  const filters = interlaced ? passRows(height) : height;
  const needed = height * rowBytes(png) + filters;
  let rows: Uint8Array;
  try {
    rows = inflate(packed, needed);
  } catch (cause) {
    throw corrupt(name, 'is damaged: its picture data cannot be unpacked', cause);
  }
  if (rows.length < needed)
    throw corrupt(
      name,
      `is damaged: it holds ${formatCount(rows.length)} of ${formatCount(needed)} bytes of picture data`,
    );
  return rows;
}

/** Undoes row filters and interlacing. @returns [height·width·channels] */
function decodeRows(rows: Uint8Array, png: PngFile, name: string): Samples {
  const { width, height, depth, channels } = png;
  let data;
  try {
    ({ data } = decode(repacked(png.head, rows)));
  } catch (cause) {
    throw corrupt(name, 'is damaged: its rows of pixels cannot be decoded', cause);
  }
  const samples = newSamples(width * height * channels, depth);
  // Samples of less than 8 bits stay packed.
  if (depth >= 8) samples.set(data);
  else
    for (let y = 0; y < height; y++) {
      const row = samples.subarray(y * width, (y + 1) * width);
      readSamples(bytesOf(data), y * rowBytes(png), depth, true, row);
    }
  return samples;
}

const ascii = (text: string): Uint8Array => Uint8Array.from(text, (letter) => letter.charCodeAt(0));
const IDAT = ascii('IDAT');
/** No checksum: the library isn't asked to look at it. */
const NO_CHECKSUM = new Uint8Array(4);
const IEND = joined([new Uint8Array(4), ascii('IEND'), NO_CHECKSUM]);

/**
 * A PNG of header and rows alone, not compressed: the library unpacks without bound, fills missing rows with zeros and
 * fails at broken ancillary chunks. Unpacking the file's own data twice, first to count, takes twice as long.
 */
function repacked(head: Uint8Array, rows: Uint8Array): Uint8Array {
  const stream = zlibSync(rows, { level: 0 });
  const length = new Uint8Array(4);
  new DataView(length.buffer).setUint32(0, stream.length);
  return joined([head, length, IDAT, stream, NO_CHECKSUM, IEND]);
}

function colourOf({ kind, depth, palette }: PngFile): Colour {
  if (kind !== 'palette') return { kind };
  // An index beyond the palette is black, as in libpng.
  const rgb = new Uint8Array(3 << depth);
  rgb.set(palette.subarray(0, rgb.length));
  return { kind, grey: toGrey8(rgb) };
}
