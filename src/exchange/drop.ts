import { byNaturalOrder } from '../base/natural-order';
import type { PathEntry } from './layout';

const inOrder = (files: readonly PathEntry<File>[]): PathEntry<File>[] =>
  [...files].sort((a, b) => byNaturalOrder(a.path, b.path));

/**
 * Everything that was dropped, folders opened, in the order of the paths from what was dropped. Has to be called in the drop event
 * itself: the browser forgets the items afterwards.
 */
export async function filesOfDrop(transfer: DataTransfer): Promise<PathEntry<File>[]> {
  const entries = [...transfer.items].flatMap((item) => item.webkitGetAsEntry() ?? []);
  const nested = await Promise.all(entries.map((entry) => walk(entry)));
  return inOrder(nested.flat());
}

/** Files of an input field in the order of their paths, which have folders when a folder was chosen. */
export const filesOfInput = (files: Iterable<File>): PathEntry<File>[] =>
  inOrder([...files].map((file) => ({ path: file.webkitRelativePath || file.name, file })));

async function walk(entry: FileSystemEntry): Promise<PathEntry<File>[]> {
  if (isFile(entry)) {
    const file = await new Promise<File>((resolve, reject) => entry.file(resolve, reject));
    return [{ path: entry.fullPath.replace(/^\//, ''), file }];
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  const found: PathEntry<File>[] = [];
  // A reader gives a hundred entries at a time, and none when it is through.
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) =>
      reader.readEntries(resolve, reject),
    );
    if (!some.length) return found;
    for (const child of some) found.push(...(await walk(child)));
  }
}

const isFile = (entry: FileSystemEntry): entry is FileSystemFileEntry => entry.isFile;
