/** What must be known of a JPEG, WebP or BMP file before the host decodes it: its sides, and that it is whole. */
import { corrupt, cutOff, formatCount, unsupported } from './refusal';

export interface FileHeader {
  readonly width: number;
  readonly height: number;
  readonly animated: boolean;
}

const viewOf = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/**
 * @throws image/corrupt for a file without frame, scan or end, image/unsupported for 12 bits, CMYK, lossless and
 * arithmetic coding
 * @source ITU-T T.81, annex B
 */
export function readJpegHeader(bytes: Uint8Array, name: string): FileHeader {
  const view = viewOf(bytes);
  let frame: FileHeader | undefined;
  let at = 2;
  for (let marker = 0; marker !== START_OF_SCAN;) {
    if (at + 4 > bytes.length) throw cutOff(name, 'is cut off: it ends before its picture begins');
    marker = bytes[at + 1];
    if (bytes[at] !== 0xff) throw corrupt(name, `is damaged: no JPEG marker at byte ${formatCount(at)}`);
    // Fill bytes may stand before a marker.
    if (marker === 0xff) at++;
    else {
      if (isFrame(marker) && at + 10 <= bytes.length) frame = readFrame(view, at, marker, name);
      at += 2 + Math.max(2, view.getUint16(at + 2));
    }
  }
  if (!frame) throw corrupt(name, 'is damaged: it has no JPEG frame');
  // Within a scan 0xff is followed by 0 or a marker, so that these two bytes can only be the end of the image.
  for (let i = bytes.length - 2; i >= at; i--) if (bytes[i] === 0xff && bytes[i + 1] === 0xd9) return frame;
  throw cutOff(name, 'is cut off: its end marker is missing');
}

const START_OF_SCAN = 0xda;

/** SOF0 … SOF15, but not DHT, JPG and DAC, which lie between them. */
const isFrame = (marker: number) => marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);

function readFrame(view: DataView, at: number, marker: number, name: string): FileHeader {
  const precision = view.getUint8(at + 4);
  const components = view.getUint8(at + 9);
  if (marker > 0xc2) throw unsupported(name, 'is a lossless or arithmetic-coded JPEG');
  if (precision !== 8) throw unsupported(name, `is a JPEG of ${precision} bits per sample`);
  if (components === 4) throw unsupported(name, 'is a CMYK JPEG');
  if (components !== 1 && components !== 3) throw unsupported(name, `is a JPEG of ${components} components`);
  return { width: view.getUint16(at + 7), height: view.getUint16(at + 5), animated: false };
}

/** @throws image/corrupt @source WebP container specification; RFC 6386, section 9.1, for lossy frames */
export function readWebpHeader(bytes: Uint8Array, name: string): FileHeader {
  const view = viewOf(bytes);
  if (bytes.length < 30) throw cutOff(name, `is cut off: ${bytes.length} bytes, a WebP header has 30`);
  const size = 8 + view.getUint32(4, true);
  if (size > bytes.length)
    throw cutOff(name, `is cut off: it has ${formatCount(bytes.length)} of ${formatCount(size)} bytes`);
  const chunk = String.fromCharCode(...bytes.subarray(12, 16));
  if (chunk === 'VP8X') {
    const uint24 = (at: number) => view.getUint16(at, true) | (bytes[at + 2] << 16);
    return { width: 1 + uint24(24), height: 1 + uint24(27), animated: (bytes[20] & 2) !== 0 };
  }
  if (chunk === 'VP8L' && bytes[20] === 0x2f) {
    const sides = view.getUint32(21, true);
    return { width: 1 + (sides & 0x3fff), height: 1 + ((sides >> 14) & 0x3fff), animated: false };
  }
  if (chunk === 'VP8 ' && bytes[23] === 0x9d && bytes[24] === 1 && bytes[25] === 0x2a)
    return {
      width: view.getUint16(26, true) & 0x3fff,
      height: view.getUint16(28, true) & 0x3fff,
      animated: false,
    };
  throw corrupt(name, 'is damaged: it has no WebP frame');
}

/** Lengths of the headers that BMP files are known to have; anything else beginning with "BM" is no BMP. */
const BMP_HEADERS = [12, 40, 52, 56, 64, 108, 124];

export const isBmp = (bytes: Uint8Array): boolean =>
  bytes.length >= 26 &&
  bytes[0] === 0x42 &&
  bytes[1] === 0x4d &&
  BMP_HEADERS.includes(viewOf(bytes).getUint32(14, true));

/** @throws image/corrupt @source Microsoft, BITMAPFILEHEADER, BITMAPCOREHEADER and BITMAPINFOHEADER */
export function readBmpHeader(bytes: Uint8Array, name: string): FileHeader {
  const view = viewOf(bytes);
  const core = view.getUint32(14, true) === 12;
  if (bytes.length < (core ? 26 : 54))
    throw cutOff(name, `is cut off: ${bytes.length} bytes are no BMP header`);
  const width = core ? view.getUint16(18, true) : view.getInt32(18, true);
  // A negative height says that the rows run from the top.
  const height = core ? view.getUint16(20, true) : Math.abs(view.getInt32(22, true));
  const rowBytes = Math.ceil((width * view.getUint16(core ? 24 : 28, true)) / 32) * 4;
  const compression = core ? 0 : view.getUint32(30, true);
  // 1 and 2 are run lengths: only the file's own size tells whether all is there.
  const packed = compression === 1 || compression === 2;
  const size = packed ? view.getUint32(2, true) : view.getUint32(10, true) + rowBytes * height;
  if (size > bytes.length)
    throw cutOff(name, `is cut off: it has ${formatCount(bytes.length)} of ${formatCount(size)} bytes`);
  return { width, height, animated: false };
}
