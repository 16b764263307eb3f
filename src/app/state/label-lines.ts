import type { ImageId } from '../../base/ids';
import type { LabelLine } from '../../exchange/labels-csv';
import type { Entry } from './library.svelte';

/** What tells an image in a label file. */
type Named = Pick<Entry, 'imageId' | 'name'>;

/** Images by what a line may call them: their file name, which several may have, or their SHA-256. */
export function imagesCalled<T extends Named>(entries: readonly T[]): (text: string) => readonly T[] {
  const called = new Map<string, T[]>();
  for (const entry of entries)
    for (const key of [entry.name, entry.imageId]) called.set(key, [...(called.get(key) ?? []), entry]);
  return (text) => called.get(text.split(/[/\\]/).at(-1)!) ?? [];
}

/** The labels of a set as a file holds them; images that share a name are called by their SHA-256. */
export function labelLines(entries: readonly (Named & Pick<Entry, 'className'>)[]): LabelLine[] {
  const called = imagesCalled(entries);
  const nameOf = ({ name, imageId }: Named): string | ImageId => (called(name).length > 1 ? imageId : name);
  return entries.flatMap((entry) =>
    entry.className === undefined ? [] : [{ name: nameOf(entry), className: entry.className }],
  );
}
