import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { forbidden } from './floors';

const root = resolve(import.meta.dirname, '../..');
const sources = ['src', 'workers'].flatMap((folder) =>
  readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.(ts|svelte)$/.test(entry.name))
    .map((entry) => relative(root, join(entry.parentPath, entry.name))),
);

/** Value imports of a file: `import type` and type-only clauses leave no trace at run time. */
function valueImports(path: string): string[] {
  const text = readFileSync(join(root, path), 'utf8');
  const found: string[] = [];
  for (const match of text.matchAll(
    /(?:^|\n)\s*(import|export)\s+(?!type\b)([^;'"]*?)\s*(?:from\s*)?['"]([^'"]+)['"]|import\(\s*['"]([^'"]+)['"]\s*\)/g,
  )) {
    const [, keyword, clause = '', specifier, dynamic] = match;
    if (keyword === 'export' && !/from|\*|\{/.test(clause)) continue;
    const names = /^\{([^}]*)\}$/.exec(clause.replace(/\s*from\s*$/, '').trim())?.[1];
    const onlyTypes = names?.split(',').every((name) => !name.trim() || name.trim().startsWith('type '));
    if (!onlyTypes) found.push(dynamic ?? specifier);
  }
  return found.map((specifier) =>
    specifier.startsWith('.')
      ? relative(root, resolve(root, dirname(path), specifier.split('?')[0]))
      : specifier,
  );
}

describe('floors', () => {
  it('every value import goes down', () => {
    const wrong = sources.flatMap((path) =>
      valueImports(path)
        .map((target) => ({ target, reason: forbidden(path, target) }))
        .filter(({ reason }) => reason)
        .map(({ target, reason }) => `${path} -> ${target}: ${reason}`),
    );
    expect(wrong).toEqual([]);
  });

  it('names the offending arrow', () => {
    expect(forbidden('src/graph/builder.ts', 'src/nn/layers')).toBe(
      'graph (floor 1) imports up from nn (floor 2)',
    );
    expect(forbidden('src/metrics/auroc.ts', 'src/review/regions')).toMatch(/siblings on floor 1/);
    expect(forbidden('src/app/state/a.svelte.ts', 'src/methods/registry')).toMatch(/worker boundary/);
    expect(forbidden('src/engine/fit.ts', 'onnxruntime-web')).toMatch(/only src\/runtime/);
    expect(forbidden('src/engine/fit.ts', 'src/runtime/queue')).toBeUndefined();
  });

  it('files keep their length', () => {
    const limit = (path: string) => (path.startsWith('workers/') ? 60 : path.endsWith('.svelte') ? 250 : 400);
    const long = sources
      .map((path) => ({ path, lines: readFileSync(join(root, path), 'utf8').trimEnd().split('\n').length }))
      .filter(({ path, lines }) => lines > limit(path))
      .map(({ path, lines }) => `${path}: ${lines} lines, at most ${limit(path)}`);
    expect(long).toEqual([]);
  });

  it('file names are kebab-case, components PascalCase, and say what they hold', () => {
    const vague = /(^|-)(utils?|helpers?|managers?|services?|data|info)\./;
    const wrong = sources.filter((path) => {
      const name = path.split('/').at(-1)!;
      const shape = name.endsWith('.svelte')
        ? /^[A-Z][A-Za-z0-9]*\.svelte$/
        : /^[a-z0-9]+(-[a-z0-9]+)*(\.(svelte|worker|d))?\.ts$/;
      return !shape.test(name) || vague.test(name);
    });
    expect(wrong).toEqual([]);
  });
});
