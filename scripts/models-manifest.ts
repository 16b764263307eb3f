import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseManifest } from '../src/weights/manifest';
import type { ManifestEntry } from '../src/weights/manifest';

/** Writes a file among the shipped models, and into their manifest in place of one of the same id. */
export function ship(
  folder: string,
  bytes: Uint8Array,
  about: Omit<ManifestEntry, 'sha256' | 'bytes'>,
): void {
  const { id, file, architecture, licence, source } = about;
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, file), bytes);
  console.log(`${resolve(folder, file)}: ${bytes.byteLength} bytes`);
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  const entry = { id, file, architecture, sha256, bytes: bytes.byteLength, licence, source };
  const path = join(folder, 'manifest.json');
  const known = existsSync(path) ? parseManifest(readFileSync(path, 'utf8')) : [];
  const at = known.findIndex((other) => other.id === id);
  const entries = at < 0 ? [...known, entry] : known.with(at, entry);
  writeFileSync(path, `${JSON.stringify(entries, null, 2)}\n`);
}
