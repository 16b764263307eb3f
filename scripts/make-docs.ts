/** Brings the parts of README.md that are drawn from the code up to date: `npm run make:docs`. */
import { readFileSync, writeFileSync } from 'node:fs';
import { withMethodTable } from './docs/method-table';

writeFileSync('README.md', withMethodTable(readFileSync('README.md', 'utf8')));
console.log('README.md: method table written');
