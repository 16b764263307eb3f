import { createHash } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseManifest, verifyBytes } from '../../src/weights/manifest';
import type { ManifestEntry, Sha256 } from '../../src/weights/manifest';

const MODELS = resolve(import.meta.dirname, '../../public/models');

const subtle: Sha256 = (bytes) => crypto.subtle.digest('SHA-256', bytes);

const ENTRY: ManifestEntry = {
  id: 'abc',
  file: 'abc.safetensors',
  architecture: 'resnet18',
  // FIPS 180-2, appendix B.1
  sha256: 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
  bytes: 3,
  licence: 'MIT',
  source: 'a test',
};

const ABC = new TextEncoder().encode('abc');

describe('parseManifest', () => {
  const damaged = expect.objectContaining({
    code: 'model/format',
    message: 'the list of built-in weights is damaged',
    hint: 'Reload the page; if it stays, the installation is incomplete.',
  }) as Error;

  it('gives the entries of a list', () => {
    expect(parseManifest(JSON.stringify([ENTRY, { ...ENTRY, id: 'b' }]))).toEqual([
      ENTRY,
      { ...ENTRY, id: 'b' },
    ]);
    expect(parseManifest('[]')).toEqual([]);
  });

  it.each(['{}', 'null', '"text"', '[null]', '[1]', JSON.stringify(ENTRY)])('refuses %s', (text) => {
    expect(() => parseManifest(text)).toThrow(damaged);
  });

  it.each(Object.keys(ENTRY))('refuses an entry without %s, or with another type of it', (field) => {
    for (const value of [undefined, null, [], field === 'bytes' ? '3' : 3])
      expect(() => parseManifest(JSON.stringify([ENTRY, { ...ENTRY, [field]: value }]))).toThrow(damaged);
  });

  it('refuses what is no JSON', () => {
    expect(() => parseManifest('<!doctype html>')).toThrow(damaged);
  });
});

describe('verifyBytes', () => {
  it('accepts the bytes of the manifest', async () => {
    await expect(verifyBytes(ENTRY, ABC, subtle)).resolves.toBeUndefined();
  });

  it.each<[string, Uint8Array<ArrayBuffer>, string]>([
    ['one bit changed', Uint8Array.of(0x61, 0x62, 0x62), '3 bytes'],
    ['cut off', ABC.slice(0, 2), '2 bytes'],
    ['with a byte more', Uint8Array.of(...ABC, 0), '4 bytes'],
  ])('refuses them %s', async (_, bytes, size) => {
    const digits = createHash('sha256').update(bytes).digest('hex').slice(0, 12);
    await expect(verifyBytes(ENTRY, bytes, subtle)).rejects.toMatchObject({
      code: 'model/hash',
      message: `abc.safetensors is not the file this app was built with: ${size}, SHA-256 ${digits}…`,
      hint: 'Reload the page; if it stays, the installation is incomplete or altered.',
    });
  });

  it('refuses the right hash beside the wrong size', async () => {
    await expect(verifyBytes({ ...ENTRY, bytes: 4 }, ABC, subtle)).rejects.toMatchObject({
      code: 'model/hash',
    });
  });
});

describe('the models that ship with the app', () => {
  const manifest = parseManifest(readFileSync(join(MODELS, 'manifest.json'), 'utf8'));

  it.each(manifest.map((entry) => [entry.file, entry] as const))(
    '%s has its hash and size',
    async (file, entry) => {
      await expect(
        verifyBytes(entry, new Uint8Array(readFileSync(join(MODELS, file))), subtle),
      ).resolves.toBeUndefined();
    },
  );

  it('are all in the manifest, each once', () => {
    const files = readdirSync(MODELS).filter((file) => !/^(LICENSE-|MODEL-CARD-|manifest\.json$)/.test(file));
    expect(manifest.map(({ file }) => file).sort()).toEqual(files.sort());
    expect(new Set(manifest.map(({ id }) => id)).size).toBe(manifest.length);
  });

  it('come with the text of their licence', () => {
    const files = readdirSync(MODELS);
    for (const { licence } of manifest) {
      const [, text] = /\(([^)]+)\)/.exec(licence) ?? [];
      if (text) expect(files).toContain(text);
    }
  });
});
