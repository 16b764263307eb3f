import { assert } from '../base/errors';
import { DEFLATE_EXPANSION, inflate } from './inflate';
import type { PlatformDecoder } from './platform-decoder';
import type { Raster } from './raster';
import { corrupt, formatCount } from './refusal';
import type { Samples } from './samples';
import { newSamples, readSamples, toRaster } from './samples';
import { LZW_EXPANSION, PACKBITS_EXPANSION, unpackBytes, unpackLzw } from './tiff-codecs';
import { TiffDirectory } from './tiff-directory';
import { unpackJpeg } from './tiff-jpeg';
import type { Compression, Segment, TiffLayout } from './tiff-layout';
import { readLayout, rowBytes } from './tiff-layout';

const JPEG_TABLES = 347;

/**
 * Decodes the first page of a TIFF: 1, 2, 4, 8 or 16 bits, grey, RGB or palette, in strips or tiles, channels together
 * or apart, either byte order, uncompressed or packed by PackBits, LZW, Deflate or (through `platform`) JPEG.
 *
 * Own code, because the packages for it trust the file: a corrupt LZW strip never ends and takes the process with it, and
 * Deflate grows without bound (measured in docs/decisions/0003-image-decoding.md).
 * @throws image/corrupt, image/unsupported, image/too-small, image/too-large
 */
export async function decodeTiff(
  bytes: Uint8Array,
  name: string,
  platform: PlatformDecoder,
): Promise<{ raster: Raster; directory: TiffDirectory }> {
  const directory = TiffDirectory.open(bytes, name);
  const layout = readLayout(directory, bytes.length, name);
  const { width, height, depth, channels, colour, segments, unit } = layout;
  const tables = directory.bytes(JPEG_TABLES);
  let samples: Samples | undefined;
  for (const [i, segment] of segments.entries()) {
    const label = `${unit} ${i + 1} of ${segments.length}`;
    const packed = bytes.subarray(segment.offset, segment.offset + segment.byteCount);
    const unpacked =
      layout.compression === 'jpeg'
        ? await unpackJpeg(packed, tables, segment, layout.ycbcr, { name, label, platform })
        : unpack(packed, layout.compression, segment.height * rowBytes(segment, depth), name, label);
    // Not before the first segment has shown that there is a picture to hold.
    samples ??= newSamples(width * height * channels, depth);
    place(unpacked, segment, layout, samples);
  }
  assert(samples, 'a layout has at least one segment');
  return { raster: toRaster(samples, width, height, channels, depth, colour), directory };
}

const EXPANSION = { none: 1, packbits: PACKBITS_EXPANSION, lzw: LZW_EXPANSION, deflate: DEFLATE_EXPANSION };

/** The first `needed` bytes of a segment. @throws image/corrupt when there are fewer */
function unpack(
  packed: Uint8Array,
  compression: Exclude<Compression, 'jpeg'>,
  needed: number,
  name: string,
  label: string,
): Uint8Array {
  // A few bytes must not make us allocate what they can't hold.
  if (packed.length * EXPANSION[compression] < needed)
    throw corrupt(
      name,
      `is damaged: ${label} has ${formatCount(packed.length)} bytes for ${formatCount(needed)} of picture`,
    );
  let unpacked = packed;
  try {
    if (compression === 'packbits') unpacked = unpackBytes(packed, needed);
    else if (compression === 'lzw') unpacked = unpackLzw(packed, needed);
    else if (compression === 'deflate') unpacked = inflate(packed, needed);
  } catch (cause) {
    throw corrupt(name, `is damaged: ${label} cannot be unpacked`, cause);
  }
  if (unpacked.length < needed)
    throw corrupt(
      name,
      `is damaged: ${label} holds ${formatCount(unpacked.length)} of ${formatCount(needed)} bytes`,
    );
  return unpacked;
}

/** Puts the rows of a segment where they belong in the image; what lies beyond its edges is dropped. */
function place(unpacked: Uint8Array, segment: Segment, layout: TiffLayout, samples: Samples): void {
  const { width, height, depth, channels, predictor, bigEndian } = layout;
  const step = segment.channels;
  const row = newSamples(segment.width * step, depth);
  const rows = Math.min(segment.height, height - segment.y);
  const columns = Math.min(segment.width, width - segment.x);
  const bytesPerRow = rowBytes(segment, depth);
  for (let r = 0; r < rows; r++) {
    readSamples(unpacked, r * bytesPerRow, depth, bigEndian, row);
    if (predictor) for (let i = step; i < row.length; i++) row[i] += row[i - step];
    let to = ((segment.y + r) * width + segment.x) * channels + segment.firstChannel;
    if (step === channels) samples.set(row.subarray(0, columns * channels), to);
    else for (let c = 0; c < columns; c++, to += channels) samples[to] = row[c];
  }
}
