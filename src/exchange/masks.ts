import { sortPaths } from './layout';
import type { LeftOut, PathEntry } from './layout';

/** Loose files for one class: images, and masks by the name of their image. */
export interface Masked<File, Image> {
  readonly images: readonly { readonly name: string; readonly file: File; readonly mask: File | undefined }[];
  /** Masks of images that are there already. */
  readonly masks: readonly { readonly of: Image; readonly file: File }[];
  readonly leftOut: readonly LeftOut[];
}

const MASK = /_mask\.[^.]+$/i;
const nameOf = (path: string): string => path.split('/').at(-1)!;
const stem = (name: string): string => name.replace(/\.[^.]+$/, '').replace(/_mask$/i, '');

/**
 * Sorts files that join one class, whatever folders they come from: `x_mask.png` is the mask of the image `x` beside it,
 * or of one of that name that is there already.
 */
export function sortMasks<File, Image extends { readonly name: string }>(
  files: readonly PathEntry<File>[],
  there: readonly Image[],
): Masked<File, Image> {
  const flat = files.map(({ path, file }) => ({ path: nameOf(path), file }));
  const sorted = sortPaths(flat);
  const found = sorted.sets.flatMap(({ images }) => images);
  const pictures = found.filter(({ path }) => !MASK.test(path));
  const masks = new Map(
    found.filter(({ path }) => MASK.test(path)).map((entry) => [stem(entry.path), entry]),
  );
  const images = pictures.map(({ path, file }) => {
    const mask = masks.get(stem(path));
    masks.delete(stem(path));
    return { name: path, file, mask: mask?.file };
  });
  const leftOut = [...sorted.leftOut];
  const late = [...masks].flatMap(([of, { path, file }]) => {
    const image = there.find(({ name }) => stem(name) === of);
    if (!image) leftOut.push({ path, reason: 'a mask that no image of this class has the name of' });
    return image ? [{ of: image, file }] : [];
  });
  return { images, masks: late, leftOut };
}
