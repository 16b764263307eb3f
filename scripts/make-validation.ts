/**
 * Makes data to choose defaults on without looking at a test image: `npm run make:validation -- --data DIR[,DIR...]
 * --out DIR`. A quarter of each set's good images is held out as `test/good`, and once more with synthetic defects
 * pasted on as `test/synthetic`; the rest is `train/good`.
 */
import { mkdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import sharp from 'sharp';
import { Rng } from '../src/base/rng';
import { withDefect } from '../src/methods/kit/synthetic-defects';
import { readDataset } from './bench/dataset';

const SHARE = 0.25;
/** Defective images of each held-out one. */
const VARIANTS = 2;

const { values: flags } = parseArgs({
  options: { data: { type: 'string' }, out: { type: 'string' }, seed: { type: 'string', default: '0' } },
});
if (!flags.data || !flags.out) throw new Error('--data DIR[,DIR...] and --out DIR are needed');

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

for (const folder of flags.data.split(',')) {
  const { name, good } = readDataset(folder);
  const rng = new Rng(Number(flags.seed), `validation.${name}`);
  const images = await Promise.all(good.map(({ file }) => readGrey(file)));
  const order = rng.permutation(images.length);
  const held = Math.round(SHARE * images.length);
  const out = (path: string) => join(flags.out!, `${name}-validation`, path);
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
