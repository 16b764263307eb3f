/** Brings the parts of README.md that are drawn from the code up to date: `npm run make:docs`. */
import { readFileSync, writeFileSync } from 'node:fs';
import { withMethodTables } from './docs/method-table';

writeFileSync('README.md', withMethodTables(readFileSync('README.md', 'utf8')));
console.log('README.md: tables of methods and classifiers written');
