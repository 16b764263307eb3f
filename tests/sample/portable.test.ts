import { readFileSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';

const folder = resolve(import.meta.dirname, '../../src/sample');
const sources = readdirSync(folder, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile())
  .map((entry) => join(entry.parentPath, entry.name));

/** Functions whose result IEEE 754 and ECMAScript fix to the last bit. */
const EXACT = new Set(['abs', 'ceil', 'floor', 'imul', 'max', 'min', 'sqrt', 'trunc']);

/** Every use of something whose last bit an engine may choose. */
function inexact(source: string): string[] {
  const code = source.replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '');
  const functions = [...code.matchAll(/Math\.(\w+)/g)]
    .map((match) => match[1])
    .filter((name) => !EXACT.has(name));
  const others = [...code.matchAll(/\*\*|\.normal\(|\.sort\(|toSorted|Math\s*[[;,)]|Date\b|performance\b/g)];
  return [...functions, ...others.map((match) => match[0])];
}

describe('portable arithmetic', () => {
  it('finds what it looks for', () => {
    expect(inexact('/** Math.exp */ Math.exp(x) + 2 ** x + rng.normal() + Math.floor(y)')).toEqual([
      'exp',
      '**',
      '.normal(',
    ]);
  });

  it.each(sources)('%s uses exact functions only', (path) => {
    expect(inexact(readFileSync(path, 'utf8'))).toEqual([]);
  });
});
