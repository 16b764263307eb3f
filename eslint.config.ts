import { dirname, relative, resolve } from 'node:path';
import type { Rule } from 'eslint';
import svelte from 'eslint-plugin-svelte';
import globals from 'globals';
import tseslint from 'typescript-eslint';
import { forbidden } from './tests/meta/floors';

const root = import.meta.dirname;

/** The arrows of the house: see tests/meta/floors.ts. */
const floors: Rule.RuleModule = {
  meta: { type: 'problem', schema: [] },
  create(context) {
    const from = relative(root, context.filename);
    const check = (node: Rule.Node, specifier: unknown) => {
      if (typeof specifier !== 'string') return;
      const to = specifier.startsWith('.')
        ? relative(root, resolve(dirname(context.filename), specifier.split('?')[0]))
        : specifier;
      const reason = forbidden(from, to);
      if (reason) context.report({ node, message: `${from} -> ${to}: ${reason}` });
    };
    const declaration = (node: Rule.Node) => {
      const { importKind, exportKind, specifiers, source } = node as unknown as {
        importKind?: string;
        exportKind?: string;
        specifiers?: { importKind?: string; exportKind?: string }[];
        source?: { value: unknown } | null;
      };
      if (!source || importKind === 'type' || exportKind === 'type') return;
      if (specifiers?.length && specifiers.every((s) => (s.importKind ?? s.exportKind) === 'type')) return;
      check(node, source.value);
    };
    return {
      ImportDeclaration: declaration,
      ExportNamedDeclaration: declaration,
      ExportAllDeclaration: declaration,
      ImportExpression: (node) => check(node, (node.source as { value?: unknown }).value),
    };
  },
};

export default tseslint.config(
  { ignores: ['dist', '.cache', 'node_modules', 'public', 'types'] },
  ...tseslint.configs.recommendedTypeChecked,
  ...svelte.configs.recommended,
  {
    languageOptions: {
      globals: { ...globals.browser, ...globals.node, ...globals.worker },
      parserOptions: { projectService: true, tsconfigRootDir: root, extraFileExtensions: ['.svelte'] },
    },
    plugins: { darkfield: { rules: { floors } } },
    rules: {
      'darkfield/floors': 'error',
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/ban-ts-comment': ['error', { 'ts-ignore': true, 'ts-expect-error': true }],
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true },
      ],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      '@typescript-eslint/require-await': 'off',
      'no-empty': ['error', { allowEmptyCatch: false }],
      'max-lines': ['error', { max: 400 }],
      eqeqeq: 'error',
      'prefer-const': 'error',
      'no-console': 'error',
    },
  },
  {
    files: ['**/*.svelte', '**/*.svelte.ts'],
    languageOptions: { parserOptions: { parser: tseslint.parser } },
    rules: {
      // Runes are declared with let; svelte-check sees the types of markup, which this parser calls any.
      'prefer-const': 'off',
      // Maps and sets that live within a function need no reactivity.
      'svelte/prefer-svelte-reactivity': 'off',
      'svelte/prefer-const': ['error', { excludedRunes: ['$props', '$derived', '$state', '$bindable'] }],
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
    },
  },
  { files: ['scripts/**', 'tests/**', '*.config.ts'], rules: { 'no-console': 'off' } },
  { files: ['**/*.mjs', '**/*.js'], extends: [tseslint.configs.disableTypeChecked] },
);
