import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect, it } from 'vitest';
import { withMethodTables } from '../../scripts/docs/method-table';

const readme = readFileSync(resolve(import.meta.dirname, '../../README.md'), 'utf8');

it('the method table is the one that the descriptions give', () => {
  expect(withMethodTables(readme)).toBe(readme);
});
