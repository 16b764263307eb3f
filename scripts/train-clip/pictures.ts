import { Rng } from '../../src/base/rng';
import { CLASS_NAMES } from '../../src/sample/classes';
import { generateImage } from '../../src/sample/generate';
import type { GeneratedImage } from '../../src/sample/generate';
import { RANGES } from '../../src/sample/ranges';
import type { Ranges } from '../../src/sample/ranges';
import { WIDE_RANGES } from './ranges';

export const NORMAL = CLASS_NAMES.indexOf('good');

/** Classes of successive images, over and over: the good ones, which have most to show, come twice. */
export const PATTERN: readonly number[] = [...CLASS_NAMES.keys(), NORMAL];

/** Share of pictures with an instrument's line of text, which is no defect. */
const BARS = 0.1;

/** A row of procedural images, any of which can be drawn by itself. */
export interface PictureSet {
  readonly name: string;
  readonly side: number;
  readonly seed: number;
  /** What successive rounds of `PATTERN` are drawn from, in turn. */
  readonly ranges: readonly Ranges[];
}

/** What training sees: the usual ranges and wide ones by turns. */
export const trainingPictures = (side: number, seed: number): PictureSet => ({
  name: 'training',
  side,
  seed,
  ranges: [RANGES, WIDE_RANGES],
});

/** Class of an image, whatever the set. */
export const classOf = (index: number): number => PATTERN[index % PATTERN.length];

export function pictureOf({ name, side, seed, ranges }: PictureSet, index: number): GeneratedImage {
  const rng = new Rng(seed, `${name}.${side}.${index}`);
  return generateImage(rng.fork('picture'), {
    width: side,
    height: side,
    className: CLASS_NAMES[classOf(index)],
    ranges: ranges[Math.floor(index / PATTERN.length) % ranges.length],
    dataBar: rng.uniform() < BARS,
  });
}
