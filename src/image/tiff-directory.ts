import { corrupt, cutOff, formatCount, unsupported } from './refusal';

/** Bytes per value of the field types that are read: BYTE, ASCII, SHORT, LONG, UNDEFINED, IFD. */
const TYPE_BYTES: Readonly<Record<number, number | undefined>> = { 1: 1, 2: 1, 3: 2, 4: 4, 7: 1, 13: 4 };

interface Field {
  readonly type: number;
  readonly count: number;
  /** First byte of the values in the file. */
  readonly offset: number;
}

/** Pages that are counted; a chain of directories that bites its tail ends here too. */
const MAX_PAGES = 10_000;

/**
 * The first directory of a TIFF file. Only what is asked for is read, and nothing outside the file's bytes.
 * @source TIFF 6.0, section 2
 */
export class TiffDirectory {
  private constructor(
    private readonly view: DataView,
    private readonly name: string,
    private readonly fields: ReadonlyMap<number, Field>,
    readonly bigEndian: boolean,
    /** Directories in the file's chain. */
    readonly pages: number,
  ) {}

  /** @throws image/corrupt when the directory isn't inside the file, image/unsupported for a BigTIFF */
  static open(bytes: Uint8Array, name: string): TiffDirectory {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    if (view.byteLength < 8) throw cutOff(name, `is cut off: ${view.byteLength} bytes, a TIFF header has 8`);
    const bigEndian = view.getUint16(0) === 0x4d4d;
    if (view.getUint16(2, !bigEndian) === 43)
      throw unsupported(name, 'is a BigTIFF file', 'Save it as a plain TIFF or PNG file.');
    const start = view.getUint32(4, !bigEndian);
    const fields = readFields(view, start, bigEndian, name);
    return new TiffDirectory(view, name, fields, bigEndian, countPages(view, start, bigEndian));
  }

  has(tag: number): boolean {
    return this.fields.has(tag);
  }

  /**
   * The first whole numbers of a tag, at most `most`; empty when the tag is absent.
   * @throws image/corrupt when they aren't in the file
   */
  numbers(tag: number, most: number): number[] {
    const field = this.fields.get(tag);
    if (!field) return [];
    const size = TYPE_BYTES[field.type];
    if (!size || field.type === 2)
      throw corrupt(this.name, `is damaged: its tag ${tag} has the type ${field.type}`);
    const end = field.offset + field.count * size;
    if (end > this.view.byteLength)
      throw cutOff(
        this.name,
        `is cut off: its tag ${tag} ends at byte ${formatCount(end)} of ${formatCount(this.view.byteLength)}`,
      );
    const little = !this.bigEndian;
    return Array.from({ length: Math.min(field.count, most) }, (_, i) => {
      const at = field.offset + i * size;
      return size === 1
        ? this.view.getUint8(at)
        : size === 2
          ? this.view.getUint16(at, little)
          : this.view.getUint32(at, little);
    });
  }

  /** The first number of a tag, or `otherwise` when the tag is absent or empty. */
  number(tag: number, otherwise: number): number {
    return this.numbers(tag, 1)[0] ?? otherwise;
  }

  /** The bytes of a text or binary tag; `undefined` when it is absent or not wholly in the file. */
  bytes(tag: number): Uint8Array | undefined {
    const field = this.fields.get(tag);
    if (!field || TYPE_BYTES[field.type] !== 1 || field.offset + field.count > this.view.byteLength)
      return undefined;
    return new Uint8Array(this.view.buffer, this.view.byteOffset + field.offset, field.count);
  }
}

function readFields(view: DataView, start: number, bigEndian: boolean, name: string): Map<number, Field> {
  const little = !bigEndian;
  const size = view.byteLength;
  const place = `its directory is at byte ${formatCount(start)} of ${formatCount(size)}`;
  if (start < 8 || start + 2 > size) throw cutOff(name, `is cut off: ${place}`);
  const count = view.getUint16(start, little);
  if (start + 2 + 12 * count > size) throw cutOff(name, `is cut off: ${place} and has ${count} entries`);
  const fields = new Map<number, Field>();
  for (let at = start + 2; at < start + 2 + 12 * count; at += 12) {
    const type = view.getUint16(at + 2, little);
    const values = view.getUint32(at + 4, little);
    const inline = (TYPE_BYTES[type] ?? 8) * values <= 4;
    fields.set(view.getUint16(at, little), {
      type,
      count: values,
      offset: inline ? at + 8 : view.getUint32(at + 8, little),
    });
  }
  return fields;
}

function countPages(view: DataView, first: number, bigEndian: boolean): number {
  const seen = new Set<number>();
  for (let at = first; at && at + 2 <= view.byteLength && !seen.has(at) && seen.size < MAX_PAGES;) {
    seen.add(at);
    const next = at + 2 + 12 * view.getUint16(at, !bigEndian);
    if (next + 4 > view.byteLength) break;
    at = view.getUint32(next, !bigEndian);
  }
  return seen.size;
}
