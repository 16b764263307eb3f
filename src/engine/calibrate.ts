import { Rng } from '../base/rng';
import type { Detector } from '../methods/contract';
import { splitGood } from '../methods/kit/held-out';
import { calibration, goodOnlyThreshold } from '../metrics/threshold';
import { quantile } from '../metrics/statistics';
import type { FitCalibration, FitSpec } from '../protocol/engine-api';
import { generateImage } from '../sample/generate';
import type { ScoredImage } from './scorer';

/** Good images of a set that a support set leaves are enough to tell a threshold from this number on. */
const LEAST_OTHERS = 4;
const MOST_OTHERS = 32;
const SYNTHETIC = 16;

/** Good images that tell a threshold. */
export interface HeldOut {
  readonly way: FitCalibration['heldOut'];
  readonly count: number;
  /** One at the input side, 0 … 1. @shape [side·side] */
  load(index: number): Promise<Float32Array>;
  /** Which of the fitted images one is, for methods that leave one out at a time. */
  fitted?(index: number): number;
}

/**
 * For methods that are taught by a support set: good images that it leaves, or pictures of the built-in generator
 * where there are too few.
 * @param load reads one of the images
 */
export function besideSupport<T>(
  others: readonly T[],
  side: number,
  load: (image: T) => Promise<Float32Array>,
): HeldOut {
  const some = others.slice(0, MOST_OTHERS);
  if (some.length >= LEAST_OTHERS)
    return { way: 'others', count: some.length, load: (index) => load(some[index]) };
  const draw = async (index: number) => {
    const spec = { width: side, height: side, className: 'good' } as const;
    const { pixels } = generateImage(new Rng(0, `calibration.${index}`), spec);
    return Float32Array.from(pixels, (value) => value / 255);
  };
  return { way: 'synthetic', count: SYNTHETIC, load: draw };
}

/**
 * The good images that a fit's threshold is drawn from.
 * @param images those of the fit, and others that it leaves
 * @param load reads one at the input side
 */
export function heldOutImages<T>(
  { leavesOut, needs }: Detector,
  { side, seed }: Pick<FitSpec, 'side' | 'seed'>,
  { good, others }: { readonly good: readonly T[]; readonly others: readonly T[] },
  load: (image: T) => Promise<Float32Array>,
): HeldOut {
  if (needs.support) return besideSupport(others, side, load);
  // With one image nothing is left to hold it against.
  const held = leavesOut
    ? Array.from({ length: good.length < 2 ? 0 : good.length }, (_, i) => i)
    : [...splitGood(good.length, { rng: (stream) => new Rng(seed, stream) }).heldOut];
  return {
    way: leavesOut ? 'one at a time' : 'a part',
    count: held.length,
    load: (index) => load(good[held[index]]),
    fitted: (index) => held[index],
  };
}

/** Share of good pixels below the pixel threshold. @source methods.md 20.6 */
const PIXEL_QUANTILE = 0.9995;
/** Pixels that the quantile is taken of; more say nothing new about good images. */
const MOST_PIXELS = 500_000;

/** Collects held-out scores and a share of the pixels of good images, and draws thresholds from them alone. */
export class GoodScores {
  readonly #scores: number[] = [];
  readonly #pixels: number[] = [];
  readonly #stride: number;

  /** @param side of a map; `images` how many there will be; `way` how they were held out */
  constructor(
    side: number,
    images: number,
    private readonly way: FitCalibration['heldOut'],
  ) {
    this.#stride = Math.max(1, Math.ceil((images * side * side) / MOST_PIXELS));
  }

  add({ score, map }: ScoredImage): void {
    this.#scores.push(score);
    for (let i = this.#scores.length % this.#stride; i < map.length; i += this.#stride)
      this.#pixels.push(map[i]);
  }

  finish(): FitCalibration {
    const threshold = goodOnlyThreshold(this.#scores);
    const pixelThreshold = quantile(this.#pixels, PIXEL_QUANTILE);
    return {
      image: threshold === null ? null : calibration(this.#scores, threshold),
      pixel: pixelThreshold === null ? null : calibration(this.#pixels, pixelThreshold),
      heldOut: this.#scores.length ? this.way : 'none',
      scores: this.#scores,
    };
  }
}
