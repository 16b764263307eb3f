import { readFileSync } from 'node:fs';
import sharp from 'sharp';
import { decodeImage } from '../../src/image/decode';
import { toMaskInput } from '../../src/image/model-input';
import type { PlatformDecoder } from '../../src/image/platform-decoder';

/** JPEG, WebP and BMP in Node; browsers have their own decoder. */
export const sharpDecoder: PlatformDecoder = async (bytes) => {
  const { data, info } = await sharp(bytes).ensureAlpha().raw().toBuffer({ resolveWithObject: true });
  return { width: info.width, height: info.height, rgba: data };
};

/** A mask file at side×side, 0 or 1. */
export async function readMask(path: string, side: number): Promise<Uint8Array> {
  const { raster } = await decodeImage(readFileSync(path), path, sharpDecoder);
  return toMaskInput(raster, side);
}
