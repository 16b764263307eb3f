import type { Rng } from '../../base/rng';
import { floats } from '../../base/tensor';
import type { Value } from '../../graph/value';
import { resizeFloat } from '../../image/resample';
import type { ClassifierContext } from '../classifier';
import type { FitProgress, Inputs, View } from '../contract';
import { FeatureStore, fitsInMemory } from './feature-cache';
import { mirrored } from './mirror';

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

/** Frozen features of the trained images in several views. */
export interface ViewCache {
  readonly store: FeatureStore;
  readonly views: number;
  /** Where an image's view is kept. @param image index among the labelled ones */
  readonly at: (image: number, view: number) => number;
}

/**
 * Embeds the labelled images as they are and in other views of them, and keeps those that are trained on.
 * @param build from features to [B,…]
 * @param width values of one image
 */
export async function* cacheViews(
  context: ClassifierContext,
  build: (inputs: Inputs) => Value,
  width: number,
  wanted: number,
): AsyncGenerator<FitProgress, ViewCache> {
  const { trained } = context.labels;
  // What a step costs doesn't depend on how many pictures there are.
  const views = context.trial ? 1 : wanted;
  const place = new Map(trained.map((image, i) => [image, i]));
  const store = new FeatureStore(
    context.checkpoint,
    'views',
    width,
    fitsInMemory(trained.length * views, width),
  );
  const images = context.count('labelled');
  for (let v = 0; v < views; v++) {
    const view: View | undefined = v
      ? (image, index) => augmented(image, context.side, context.rng(`view.${v}.${index}`))
      : undefined;
    for await (const { first, count, values } of context.embed(`view.${v}`, build, 'labelled', view)) {
      const found = floats(values);
      for (let i = 0; i < count; i++)
        if (place.has(first + i)) await store.add(found.slice(i * width, (i + 1) * width));
      yield { phase: 'features', done: v * images + first + count, total: views * images, unit: 'images' };
    }
  }
  return { store, views, at: (image, view) => view * trained.length + place.get(image)! };
}
