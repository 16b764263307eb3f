import { AppError } from '../base/errors';

/** Sides below this hold no texture to learn from, and every backbone's stem would be wider than the image. */
export const MIN_SIDE = 16;
/** The largest image a tab can hold as samples, raster, tiles and map at once. */
export const MAX_PIXELS = 100_000_000;

const count = new Intl.NumberFormat('en');

/** A number as messages show it: `1,234`. */
export const formatCount = (value: number): string => count.format(value);

/** The file ends too early. @param fact continues a sentence that begins with the file's name */
export const cutOff = (name: string, fact: string): AppError =>
  new AppError('image/corrupt', `${name} ${fact}`, {
    hint: 'The copy stopped early; copy the file again from where it came from.',
  });

/** The file contradicts itself or its format. @param fact continues a sentence that begins with the file's name */
export const corrupt = (name: string, fact: string, cause?: unknown): AppError =>
  new AppError('image/corrupt', `${name} ${fact}`, {
    hint: 'Copy the file again; if it stays unreadable, open it in another program and save it as PNG or TIFF.',
    cause,
  });

/** A sound file of a kind that isn't read. @param fact continues a sentence that begins with the file's name */
export const unsupported = (
  name: string,
  fact: string,
  hint = 'Save it as PNG or TIFF with 8 or 16 bits of grey.',
): AppError => new AppError('image/unsupported', `${name} ${fact}`, { hint });

/**
 * Checks an image's sides before anything is allocated for it.
 * @throws image/too-small under 16 px, image/too-large over 100 megapixels
 */
export function checkSides(name: string, width: number, height: number): void {
  const sides = `${name} is ${formatCount(width)}×${formatCount(height)} px`;
  if (width < MIN_SIDE || height < MIN_SIDE)
    throw new AppError('image/too-small', `${sides}; an image needs at least ${MIN_SIDE}×${MIN_SIDE}`, {
      hint: 'Load the original image instead of a thumbnail or an icon.',
    });
  if (width * height > MAX_PIXELS)
    throw new AppError(
      'image/too-large',
      `${sides}, ${formatCount(Math.ceil((width * height) / 1e6))} megapixels; the limit is ${MAX_PIXELS / 1e6}`,
      { hint: 'Cut it into parts before loading it.' },
    );
}
