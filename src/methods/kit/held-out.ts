import type { FitWorld } from '../contract';

/** Share of the good images that a trained method does not train on. */
const SHARE = 0.2;
/** Below this, every image is needed for training. */
const LEAST = 4;

/** Good images by their part in a fit, ascending indices. */
export interface GoodSplit {
  readonly trained: Int32Array;
  /** They tell when to stop and where the threshold lies; none where images are few. */
  readonly heldOut: Int32Array;
}

/**
 * Sets a fifth of the good images aside, drawn by the fit's seed.
 * @param context the fit's named streams: the same seed gives the same split, in the fit and in its calibration
 */
export function splitGood(count: number, context: Pick<FitWorld, 'rng'>): GoodSplit {
  const held = count < LEAST ? 0 : Math.max(1, Math.round(count * SHARE));
  const order = context.rng('held out').permutation(count);
  return { trained: order.slice(held).sort(), heldOut: order.slice(0, held).sort() };
}

/**
 * Sets labelled images aside, class by class, drawn by the fit's seed: the same seed gives the same parts.
 * @param least images a class must have for any to be set aside
 * @param parts how many; each image of a class that has enough is in exactly one
 * @returns indices of each part, ascending; empty ones are left out
 */
export function classParts(
  classOf: readonly number[],
  { rng }: Pick<FitWorld, 'rng'>,
  least: number,
  parts: number,
): Int32Array[] {
  const found = Array.from({ length: parts }, (): number[] => []);
  // Classes take turns in where they begin, so that parts are even where classes have few images.
  let turn = 0;
  for (const own of new Set(classOf)) {
    const images = classOf.flatMap((of, index) => (of === own ? [index] : []));
    if (images.length < least) continue;
    for (const at of rng(`held out.${own}`).permutation(images.length))
      found[turn++ % parts].push(images[at]);
  }
  return found.filter(({ length }) => length).map((part) => Int32Array.from(part).sort());
}
