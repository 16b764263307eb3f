import { calibration, goodOnlyThreshold } from '../metrics/threshold';
import { quantile } from '../metrics/statistics';
import type { FitCalibration } from '../protocol/engine-api';
import type { ScoredImage } from './scorer';

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
    private readonly way: Exclude<FitCalibration['heldOut'], 'none'>,
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
