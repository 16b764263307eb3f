/**
 * Writes procedural images as labelled folders, to measure on: `npm run make:sample -- --out DIR [--ranges usual|far]
 * [--each N] [--seed N] [--side N] [--products]`. The pictures of another seed than a training's were never trained on.
 * With --products the seven classes of two products are fourteen, all under test/: for classifiers.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import sharp from 'sharp';
import { Rng } from '../src/base/rng';
import { CLASS_NAMES } from '../src/sample/classes';
import { generateImage } from '../src/sample/generate';
import type { ClassName } from '../src/sample/classes';
import { FAR_RANGES, PRODUCTS, RANGES } from '../src/sample/ranges';
import type { ProductName } from '../src/sample/ranges';

const { values: flags } = parseArgs({
  options: {
    out: { type: 'string' },
    ranges: { type: 'string', default: 'usual' },
    each: { type: 'string', default: '40' },
    seed: { type: 'string', default: '1000' },
    side: { type: 'string', default: '240' },
    products: { type: 'boolean', default: false },
  },
});
const ranges = { usual: RANGES, far: FAR_RANGES }[flags.ranges as 'usual' | 'far'] as
  typeof RANGES | undefined;
if (!flags.out || !ranges) throw new Error('--out DIR is needed; --ranges is usual or far');
const side = Number(flags.side);
const folder = join(flags.out, `procedural-${flags.products ? 'products' : flags.ranges}`);

async function write(path: string, grey: Uint8Array): Promise<void> {
  const file = join(folder, path);
  mkdirSync(dirname(file), { recursive: true });
  const raw = { width: side, height: side, channels: 1 } as const;
  writeFileSync(file, await sharp(grey, { raw }).png().toBuffer());
}

async function writeClass(className: ClassName, product?: ProductName): Promise<void> {
  const name = product ? `${product} ${className}` : className;
  for (let i = 0; i < Number(flags.each); i++) {
    const rng = new Rng(Number(flags.seed), `sample.${name}.${i}`);
    const { pixels, mask } = generateImage(rng, { width: side, height: side, className, ranges, product });
    const trained = name === 'good' && i % 2 === 0;
    await write(`${trained ? 'train' : 'test'}/${name}/${String(i).padStart(4, '0')}.png`, pixels);
    if (className === 'good') continue;
    await write(
      `ground_truth/${name}/${String(i).padStart(4, '0')}_mask.png`,
      mask.map((inside) => 255 * inside),
    );
  }
}

const products = flags.products ? (Object.keys(PRODUCTS) as ProductName[]) : [undefined];
for (const product of products) for (const className of CLASS_NAMES) await writeClass(className, product);
console.log(`${folder}: ${flags.each} images of each of ${products.length * CLASS_NAMES.length} classes`);
