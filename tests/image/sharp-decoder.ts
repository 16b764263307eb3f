import sharp from 'sharp';
import type { PlatformDecoder } from '../../src/image/platform-decoder';

/** The host's decoder of tests: libjpeg and libwebp through sharp. BMP, which sharp can't read, is decoded by hand. */
export const sharpDecoder: PlatformDecoder = async (bytes, mimeType) => {
  if (mimeType === 'image/bmp') return decodeBmp(bytes);
  const { data, info } = await sharp(bytes)
    .toColourspace('srgb')
    .ensureAlpha()
    .raw()
    .toBuffer({ resolveWithObject: true });
  return { width: info.width, height: info.height, rgba: data };
};

/** Uncompressed BMP of 24 bits, rows from the bottom. */
function decodeBmp(bytes: Uint8Array) {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const [width, height, offset] = [
    view.getInt32(18, true),
    view.getInt32(22, true),
    view.getUint32(10, true),
  ];
  const stride = Math.ceil((width * 3) / 4) * 4;
  const rgba = new Uint8Array(width * height * 4).fill(255);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++)
      for (let c = 0; c < 3; c++)
        rgba[(y * width + x) * 4 + c] = bytes[offset + (height - 1 - y) * stride + 3 * x + 2 - c];
  return { width, height, rgba };
}

/** A decoder for files that must not need one. */
export const noDecoder: PlatformDecoder = () => Promise.reject(new Error('the platform decoder was called'));

/** The grey or interleaved RGB values of a file as libvips reads them, in the file's depth. */
export async function readWithSharp(file: Uint8Array): Promise<Uint8Array | Uint16Array> {
  const image = sharp(file, { failOn: 'none' });
  const { depth, space } = await image.metadata();
  const data = await image.toColourspace(space).removeAlpha().raw({ depth }).toBuffer();
  return depth === 'ushort'
    ? new Uint16Array(data.buffer.slice(data.byteOffset, data.byteOffset + data.length))
    : new Uint8Array(data);
}
