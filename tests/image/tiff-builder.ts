/** TIFF files built field by field, for variants that no writer at hand makes, and for broken ones. */

export type Field = readonly [
  tag: number,
  type: 1 | 2 | 3 | 4 | 7,
  values: readonly number[] | Uint8Array | string,
];

const SIZE = { 1: 1, 2: 1, 3: 2, 4: 4, 7: 1 } as const;

export interface TiffSpec {
  readonly width: number;
  readonly height: number;
  readonly fields: readonly Field[];
  /** Strips or tiles as they are stored. */
  readonly segments: readonly Uint8Array[];
  readonly tiled?: boolean;
  readonly bigEndian?: boolean;
  /** How often the directory is repeated as a further page. */
  readonly pages?: number;
}

/** Header, segments, then the directories, each followed by its values. Fields given win over those derived. */
export function buildTiff({
  width,
  height,
  fields,
  segments,
  tiled,
  bigEndian,
  pages = 1,
}: TiffSpec): Uint8Array {
  const little = !bigEndian;
  const offsets: number[] = [];
  let at = 8;
  for (const segment of segments) {
    offsets.push(at);
    at += segment.length + (segment.length & 1);
  }
  const all = new Map<number, Field>();
  const derived: Field[] = [
    [256, 4, [width]],
    [257, 4, [height]],
    [tiled ? 324 : 273, 4, offsets],
    [tiled ? 325 : 279, 4, segments.map(({ length }) => length)],
  ];
  for (const field of [...derived, ...fields]) all.set(field[0], field);
  const sorted = [...all.values()].sort(([a], [b]) => a - b);
  const directoryBytes = 2 + 12 * sorted.length + 4;
  const valueBytes = sorted.reduce(
    (sum, [, type, values]) => sum + ((values.length * SIZE[type] + 1) & ~1),
    0,
  );
  const bytes = new Uint8Array(at + pages * (directoryBytes + valueBytes));
  const view = new DataView(bytes.buffer);
  view.setUint16(0, bigEndian ? 0x4d4d : 0x4949);
  view.setUint16(2, 42, little);
  view.setUint32(4, at, little);
  segments.forEach((segment, i) => bytes.set(segment, offsets[i]));

  for (let page = 0; page < pages; page++) {
    const start = at;
    let extra = start + directoryBytes;
    view.setUint16(start, sorted.length, little);
    sorted.forEach(([tag, type, raw], i) => {
      const values = typeof raw === 'string' ? new TextEncoder().encode(raw) : raw;
      const entry = start + 2 + 12 * i;
      view.setUint16(entry, tag, little);
      view.setUint16(entry + 2, type, little);
      view.setUint32(entry + 4, values.length, little);
      const length = values.length * SIZE[type];
      const place = length <= 4 ? entry + 8 : extra;
      if (length > 4) {
        view.setUint32(entry + 8, extra, little);
        extra += (length + 1) & ~1;
      }
      values.forEach((value, k) => {
        if (type === 3) view.setUint16(place + 2 * k, value, little);
        else if (type === 4) view.setUint32(place + 4 * k, value, little);
        else bytes[place + k] = value;
      });
    });
    at = extra;
    view.setUint32(start + directoryBytes - 4, page + 1 < pages ? at : 0, little);
  }
  return bytes.slice(0, at);
}

/** The usual fields of a grey image. */
export const greyFields = (bits: number, compression = 1): Field[] => [
  [258, 3, [bits]],
  [259, 3, [compression]],
  [262, 3, [1]],
  [277, 3, [1]],
];

/** Samples of 1, 2, 4, 8 or 16 bits packed in rows that begin at a byte. */
export function packRows(
  samples: ArrayLike<number>,
  perRow: number,
  depth: number,
  bigEndian = false,
): Uint8Array {
  const rows = samples.length / perRow;
  const rowBytes = Math.ceil((perRow * depth) / 8);
  const out = new Uint8Array(rows * rowBytes);
  const view = new DataView(out.buffer);
  for (let i = 0; i < samples.length; i++) {
    const row = Math.floor(i / perRow) * rowBytes;
    const bit = (i % perRow) * depth;
    if (depth === 16) view.setUint16(row + bit / 8, samples[i], !bigEndian);
    else out[row + (bit >> 3)] |= samples[i] << (8 - depth - (bit & 7));
  }
  return out;
}

/** PackBits without runs: whole and valid, though nothing gets smaller. */
export function literalPackBits(bytes: Uint8Array): Uint8Array {
  const out: number[] = [];
  for (let at = 0; at < bytes.length; at += 128) {
    const part = bytes.subarray(at, at + 128);
    out.push(part.length - 1, ...part);
  }
  return Uint8Array.from(out);
}
