import type { PlatformDecoder } from './platform-decoder';

/** The browser's own decoder, for workers: no colour conversion, so that grey values are the file's. */
export const browserDecoder: PlatformDecoder = async (bytes, mimeType) => {
  const blob = new Blob([new Uint8Array(bytes)], { type: mimeType });
  const bitmap = await createImageBitmap(blob, { colorSpaceConversion: 'none', premultiplyAlpha: 'none' });
  const { width, height } = bitmap;
  const context = new OffscreenCanvas(width, height).getContext('2d', { willReadFrequently: true })!;
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  return { width, height, rgba: context.getImageData(0, 0, width, height).data };
};
