import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it, vi } from 'vitest';
import { ship } from '../../scripts/models-manifest';
import { parseManifest } from '../../src/weights/manifest';

const folder = mkdtempSync(join(tmpdir(), 'models-'));
afterAll(() => rmSync(folder, { recursive: true }));

it('a model takes the place of the one of its id, and leaves the others', () => {
  vi.spyOn(console, 'log').mockReturnValue(undefined);
  const about = (id: string) => ({ id, file: `${id}.bin`, architecture: 'a', licence: 'MIT', source: 's' });
  ship(folder, Uint8Array.of(1), about('first'));
  ship(folder, Uint8Array.of(2, 2), about('second'));
  ship(folder, Uint8Array.of(3, 3, 3), about('first'));
  const entries = parseManifest(readFileSync(join(folder, 'manifest.json'), 'utf8'));
  expect(entries.map(({ id, bytes }) => [id, bytes])).toEqual([
    ['first', 3],
    ['second', 2],
  ]);
  expect(entries[0].sha256).toMatch(/^[0-9a-f]{64}$/);
  expect([...readFileSync(join(folder, 'first.bin'))]).toEqual([3, 3, 3]);
});
