/**
 * Decodes a JPEG, WebP or BMP file by the means of the host: `createImageBitmap` in a worker, a library in Node. Of an
 * animation it gives the first frame.
 * @param mimeType `image/jpeg`, `image/webp` or `image/bmp`
 * @returns `rgba` is [height·width·4]
 */
export type PlatformDecoder = (
  bytes: Uint8Array,
  mimeType: string,
) => Promise<{ width: number; height: number; rgba: Uint8ClampedArray | Uint8Array }>;
