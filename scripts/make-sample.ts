/** `npm run make:sample -- --help` */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import sharp from 'sharp';
import { Rng } from '../src/base/rng';
import { CLASS_NAMES } from '../src/sample/classes';
import { generateImage } from '../src/sample/generate';
import type { ClassName } from '../src/sample/classes';
import { FAR_RANGES, PRODUCTS, RANGES } from '../src/sample/ranges';
import type { ProductName } from '../src/sample/ranges';
import { readFlags, runCommand, toNumber, usage } from './command-line';

const HELP = `Writes procedural images as labelled folders, to measure on. The pictures of another seed than a training's were
never trained on.

npm run make:sample -- --out DIR [options]
  --out DIR        where the folder procedural-usual, procedural-far or procedural-products goes
  --ranges NAME    what images vary in: usual, or far outside of what the SEM encoder learns from (default: usual)
  --each N         images of each class (default: 40)
  --seed N         of the images (default: 1000)
  --side N         of an image in px (default: 240)
  --products       the seven classes of two products are fourteen, all under test/: for classifiers`;

const text = { type: 'string' } as const;
const FLAGS = {
  out: text,
  ranges: { ...text, default: 'usual' },
  each: { ...text, default: '40' },
  seed: { ...text, default: '1000' },
  side: { ...text, default: '240' },
  products: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
} as const;

const RANGES_OF: Readonly<Record<string, typeof RANGES>> = { usual: RANGES, far: FAR_RANGES };

async function write(file: string, grey: Uint8Array, side: number): Promise<void> {
  mkdirSync(dirname(file), { recursive: true });
  const raw = { width: side, height: side, channels: 1 } as const;
  writeFileSync(file, await sharp(grey, { raw }).png().toBuffer());
}

async function main(): Promise<void> {
  const flags = readFlags(FLAGS);
  if (flags.help) {
    console.log(HELP);
    return;
  }
  const out = flags.out ?? usage('--out is missing; --help explains');
  const ranges = RANGES_OF[flags.ranges] ?? usage(`--ranges ${flags.ranges}: usual or far`);
  const [each, seed, side] = [
    toNumber('each', flags.each, 1),
    toNumber('seed', flags.seed, 0),
    toNumber('side', flags.side, 32),
  ];
  const folder = join(out, `procedural-${flags.products ? 'products' : flags.ranges}`);
  const writeClass = async (className: ClassName, product?: ProductName) => {
    const name = product ? `${product} ${className}` : className;
    for (let i = 0; i < each; i++) {
      const rng = new Rng(seed, `sample.${name}.${i}`);
      const { pixels, mask } = generateImage(rng, { width: side, height: side, className, ranges, product });
      const portion = name === 'good' && i % 2 === 0 ? 'train' : 'test';
      const number = String(i).padStart(4, '0');
      await write(join(folder, portion, name, `${number}.png`), pixels, side);
      if (className === 'good') continue;
      const inside = mask.map((value) => 255 * value);
      await write(join(folder, 'ground_truth', name, `${number}_mask.png`), inside, side);
    }
  };
  const products = flags.products ? (Object.keys(PRODUCTS) as ProductName[]) : [undefined];
  for (const product of products) for (const className of CLASS_NAMES) await writeClass(className, product);
  console.log(`${folder}: ${each} images of each of ${products.length * CLASS_NAMES.length} classes`);
}

await runCommand('make:sample', main);
