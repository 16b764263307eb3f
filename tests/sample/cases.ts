/** Images whose bytes are pinned. Free of Node, so that a browser can recompute them and compare. */
import { Rng, fnv1a32 } from '../../src/base/rng';
import { CLASS_NAMES } from '../../src/sample/classes';
import { generateImage } from '../../src/sample/generate';
import type { GenerateOptions } from '../../src/sample/generate';
import { LAYOUT_NAMES } from '../../src/sample/layout';
import { FAR_RANGES } from '../../src/sample/ranges';
import { sampleSet } from '../../src/sample/set';

/** Not square, so that rows mistaken for columns change the bytes. */
const SIZE = { width: 128, height: 104 };

export const CASES: Readonly<Record<string, GenerateOptions>> = Object.fromEntries([
  ...LAYOUT_NAMES.flatMap((layout) =>
    CLASS_NAMES.map((className) => [`${layout}, ${className}`, { ...SIZE, className, layout }]),
  ),
  ...CLASS_NAMES.flatMap((className) => [
    [`far, ${className}`, { ...SIZE, className, ranges: FAR_RANGES }],
    [`logic, ${className}`, { ...SIZE, className, product: 'logic', dataBar: true }],
    [`memory, ${className}`, { ...SIZE, className, product: 'memory' }],
  ]),
]) as Record<string, GenerateOptions>;

/** FNV-1a, 32 bits, of some byte arrays one after the other, in hexadecimal. */
export function fingerprint(...arrays: readonly Uint8Array[]): string {
  let hash = 0x811c9dc5;
  for (const bytes of arrays) for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193);
  return (hash >>> 0).toString(16).padStart(8, '0');
}

/** The fingerprint of every case and of the one-click sample. */
export function caseFingerprints(): Record<string, string> {
  const prints = Object.entries(CASES).map(([name, options]) => {
    const { pixels, mask } = generateImage(new Rng(fnv1a32(name), 'case'), options);
    return [name, fingerprint(pixels, mask)];
  });
  const sample = sampleSet(1).map((image) => image.pixels);
  return Object.fromEntries([...prints, ['sample set', fingerprint(...sample)]]) as Record<string, string>;
}
