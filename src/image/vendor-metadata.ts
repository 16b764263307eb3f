import type { TiffDirectory } from './tiff-directory';

/** What a file says about its picture beyond the pixels. */
export interface ImageMetadata {
  readonly vendor?: string;
  readonly model?: string;
  /** Side of a pixel in nanometres; absent where the file doesn't say, never 0. */
  readonly pixelSizeNm?: number;
  /** Where `pixelSizeNm` was read, for the eyes of the user. */
  readonly pixelSizeFrom?: string;
  /** Rows above the data bar; the image's height when there is none. */
  readonly pictureHeight?: number;
  /** Sentences on what was read and what was left out. */
  readonly notes: readonly string[];
}

const FEI_TAGS = [34682, 34680];
const ZEISS_TAG = 34118;
const ZEISS_TAG_UTF16 = 34119;

/**
 * Metadata of FEI / Thermo Fisher and Zeiss microscopes from their private TIFF tags.
 * @returns no `pictureHeight` where the tags don't tell it
 * @source product.md d.1 and d.2
 */
export function readVendorMetadata(directory: TiffDirectory, width: number, height: number): ImageMetadata {
  for (const tag of FEI_TAGS) {
    const bytes = directory.bytes(tag);
    if (bytes) return readFei(new TextDecoder('latin1').decode(bytes), tag, width, height);
  }
  const latin = directory.bytes(ZEISS_TAG);
  if (latin) return readZeiss(new TextDecoder('latin1').decode(latin), ZEISS_TAG, width);
  const wide = directory.bytes(ZEISS_TAG_UTF16);
  if (wide) return readZeiss(new TextDecoder('utf-16le').decode(wide), ZEISS_TAG_UTF16, width);
  return { notes: [] };
}

/** A positive finite number, or `undefined`: a field that is missing, 0 or unreadable is unknown. */
function positive(text: string | undefined): number | undefined {
  const value = Number(text?.trim() || NaN);
  return value > 0 && Number.isFinite(value) ? value : undefined;
}

/** Rounded to the digits that files have, so that 7.70833e-9 m doesn't become 7.708329999999999 nm. */
const nanometres = (metres: number): number => Number((metres * 1e9).toPrecision(10));

function readFei(text: string, tag: number, width: number, height: number): ImageMetadata {
  const sections = parseSections(text);
  const get = (section: string, key: string) => sections.get(section)?.get(key);
  const notes: string[] = [];
  const scanWidth = positive(get('Image', 'ResolutionX')) ?? width;
  const scanHeight = positive(get('Image', 'ResolutionY'));
  const scale = scanWidth / width;
  if (scale !== 1)
    notes.push(
      `The scan was ${scanWidth} px wide, the file is ${width}; the pixel size is taken times ${scale}.`,
    );

  // "[Beam] Scan" names the section of the scan that made this picture; a chamber camera has none.
  const section = ['Scan', get('Beam', 'Scan') ?? ''].find((title) => positive(get(title, 'PixelWidth')));
  const pixelWidth = section && positive(get(section, 'PixelWidth'));
  const pixelHeight = section && positive(get(section, 'PixelHeight'));
  if (pixelWidth && pixelHeight && Math.abs(pixelHeight / pixelWidth - 1) > 0.01)
    notes.push(`Pixels are ${pixelHeight / pixelWidth} times as high as wide; the size given is the width.`);

  // The scanned rows come first: the bar's height can be 0 with a bar there.
  const bar = positive(get('PrivateFei', 'DatabarHeight')) ?? height;
  const rows = scanHeight ? Math.round(scanHeight / scale) : height - bar;
  // Rows beyond the file, or no more than half of it, are of another picture than this one.
  const pictureHeight = rows > height / 2 && rows <= height ? rows : undefined;
  return {
    vendor: 'FEI / Thermo Fisher',
    // The name of some models carries a stray quotation mark.
    model: get('System', 'SystemType')?.replaceAll('"', '') || undefined,
    ...(pixelWidth && {
      pixelSizeNm: nanometres(pixelWidth * scale),
      pixelSizeFrom: `tag ${tag}, [${section}] PixelWidth`,
    }),
    pictureHeight,
    notes,
  };
}

function parseSections(text: string): Map<string, Map<string, string>> {
  const sections = new Map<string, Map<string, string>>();
  let section = new Map<string, string>();
  for (const line of text.split(/\r?\n/)) {
    const title = /^\[(.*)\]\s*$/.exec(line)?.[1];
    const equals = line.indexOf('=');
    if (title !== undefined) sections.set(title, (section = new Map<string, string>()));
    else if (equals > 0) section.set(line.slice(0, equals).trim(), line.slice(equals + 1).trim());
  }
  return sections;
}

const METRES: Readonly<Record<string, number | undefined>> = {
  m: 1,
  mm: 1e-3,
  µm: 1e-6,
  um: 1e-6,
  nm: 1e-9,
  pm: 1e-12,
};

/** The width that line 4 of the Zeiss text and its AP_PIXEL_SIZE are given for, whatever the file's width. */
const ZEISS_REFERENCE_WIDTH = 1024;

function readZeiss(text: string, tag: number, width: number): ImageMetadata {
  const lines = text.split(/\r?\n/);
  const value = (key: string): string | undefined => {
    const line = lines.indexOf(key) + 1;
    return line > 0 ? /=(.*)$/.exec(lines[line] ?? '')?.[1].trim() : undefined;
  };
  const metres = (key: string): number | undefined => {
    const [, number, unit = ''] = /^([\d.eE+-]+)\s*(\S+)$/.exec(value(key) ?? '') ?? [];
    const scale = METRES[unit];
    const size = positive(number);
    return size && scale && size * scale;
  };
  const head = positive(lines[3]);
  const field = metres('AP_WIDTH');
  const sizes = [
    { from: 'line 4', size: head && (head * ZEISS_REFERENCE_WIDTH) / width },
    { from: 'AP_IMAGE_PIXEL_SIZE', size: metres('AP_IMAGE_PIXEL_SIZE') },
    { from: 'AP_WIDTH', size: field && field / width },
  ].flatMap(({ from, size }) => (size ? [{ from, size }] : []));
  // Line 4 has the most digits, but what contradicts both others is not believed.
  const [first, ...others] = sizes;
  const agrees = !others.length || others.some(({ size }) => Math.abs(size / first.size - 1) < 0.02);
  const best = agrees ? first : others[0];
  return {
    vendor: 'Zeiss',
    // "SUPRA 40-25-44": the model, then the number of the instrument.
    model: /^(.*?)(-\d+)+$/.exec(value('SV_SERIAL_NUMBER') ?? '')?.[1],
    ...(best && { pixelSizeNm: nanometres(best.size), pixelSizeFrom: `tag ${tag}, ${best.from}` }),
    notes: [],
  };
}
