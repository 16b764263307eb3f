/** `npm run make:validation -- --help` */
import { mkdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import sharp from 'sharp';
import { Rng } from '../src/base/rng';
import { withDefect } from '../src/methods/kit/synthetic-defects';
import { readDataset } from './bench/dataset';
import type { Dataset } from './bench/dataset';
import { readFlags, runCommand, toNumber, usage } from './command-line';

const SHARE = 0.25;
/** Defective images of each held-out one. */
const VARIANTS = 2;

const HELP = `Makes data to choose defaults on without looking at a test image. A quarter of each set's good images is held out as
test/good, and once more with synthetic defects pasted on as test/synthetic; the rest is train/good.

npm run make:validation -- --data DIR[,DIR...] --out DIR [--seed N]`;

const text = { type: 'string' } as const;
const FLAGS = {
  data: text,
  out: text,
  seed: { ...text, default: '0' },
  help: { type: 'boolean', default: false },
} as const;

interface Grey {
  readonly values: Float32Array;
  readonly side: number;
}

/** The largest square from the upper left corner, 0 … 1. */
async function readGrey(file: string): Promise<Grey> {
  const image = sharp(readFileSync(file)).greyscale();
  const { width, height } = await image.metadata();
  const side = Math.min(width, height);
  const bytes = await image.extract({ left: 0, top: 0, width: side, height: side }).raw().toBuffer();
  return { values: Float32Array.from(bytes, (value) => value / 255), side };
}

async function writeGrey(path: string, { values, side }: Grey): Promise<void> {
  mkdirSync(dirname(path), { recursive: true });
  const raw = { width: side, height: side, channels: 1 } as const;
  await sharp(Buffer.from(Uint8Array.from(values, (value) => Math.round(value * 255))), { raw })
    .png()
    .toFile(path);
}

/** Writes the validation data of one set. */
async function split({ name, good }: Dataset, folder: string, seed: number): Promise<void> {
  const rng = new Rng(seed, `validation.${name}`);
  const images = await Promise.all(good.map(({ file }) => readGrey(file)));
  const order = rng.permutation(images.length);
  const held = Math.round(SHARE * images.length);
  const out = (path: string) => join(folder, `${name}-validation`, path);
  for (const [i, at] of order.entries()) {
    const image = images[at];
    if (i >= held) {
      await writeGrey(out(`train/good/${i}.png`), image);
      continue;
    }
    await writeGrey(out(`test/good/${i}.png`), image);
    for (let variant = 0; variant < VARIANTS; variant++) {
      const donor = images[rng.integer(images.length)];
      const { image: values, mask } = withDefect(image.values, donor.values, image.side, rng);
      await writeGrey(out(`test/synthetic/${i}.${variant}.png`), { values, side: image.side });
      await writeGrey(out(`ground_truth/synthetic/${i}.${variant}_mask.png`), {
        values: mask,
        side: image.side,
      });
    }
  }
  console.log(
    `${out('')}: ${images.length - held} to fit on, ${held} good and ${VARIANTS * held} defective to inspect`,
  );
}

async function main(): Promise<void> {
  const flags = readFlags(FLAGS);
  if (flags.help) {
    console.log(HELP);
    return;
  }
  const data = flags.data ?? usage('--data is missing; --help explains');
  const out = flags.out ?? usage('--out is missing; --help explains');
  const seed = toNumber('seed', flags.seed, 0);
  for (const set of data.split(',').map(readDataset)) await split(set, out, seed);
}

await runCommand('make:validation', main);
