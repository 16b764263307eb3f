import type { FitContext } from '../contract';

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
export function splitGood(count: number, context: Pick<FitContext, 'rng'>): GoodSplit {
  const held = count < LEAST ? 0 : Math.max(1, Math.round(count * SHARE));
  const order = context.rng('held out').permutation(count);
  return { trained: order.slice(held).sort(), heldOut: order.slice(0, held).sort() };
}
