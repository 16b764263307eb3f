import type { Rng } from '../../base/rng';
import { floats } from '../../base/tensor';
import type { Value } from '../../graph/value';
import type { FitContext, FitProgress, FitSize, FitWorld, Inputs, Portion, View } from '../contract';
import type { FlagSpec } from '../options';
import { FeatureStore } from './feature-cache';
import { mirrorView, mirrorsOf } from './mirror';

/** What is embedded. */
export interface Viewed {
  readonly of: Portion;
  /** Indices of the images that are kept, ascending. */
  readonly images: readonly number[];
  /** How they are seen; undefined is as they are. */
  readonly views: readonly (View | undefined)[];
}

/** Frozen features of images in several views. */
export class ViewCache {
  readonly #place: ReadonlyMap<number, number>;

  /**
   * @param store view after view the vectors of all images
   * @param images index of each in its portion
   */
  constructor(
    readonly store: FeatureStore,
    images: readonly number[],
    private readonly views: number,
  ) {
    this.#place = new Map(images.map((image, i) => [image, i]));
  }

  /** Where an image's view is kept. @param image index in its portion */
  at(image: number, view: number): number {
    return view * this.#place.size + this.#place.get(image)!;
  }

  /** Where some images are kept, each in a view drawn for it. */
  drawn(images: ArrayLike<number>, rng: Rng): number[] {
    return Array.from(images, (image) => this.at(image, rng.integer(this.views)));
  }
}

/**
 * Embeds images in several views and keeps those that are wanted.
 * @param build from features to [B,…]
 * @param width values of one image
 */
export async function* cacheViews(
  context: FitWorld,
  build: (inputs: Inputs) => Value,
  width: number,
  { of, images, views: wanted }: Viewed,
): AsyncGenerator<FitProgress, ViewCache> {
  // What a step costs doesn't depend on how many pictures there are.
  const views = context.trial ? wanted.slice(0, 1) : wanted;
  const kept = new Set(images);
  const all = context.count(of);
  const store = new FeatureStore(context.checkpoint, 'views', width, kept.size * views.length);
  for (const [v, view] of views.entries())
    for await (const { first, count, values } of context.embed(`view.${v}`, build, of, view)) {
      const found = floats(values);
      for (let i = 0; i < count; i++)
        if (kept.has(first + i)) await store.add(found.slice(i * width, (i + 1) * width));
      yield { phase: 'features', done: v * all + first + count, total: views.length * all, unit: 'images' };
    }
  return new ViewCache(store, images, views.length);
}

export const MIRRORS_OPTION: FlagSpec = {
  kind: 'flag',
  default: true,
  label: 'Mirrored images',
  help: 'Learns from each good image mirrored as well: left and right, up and down, and both. Off where a mirrored pattern would be a defect.',
};

/** Good images, and each mirrored: what goes through the backbone. */
export const mirroredPictures = ({ goodImages }: FitSize, { flips }: { readonly flips: boolean }): number =>
  goodImages * mirrorsOf(flips).length;

/** The good images of a detector's fit as they are, so that an image's index is its place, and mirrored if `flips`. */
export const cacheMirrored = (
  context: FitContext,
  build: (inputs: Inputs) => Value,
  width: number,
  flips: boolean,
): AsyncGenerator<FitProgress, ViewCache> =>
  cacheViews(context, build, width, {
    of: 'good',
    images: Array.from({ length: context.goodImages }, (_, i) => i),
    views: mirrorsOf(flips).map((mirror) => mirrorView(context.side, mirror)),
  });
