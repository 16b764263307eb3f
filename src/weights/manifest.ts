import { AppError } from '../base/errors';
import { toHex } from '../base/ids';

/** A file that ships with the app: weights, or the text that a tokenizer is made of. */
export interface ManifestEntry {
  readonly id: string;
  readonly file: string;
  /** What the file is read as. */
  readonly architecture: string;
  /** Of the file's bytes, 64 hexadecimal digits. */
  readonly sha256: string;
  readonly bytes: number;
  readonly licence: string;
  readonly source: string;
}

/** @throws model/format when the text is no manifest */
export function parseManifest(text: string): readonly ManifestEntry[] {
  const fields = ['id', 'file', 'architecture', 'sha256', 'licence', 'source'] as const;
  const isEntry = (value: unknown): value is ManifestEntry =>
    typeof value === 'object' &&
    value !== null &&
    fields.every((field) => typeof (value as Record<string, unknown>)[field] === 'string') &&
    typeof (value as Record<string, unknown>).bytes === 'number';
  const damaged = (cause?: unknown) =>
    new AppError('model/format', 'the list of built-in weights is damaged', {
      hint: 'Reload the page; if it stays, the installation is incomplete.',
      cause,
    });
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    // A server that answers a missing file with its start page, say.
    throw damaged(error);
  }
  if (!Array.isArray(parsed) || !parsed.every(isEntry)) throw damaged();
  return parsed;
}

/** What the hash needs of the host: `crypto.subtle` has it in browsers and in Node. */
export type Sha256 = (bytes: Uint8Array<ArrayBuffer>) => Promise<ArrayBuffer>;

/** @throws model/hash when the bytes are not those of the manifest */
export async function verifyBytes(
  entry: ManifestEntry,
  bytes: Uint8Array<ArrayBuffer>,
  sha256: Sha256,
): Promise<void> {
  const found = toHex(new Uint8Array(await sha256(bytes)));
  if (bytes.byteLength === entry.bytes && found === entry.sha256) return;
  throw new AppError(
    'model/hash',
    `${entry.file} is not the file this app was built with: ${bytes.byteLength} bytes, SHA-256 ${found.slice(0, 12)}…`,
    { hint: 'Reload the page; if it stays, the installation is incomplete or altered.' },
  );
}
