/** A file among others, by its path from what was dropped: `sem-ic/train/good/a.png`. */
export interface PathEntry<File> {
  readonly path: string;
  readonly file: File;
}

/** An image's part: good ones are fitted on, the others are inspected. */
export type Role = 'good' | 'inspect';

export interface SortedImage<File> {
  readonly path: string;
  readonly file: File;
  readonly role: Role;
  /** Defect class by folder; `good` for test/good; undefined when the folders don't tell. */
  readonly className: string | undefined;
  readonly mask: File | undefined;
}

/** A file that was not taken, and why. */
export interface LeftOut {
  readonly path: string;
  readonly reason: string;
}

/** Files of one data set in the MVTec layout, or loose ones. */
export interface SortedSet<File> {
  readonly name: string;
  readonly images: readonly SortedImage<File>[];
}

export interface Sorted<File> {
  readonly sets: readonly SortedSet<File>[];
  readonly leftOut: readonly LeftOut[];
}

const IMAGE = /\.(png|jpe?g|webp|bmp|tiff?)$/i;
const HIDDEN = /(^|\/)(\.|__MACOSX\/|Thumbs\.db$|desktop\.ini$)/;
/** `<set>/train/good/<image>`, `<set>/test/<class>/<image>`, `<set>/ground_truth/<class>/<image>_mask.png`. */
const MVTEC = /^(?:(.*)\/)?(train|test|ground_truth)\/([^/]+)\/([^/]+)$/;
/** Folder names that mean "good" outside the layout. */
const GOOD_FOLDER = /^(good|ok|normal|reference)$/i;

/** A file name without its ending, and without the `_mask` that masks carry. */
const stem = (name: string): string => name.replace(/\.[^.]+$/, '').replace(/_mask$/, '');

/**
 * Sorts files into sets by their paths alone: roles and classes from the folders of the MVTec layout, masks to their
 * images; outside a layout every image is one to inspect, unless its folder is called good. What can't be placed is
 * listed with the reason.
 */
export function sortPaths<File>(entries: readonly PathEntry<File>[]): Sorted<File> {
  const leftOut: LeftOut[] = [];
  const seen = entries.filter(({ path }) => !HIDDEN.test(path));
  const images = seen.filter(({ path }) => {
    if (IMAGE.test(path)) return true;
    leftOut.push({ path, reason: 'not an image file (PNG, JPEG, WebP, BMP or TIFF)' });
    return false;
  });
  const inLayout = images.filter(({ path }) => MVTEC.test(path));
  const roots = new Map<string, PathEntry<File>[]>();
  for (const entry of inLayout) {
    const root = MVTEC.exec(entry.path)![1] ?? '';
    roots.set(root, [...(roots.get(root) ?? []), entry]);
  }
  const sets = [...roots].map(([root, own]) => sortLayout(root, own, leftOut));
  const loose = images.filter(({ path }) => !MVTEC.test(path));
  if (!sets.length) return { sets: loose.length ? [sortLoose(loose)] : [], leftOut };
  for (const { path } of loose)
    leftOut.push({ path, reason: 'outside train/, test/ and ground_truth/ of this data set' });
  return { sets, leftOut };
}

function sortLayout<File>(
  root: string,
  entries: readonly PathEntry<File>[],
  leftOut: LeftOut[],
): SortedSet<File> {
  const masks = new Map<string, PathEntry<File>>();
  const images: { path: string; file: File; part: string; folder: string; name: string }[] = [];
  for (const { path, file } of entries) {
    const [, , part, folder, name] = MVTEC.exec(path)!;
    if (part === 'ground_truth') masks.set(`${folder}/${stem(name)}`, { path, file });
    else images.push({ path, file, part, folder, name });
  }
  const sorted = images.flatMap(({ path, file, part, folder, name }): SortedImage<File>[] => {
    if (part === 'train' && !GOOD_FOLDER.test(folder)) {
      leftOut.push({ path, reason: `train/${folder} is not train/good; fits take good images alone` });
      return [];
    }
    const key = `${folder}/${stem(name)}`;
    const mask = part === 'test' ? masks.get(key) : undefined;
    if (mask) masks.delete(key);
    const role = part === 'train' ? 'good' : 'inspect';
    return [{ path, file, role, className: folder, mask: mask?.file }];
  });
  for (const { path } of masks.values())
    leftOut.push({ path, reason: 'a mask that no image in test/ has the name of' });
  return { name: root.split('/').at(-1) || 'images', images: sorted };
}

function sortLoose<File>(entries: readonly PathEntry<File>[]): SortedSet<File> {
  const folders = (path: string) => path.split('/').slice(0, -1);
  const named = entries.some(({ path }) => GOOD_FOLDER.test(folders(path).at(-1) ?? ''));
  const images = entries.map(({ path, file }): SortedImage<File> => {
    const folder = folders(path).at(-1);
    const good = folder !== undefined && GOOD_FOLDER.test(folder);
    return {
      path,
      file,
      role: good ? 'good' : 'inspect',
      className: named ? folder : undefined,
      mask: undefined,
    };
  });
  const tops = new Set(entries.map(({ path }) => folders(path)[0]));
  const top = tops.size === 1 ? [...tops][0] : undefined;
  return { name: top ?? 'images', images };
}
