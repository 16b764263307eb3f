/**
 * Writes procedural images as labelled folders, to measure on: `npm run make:sample -- --out DIR [--ranges usual|far]
 * [--each N] [--seed N] [--side N]`. The pictures of another seed than a training's were never trained on.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import sharp from 'sharp';
import { Rng } from '../src/base/rng';
import { CLASS_NAMES } from '../src/sample/classes';
import { generateImage } from '../src/sample/generate';
import { FAR_RANGES, RANGES } from '../src/sample/ranges';

const { values: flags } = parseArgs({
  options: {
    out: { type: 'string' },
    ranges: { type: 'string', default: 'usual' },
    each: { type: 'string', default: '40' },
    seed: { type: 'string', default: '1000' },
    side: { type: 'string', default: '240' },
  },
});
const ranges = { usual: RANGES, far: FAR_RANGES }[flags.ranges as 'usual' | 'far'] as
  typeof RANGES | undefined;
if (!flags.out || !ranges) throw new Error('--out DIR is needed; --ranges is usual or far');
const side = Number(flags.side);
const folder = join(flags.out, `procedural-${flags.ranges}`);

async function write(path: string, grey: Uint8Array): Promise<void> {
  const file = join(folder, path);
  mkdirSync(dirname(file), { recursive: true });
  const raw = { width: side, height: side, channels: 1 } as const;
  writeFileSync(file, await sharp(grey, { raw }).png().toBuffer());
}

for (const className of CLASS_NAMES)
  for (let i = 0; i < Number(flags.each); i++) {
    const rng = new Rng(Number(flags.seed), `sample.${className}.${i}`);
    const { pixels, mask } = generateImage(rng, { width: side, height: side, className, ranges });
    const trained = className === 'good' && i % 2 === 0;
    await write(`${trained ? 'train' : 'test'}/${className}/${i}.png`, pixels);
    if (className === 'good') continue;
    await write(
      `ground_truth/${className}/${i}_mask.png`,
      mask.map((inside) => 255 * inside),
    );
  }
console.log(`${folder}: ${flags.each} images of each of ${CLASS_NAMES.length} classes`);
