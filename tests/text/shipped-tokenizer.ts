import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { ClipTokenizer } from '../../src/text/tokenizer';

export const MERGES = readFileSync(
  resolve(import.meta.dirname, '../../public/models/clip-merges.txt'),
  'utf8',
);

export const tokenizer = new ClipTokenizer(MERGES);
