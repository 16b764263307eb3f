import { createHash } from 'node:crypto';
import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { basename, join, relative, resolve } from 'node:path';
import { AppError } from '../../src/base/errors';
import type { ImageId } from '../../src/base/ids';
import { Rng } from '../../src/base/rng';
import { sortPaths } from '../../src/exchange/layout';
import type { Role } from '../../src/exchange/layout';

/** An image file of a data set. */
export interface BenchImage {
  readonly id: ImageId;
  /** From the data set's folder: `test/scratch/003.png`. */
  readonly path: string;
  readonly file: string;
  readonly className: string;
  readonly maskFile: string | undefined;
}

export interface Dataset {
  readonly name: string;
  readonly good: readonly BenchImage[];
  readonly test: readonly BenchImage[];
}

/** Every labelled image of a folder in the MVTec layout. @throws usage */
export function readImages(folder: string): readonly (BenchImage & { readonly role: Role })[] {
  if (!existsSync(folder) || !statSync(folder).isDirectory())
    throw new AppError('usage', `${folder} is no folder`);
  const root = resolve(folder);
  const files = readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(root, join(entry.parentPath, entry.name)))
    .sort();
  const { sets } = sortPaths(files.map((path) => ({ path, file: path })));
  const images = (sets[0]?.images ?? []).filter(({ path }) => /^(train|test)\//.test(path));
  return images.map(({ path, className, mask, role }) => ({
    id: createHash('sha256')
      .update(readFileSync(join(root, path)))
      .digest('hex') as ImageId,
    path,
    file: join(root, path),
    className: className ?? 'unknown',
    maskFile: mask && join(root, mask),
    role,
  }));
}

/** Reads a folder in the MVTec layout. @throws usage */
export function readDataset(folder: string): Dataset {
  const images = readImages(folder);
  const good = images.filter(({ role }) => role === 'good');
  const test = images.filter(({ role }) => role === 'inspect');
  if (!good.length || !test.length)
    throw new AppError('usage', `${folder} has no images in train/good and test/<class>`);
  return { name: basename(resolve(folder)), good, test };
}

/** The good images of a run: all, or some drawn by the seed. @throws usage when there are fewer */
export function drawGood(dataset: Dataset, wanted: number | 'all', seed: number): readonly BenchImage[] {
  if (wanted === 'all') return dataset.good;
  if (wanted > dataset.good.length)
    throw new AppError('usage', `--good ${wanted}: ${dataset.name} has ${dataset.good.length} good images`);
  return new Rng(seed, 'good images').some(dataset.good, wanted);
}
