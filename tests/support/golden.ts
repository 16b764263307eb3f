/**
 * The golden files: numbers from reference implementations, outside the project. `GOLDEN_DIR` names the folder
 * (default `../shared/golden`, with `DATA_DIR`, `MODELS_DIR` and `PROTOTYPE_DIR` beside it); where it is absent the tests skip and say so.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, it } from 'vitest';
import type { TensorData } from '../../src/base/tensor';
import { bytesAsSource } from '../../src/weights/byte-source';
import { Safetensors } from '../../src/weights/safetensors';

const root = resolve(import.meta.dirname, '../..');
export const GOLDEN_DIR = resolve(root, process.env.GOLDEN_DIR ?? '../shared/golden');
export const DATA_DIR = resolve(root, process.env.DATA_DIR ?? '../shared/data');
export const MODELS_DIR = resolve(root, process.env.MODELS_DIR ?? '../shared/models');
export const PROTOTYPE_DIR = resolve(root, process.env.PROTOTYPE_DIR ?? '../shared/prototype');

/** A `describe` that runs when every path exists and says which is missing when it doesn't. */
export function describeWith(paths: readonly string[], title: string, body: () => void): void {
  const missing = paths.filter((path) => !existsSync(path));
  if (missing.length) {
    console.log(`skipped: ${title} (absent: ${missing.join(', ')})`);
    // The body reads the files as it is collected, so it may not run.
    describe.skip(title, () => void it('needs the files named above', () => undefined));
  } else describe(title, body);
}

/** `describeWith` for files of the golden folder. */
export const describeGolden = (files: readonly string[], title: string, body: () => void): void =>
  describeWith(
    files.map((file) => join(GOLDEN_DIR, file)),
    title,
    body,
  );

export const goldenJson = <T>(file: string): T =>
  JSON.parse(readFileSync(join(GOLDEN_DIR, file), 'utf8')) as T;

/** All tensors of a golden `.safetensors` file by name. */
export const goldenTensors = (file: string): Promise<Record<string, TensorData>> =>
  readTensors(join(GOLDEN_DIR, file));

export async function readTensors(path: string): Promise<Record<string, TensorData>> {
  const file = await Safetensors.open(bytesAsSource(readFileSync(path)));
  const tensors: Record<string, TensorData> = {};
  for (const name of file.tensors.keys()) tensors[name] = await file.read(name);
  return tensors;
}

/** A long array as the golden files give it. */
export interface Digest {
  readonly shape: readonly number[];
  readonly mean: number;
  readonly std: number;
  readonly absmax: number;
  readonly values: readonly number[];
}

/** The flat positions whose elements a digest lists. */
export function digestPositions(length: number, count: number): number[] {
  if (length <= count) return Array.from({ length }, (_, i) => i);
  return Array.from({ length: count }, (_, i) => Number((BigInt(i) * 2654435761n) % 4294967296n) % length);
}

/** Largest error of an array against its digest, relative to the digest's largest absolute value. */
export function digestError(data: ArrayLike<number>, digest: Digest): number {
  const positions = digestPositions(data.length, digest.values.length);
  let sum = 0;
  let squares = 0;
  let absmax = 0;
  for (let i = 0; i < data.length; i++) {
    sum += data[i];
    squares += data[i] * data[i];
    absmax = Math.max(absmax, Math.abs(data[i]));
  }
  const mean = sum / data.length;
  const errors = positions.map((position, i) => Math.abs(data[position] - digest.values[i]));
  errors.push(
    Math.abs(mean - digest.mean),
    Math.abs(Math.sqrt(Math.max(squares / data.length - mean * mean, 0)) - digest.std),
    Math.abs(absmax - digest.absmax),
  );
  return Math.max(...errors) / Math.max(digest.absmax, Number.MIN_VALUE);
}

/** Largest absolute difference of two arrays, relative to the largest absolute value of the second. */
export function relativeError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (actual.length !== expected.length) return Infinity;
  let worst = 0;
  let scale = 0;
  for (let i = 0; i < expected.length; i++) {
    // NaN must not slip through a comparison.
    const error = Math.abs(actual[i] - expected[i]);
    if (!(error <= worst)) worst = error;
    scale = Math.max(scale, Math.abs(expected[i]));
  }
  return worst / (scale || 1);
}
