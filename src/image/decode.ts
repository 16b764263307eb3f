import { AppError } from '../base/errors';
import { detectPictureHeight } from './data-bar';
import type { FileHeader } from './file-headers';
import { isBmp, readBmpHeader, readJpegHeader, readWebpHeader } from './file-headers';
import type { PlatformDecoder } from './platform-decoder';
import { decodePng } from './png';
import type { Raster } from './raster';
import { toGrey8 } from './raster';
import { checkSides, corrupt, formatCount } from './refusal';
import { decodeTiff } from './tiff';
import type { ImageMetadata } from './vendor-metadata';
import { readVendorMetadata } from './vendor-metadata';

export type ImageFormat = 'png' | 'jpeg' | 'webp' | 'bmp' | 'tiff';

export interface DecodedImage {
  readonly raster: Raster;
  readonly format: ImageFormat;
  readonly metadata: ImageMetadata;
}

const startsWith = (bytes: Uint8Array, ...magic: readonly number[]): boolean =>
  magic.every((byte, i) => bytes[i] === byte);

/** The format by a file's first bytes; names lie. */
export function sniffFormat(bytes: Uint8Array): ImageFormat | undefined {
  if (startsWith(bytes, 0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a)) return 'png';
  if (startsWith(bytes, 0xff, 0xd8, 0xff)) return 'jpeg';
  if (startsWith(bytes, 0x52, 0x49, 0x46, 0x46) && startsWith(bytes.subarray(8), 0x57, 0x45, 0x42, 0x50))
    return 'webp';
  // 42 is TIFF, 43 BigTIFF, which is recognised in order to be refused by name.
  if (startsWith(bytes, 0x49, 0x49) && (bytes[2] === 42 || bytes[2] === 43) && bytes[3] === 0) return 'tiff';
  if (startsWith(bytes, 0x4d, 0x4d, 0) && (bytes[3] === 42 || bytes[3] === 43)) return 'tiff';
  return isBmp(bytes) ? 'bmp' : undefined;
}

/**
 * Decodes an image file to one grey plane with what the file says about it. Of several pages or frames the first is
 * read, and a note says so.
 * @param name the file's name, for messages alone
 * @throws image/unknown-format, image/corrupt, image/unsupported, image/too-small, image/too-large; every message begins
 *   with the file's name
 */
export async function decodeImage(
  bytes: Uint8Array,
  name: string,
  platform: PlatformDecoder,
): Promise<DecodedImage> {
  if (!bytes.length) throw corrupt(name, 'is empty (0 bytes)');
  const format = sniffFormat(bytes);
  if (!format) throw unknownFormat(bytes, name);
  const { raster, metadata, note } = await READERS[format](bytes, name, platform);
  return {
    raster,
    format,
    metadata: {
      ...metadata,
      pictureHeight: metadata?.pictureHeight ?? detectPictureHeight(raster),
      notes: [...(metadata?.notes ?? []), ...(note ? [note] : [])],
    },
  };
}

/** What a format's reader gives: `metadata` where the file has any, `note` where more was there than was read. */
interface Read {
  readonly raster: Raster;
  readonly metadata?: ImageMetadata;
  readonly note?: string;
}
type Reader = (bytes: Uint8Array, name: string, platform: PlatformDecoder) => Promise<Read>;

const onlyFirst = (count: number, what: string): string | undefined =>
  count > 1 ? `The file holds ${formatCount(count)} ${what}; the first is used.` : undefined;

/** A reader of a format that the host decodes, once the header has shown that the file is whole and not too large. */
const byPlatform =
  (mimeType: string, readHeader: (bytes: Uint8Array, name: string) => FileHeader): Reader =>
  async (bytes, name, platform) => {
    const header = readHeader(bytes, name);
    checkSides(name, header.width, header.height);
    const decoded = await platform(bytes, mimeType).catch((cause: unknown) => {
      throw corrupt(name, 'cannot be decoded', cause);
    });
    // The host turns photographs upright, so that its sides are the ones that count.
    const { width, height, rgba } = decoded;
    return {
      raster: { width, height, data: toGrey8(rgba, 4), bits: 8 },
      note: header.animated ? 'The file is an animation; the first frame is used.' : undefined,
    };
  };

const READERS: Readonly<Record<ImageFormat, Reader>> = {
  jpeg: byPlatform('image/jpeg', readJpegHeader),
  webp: byPlatform('image/webp', readWebpHeader),
  bmp: byPlatform('image/bmp', readBmpHeader),
  png: async (bytes, name) => {
    const { raster, frames } = decodePng(bytes, name);
    return { raster, note: onlyFirst(frames, 'frames') };
  },
  tiff: async (bytes, name, platform) => {
    const { raster, directory } = await decodeTiff(bytes, name, platform);
    return {
      raster,
      metadata: readVendorMetadata(directory, raster.width, raster.height),
      note: onlyFirst(directory.pages, 'pages'),
    };
  },
};

function unknownFormat(bytes: Uint8Array, name: string): AppError {
  const start = Array.from(bytes.subarray(0, 8), (byte) => byte.toString(16).padStart(2, '0')).join(' ');
  return new AppError(
    'image/unknown-format',
    `${name} is not a PNG, JPEG, WebP, BMP or TIFF file: it begins with ${start}`,
    { hint: 'Save the image as PNG or TIFF; renaming a file does not convert it.' },
  );
}
