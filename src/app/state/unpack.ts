import type { LeftOut, PathEntry } from '../../exchange/layout';
import { isZip, unzip } from '../../exchange/zip';
import { reasonOf } from './reason';

/** What was dropped, with the files of archives in their place; archives that can't be read are left out. */
export async function unpack(
  dropped: readonly PathEntry<Blob>[],
): Promise<{ files: PathEntry<Blob>[]; leftOut: LeftOut[] }> {
  const files: PathEntry<Blob>[] = [];
  const leftOut: LeftOut[] = [];
  for (const entry of dropped) {
    if (!(await isZip(entry.file))) {
      files.push(entry);
      continue;
    }
    try {
      const inside = await unzip(entry.file, entry.path);
      files.push(...inside);
      if (!inside.length) leftOut.push({ path: entry.path, reason: 'an empty archive' });
    } catch (error) {
      leftOut.push({ path: entry.path, reason: reasonOf(error, entry.path) });
    }
  }
  return { files, leftOut };
}
