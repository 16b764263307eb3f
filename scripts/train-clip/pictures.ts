import { Rng } from '../../src/base/rng';
import { CLASS_NAMES } from '../../src/sample/classes';
import { resize8, resizeNearest } from '../../src/image/resample';
import { generateImage } from '../../src/sample/generate';
import type { GeneratedImage } from '../../src/sample/generate';
import { RANGES } from '../../src/sample/ranges';
import type { Ranges } from '../../src/sample/ranges';
import { CLOSE_RANGES, WIDE_RANGES } from './ranges';

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
  readonly sources: readonly PictureSource[];
}

/** Where pictures of a round come from. */
export interface PictureSource {
  readonly ranges: Ranges;
  /** Whether they are drawn at many sides and brought to the one that is wanted. */
  readonly rescaled?: boolean;
}

/** Side of a picture as drawn over the side that is wanted: dropped images rarely have the encoder's own. */
const SCALES = { least: 0.4, most: 1.4 } as const;
/** Smaller pictures offer no room for some defects. */
const LEAST_SIDE = 64;

/** What training sees by turns: the usual ranges, wide ones as from images of any size, and views from close by. */
export const trainingPictures = (side: number, seed: number): PictureSet => ({
  name: 'training',
  side,
  seed,
  sources: [{ ranges: RANGES }, { ranges: WIDE_RANGES, rescaled: true }, { ranges: CLOSE_RANGES }],
});

/** Class of an image, whatever the set. */
export const classOf = (index: number): number => PATTERN[index % PATTERN.length];

export function pictureOf({ name, side, seed, sources }: PictureSet, index: number): GeneratedImage {
  const rng = new Rng(seed, `${name}.${side}.${index}`);
  const { ranges, rescaled } = sources[Math.floor(index / PATTERN.length) % sources.length];
  const drawn = rescaled ? drawnSide(rng.fork('scale'), side) : side;
  const picture = generateImage(rng.fork('picture'), {
    width: drawn,
    height: drawn,
    className: CLASS_NAMES[classOf(index)],
    ranges,
    dataBar: rng.uniform() < BARS,
  });
  return drawn === side ? picture : broughtTo(picture, side);
}

function drawnSide(rng: Rng, side: number): number {
  const { least, most } = SCALES;
  return Math.max(Math.round(side * least * (most / least) ** rng.uniform()), LEAST_SIDE);
}

/** As the app brings a dropped image and its mask to the side of the encoder. */
function broughtTo(picture: GeneratedImage, side: number): GeneratedImage {
  const { width, height, pixels, mask } = picture;
  return {
    ...picture,
    width: side,
    height: side,
    pixels: resize8(pixels, width, height, side, side, 'bicubic'),
    mask: resizeNearest(mask, width, height, side, side),
  };
}
