import type { Rng } from '../../base/rng';
import { resizeFloat } from '../../image/resample';
import type { ClassifierContext } from '../classifier';
import { mirrored } from './mirror';
import type { Viewed } from './view-cache';

/** Least share of the area that a crop keeps. @source methods.md 18.2 */
const LEAST_AREA = 0.7;
/** Largest change of brightness and of contrast. */
const CHANGE = 0.2;
const NOISE = 0.02;

/**
 * Another picture of what an image shows: a square piece of it enlarged, turned over, brighter or darker, of more or
 * less contrast, with noise.
 * @param image [side·side], 0 … 1; not changed
 * @source methods.md 18.2
 */
export function augmented(image: Float32Array, side: number, rng: Rng): Float32Array {
  const size = Math.max(1, Math.round(side * Math.sqrt(rng.between(LEAST_AREA, 1))));
  const [top, left] = [rng.integer(side - size + 1), rng.integer(side - size + 1)];
  const piece = Float32Array.from(
    { length: size * size },
    (_, i) => image[(top + Math.floor(i / size)) * side + left + (i % size)],
  );
  const mirror = { x: rng.uniform() < 0.5, y: rng.uniform() < 0.5 };
  const seen = mirrored(resizeFloat(piece, size, size, side, side, 'bilinear'), side, mirror);
  const mean = seen.reduce((sum, value) => sum + value, 0) / seen.length;
  const [brightness, contrast] = [0, 0].map(() => 1 + rng.between(-CHANGE, CHANGE));
  return seen.map((value) => {
    const changed = brightness * (mean + contrast * (value - mean)) + NOISE * rng.bell();
    return Math.min(Math.max(changed, 0), 1);
  });
}

/** The labelled images that are trained on, as they are and in other views. */
export const augmentedViews = (context: ClassifierContext, views: number): Viewed => ({
  of: 'labelled',
  images: context.labels.trained,
  views: Array.from({ length: views }, (_, v) =>
    v ? (image, index) => augmented(image, context.side, context.rng(`view.${v}.${index}`)) : undefined,
  ),
});
