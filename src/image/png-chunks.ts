import { checkSides, corrupt, cutOff, formatCount } from './refusal';
import type { Depth } from './samples';

const FIRST_CHUNK = 8;
/** Signature and IHDR chunk. */
const HEAD = FIRST_CHUNK + 25;

/** What the chunks of a PNG say; nothing is unpacked yet. */
export interface PngFile {
  readonly width: number;
  readonly height: number;
  readonly depth: Depth;
  readonly kind: 'grey' | 'rgb' | 'palette';
  /** Samples per pixel, alpha included. */
  readonly channels: number;
  readonly interlaced: boolean;
  /** RGB triples of the palette, empty without one. */
  readonly palette: Uint8Array;
  /** The file up to the end of its IHDR chunk. */
  readonly head: Uint8Array;
  /** The zlib stream of all IDAT chunks. */
  readonly packed: Uint8Array;
  /** Pictures of an animation; 1 without one. */
  readonly frames: number;
}

/** @source PNG specification, table 11.1 */
const COLOUR_TYPES = {
  0: { kind: 'grey', channels: 1, depths: [1, 2, 4, 8, 16] },
  2: { kind: 'rgb', channels: 3, depths: [8, 16] },
  3: { kind: 'palette', channels: 1, depths: [1, 2, 4, 8] },
  4: { kind: 'grey', channels: 2, depths: [8, 16] },
  6: { kind: 'rgb', channels: 4, depths: [8, 16] },
} as const;
type ColourType = { kind: PngFile['kind']; channels: number; depths: readonly number[] };

/**
 * Reads a PNG's chunks up to IEND and checks the lengths of all and the checksums of the critical ones.
 * @throws image/corrupt, image/too-small, image/too-large
 */
export function readPng(bytes: Uint8Array, name: string): PngFile {
  const [first, ...chunks] = chunksOf(bytes, name);
  if (first?.type !== 'IHDR') throw corrupt(name, 'is damaged: it does not begin with an IHDR chunk');
  const header = readHeader(first.body, name);
  const bodies = (type: string) => chunks.filter((chunk) => chunk.type === type).map(({ body }) => body);
  const palette = bodies('PLTE')[0] ?? new Uint8Array(0);
  if (header.kind === 'palette' && !palette.length) throw corrupt(name, 'is damaged: its palette is missing');
  const [animation] = bodies('acTL');
  const frames = animation?.length === 8 ? viewOf(animation).getUint32(0) : 1;
  return { ...header, palette, head: bytes.subarray(0, HEAD), packed: joined(bodies('IDAT')), frames };
}

const viewOf = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

interface Chunk {
  readonly type: string;
  readonly body: Uint8Array;
}

/** The chunks before IEND. */
function* chunksOf(bytes: Uint8Array, name: string): Generator<Chunk> {
  const view = viewOf(bytes);
  for (let at = FIRST_CHUNK; at + 12 <= bytes.length;) {
    const length = view.getUint32(at);
    const type = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    const body = bytes.subarray(at + 8, at + 8 + length);
    if (!/^[A-Za-z]{4}$/.test(type))
      throw corrupt(name, `is damaged: no chunk begins at byte ${formatCount(at)}`);
    if (at + 12 + length > bytes.length)
      throw cutOff(
        name,
        `is cut off: its ${type} chunk has ${formatCount(length)} bytes, ${formatCount(body.length)} are there`,
      );
    // An ancillary chunk (lower-case first letter) may be broken: nothing of the picture depends on it.
    const checksum = view.getUint32(at + 8 + length);
    if (type < 'a' && crc32(bytes.subarray(at + 4, at + 8 + length)) !== checksum)
      throw corrupt(name, `is damaged: the checksum of its ${type} chunk is wrong`);
    if (type === 'IEND') return;
    yield { type, body };
    at += 12 + length;
  }
  throw cutOff(name, 'is cut off: it ends without its IEND chunk');
}

function readHeader(body: Uint8Array, name: string) {
  if (body.length !== 13)
    throw corrupt(name, `is damaged: its IHDR chunk has ${body.length} bytes instead of 13`);
  const view = viewOf(body);
  const [depth, colourType, compression, filter, interlace] = body.subarray(8);
  const width = view.getUint32(0);
  const height = view.getUint32(4);
  const colour = (COLOUR_TYPES as Readonly<Record<number, ColourType | undefined>>)[colourType];
  if (!colour?.depths.includes(depth) || compression || filter || interlace > 1)
    throw corrupt(
      name,
      `is damaged: its header asks for depth ${depth}, colour type ${colourType}, ` +
        `compression ${compression}, filter ${filter} and interlacing ${interlace}`,
    );
  checkSides(name, width, height);
  const { kind, channels } = colour;
  return { width, height, depth: depth as Depth, kind, channels, interlaced: interlace === 1 };
}

/** One array of several; a single one is not copied. */
export function joined(parts: readonly Uint8Array[]): Uint8Array {
  if (parts.length === 1) return parts[0];
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  let c = n;
  for (let bit = 0; bit < 8; bit++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
  return c;
});

/** @source PNG specification, annex D */
function crc32(bytes: Uint8Array): number {
  let c = 0xffffffff;
  for (let i = 0; i < bytes.length; i++) c = CRC_TABLE[(c ^ bytes[i]) & 0xff] ^ (c >>> 8);
  return (c ^ 0xffffffff) >>> 0;
}
