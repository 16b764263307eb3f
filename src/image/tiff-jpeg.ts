import { readJpegHeader } from './file-headers';
import type { PlatformDecoder } from './platform-decoder';
import { corrupt } from './refusal';
import type { Segment } from './tiff-layout';

/** An APP14 segment that tells a decoder whether three components are YCbCr (1) or RGB (0). @source Adobe TN 5116 */
const adobeMarker = (transform: 0 | 1): number[] => [
  ...[0xff, 0xee, 0, 14],
  ...[0x41, 0x64, 0x6f, 0x62, 0x65, 0, 100, 0, 0, 0, 0],
  transform,
];

/**
 * Decodes a JPEG segment through the host.
 * @param tables the file's shared tables (tag 347), a JPEG stream without picture, or `undefined`
 * @returns [height·width·channels], 8 bits
 * @throws image/corrupt when the stream is broken or of other sides than the segment
 * @source TIFF Technical Note 2 (1995)
 */
export async function unpackJpeg(
  packed: Uint8Array,
  tables: Uint8Array | undefined,
  segment: Segment,
  ycbcr: boolean,
  { name, label, platform }: { name: string; label: string; platform: PlatformDecoder },
): Promise<Uint8Array> {
  const { width, height, channels } = segment;
  const stream = wholeStream(packed, tables, channels === 3 ? adobeMarker(ycbcr ? 1 : 0) : []);
  const header = readJpegHeader(stream, `${name} (${label})`);
  // A last strip may hold the rows that the others have.
  if (header.width !== width || header.height < height)
    throw corrupt(
      name,
      `is damaged: ${label} is ${header.width}×${header.height} px instead of ${width}×${height}`,
    );
  const decoded = await platform(stream, 'image/jpeg').catch((cause: unknown) => {
    throw corrupt(name, `is damaged: ${label} cannot be decoded`, cause);
  });
  const out = new Uint8Array(width * height * channels);
  for (let i = 0, from = 0; i < out.length; i += channels, from += 4)
    for (let c = 0; c < channels; c++) out[i + c] = decoded.rgba[from + c];
  return out;
}

/** One JPEG file: start marker, colour, tables and picture, each without its own start and end. */
function wholeStream(
  packed: Uint8Array,
  tables: Uint8Array | undefined,
  colour: readonly number[],
): Uint8Array {
  const shared = tables?.subarray(2, -2) ?? new Uint8Array(0);
  const stream = new Uint8Array(colour.length + shared.length + packed.length);
  stream.set(packed.subarray(0, 2));
  stream.set(colour, 2);
  stream.set(shared, 2 + colour.length);
  stream.set(packed.subarray(2), 2 + colour.length + shared.length);
  return stream;
}
