import { Unzip, UnzipInflate } from 'fflate';
import { AppError } from '../base/errors';
import type { PathEntry } from './layout';

/** Bytes that one archive may unpack to: beyond this the browser's own store would refuse it anyway. */
const MOST_BYTES = 4 * 2 ** 30;

/** PK 3 4, or PK 5 6 for an empty archive. */
export async function isZip(file: Blob): Promise<boolean> {
  const head = new Uint8Array(await file.slice(0, 4).arrayBuffer());
  return (
    head[0] === 0x50 &&
    head[1] === 0x4b &&
    ((head[2] === 3 && head[3] === 4) || (head[2] === 5 && head[3] === 6))
  );
}

/**
 * Unpacks an archive while it is read, file by file.
 * @param name for messages
 * @throws exchange/zip when it is broken or too large; what was unpacked before is lost with it
 */
export async function unzip(file: Blob, name: string): Promise<PathEntry<File>[]> {
  const entries: PathEntry<File>[] = [];
  const broken = (fact: string, cause?: unknown) =>
    new AppError('exchange/zip', `${name} ${fact}`, {
      hint: 'Pack the folder again, or drop it unpacked.',
      cause,
    });
  let failure: AppError | undefined;
  let total = 0;
  let open = 0;
  const unzipper = new Unzip((entry) => {
    if (entry.name.endsWith('/')) return;
    const parts: Uint8Array<ArrayBuffer>[] = [];
    open++;
    entry.ondata = (error, chunk, final) => {
      if (error) {
        failure ??= broken(`is damaged at ${entry.name}`, error);
        return;
      }
      total += chunk.byteLength;
      if (total > MOST_BYTES) {
        failure ??= broken(`unpacks to more than ${MOST_BYTES / 2 ** 30} GiB`);
        return;
      }
      parts.push(new Uint8Array(chunk));
      if (!final) return;
      open--;
      entries.push({ path: entry.name, file: new File(parts, entry.name.split('/').at(-1)!) });
    };
    entry.start();
  });
  unzipper.register(UnzipInflate);
  const reader = file.stream().getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      unzipper.push(value ?? new Uint8Array(0), done);
      if (failure) throw failure;
      if (done) break;
    }
  } catch (error) {
    throw error instanceof AppError ? error : broken('is not a readable zip archive', error);
  }
  if (open > 0) throw broken('is cut off');
  return entries;
}
