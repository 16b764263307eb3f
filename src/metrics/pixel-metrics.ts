import { overlapArea, pooledSweep } from './aupro';
import type { LabelledMap, RegionSweep } from './aupro';
import { assertSamePixels, PixelHistogram } from './histogram';
import { bestF1, rocArea, stepArea } from './sweep';

/** Localisation over all pixels of all maps; null is "not defined", never 0. */
export interface PixelMetrics {
  readonly auroc: number | null;
  /** Average precision. */
  readonly ap: number | null;
  /** The best F1 over thresholds, in the 1e-10 form of the published tables. */
  readonly f1: number | null;
  readonly f1Threshold: number | null;
  readonly aupro: number | null;
  readonly pixels: number;
  readonly positives: number;
  readonly regions: number;
}

export interface PixelMetricsOptions {
  /** AUPRO's limit of the false-positive rate. Default 0.3. */
  readonly fprLimit?: number;
  /** From this number of pixels on a histogram takes the place of the sort. Default 5 million. */
  readonly exactBelow?: number;
}

/**
 * Pixel AUROC, average precision, best F1 and AUPRO. Exact below 5 million pixels, by histogram (error below 1e-4)
 * from there on, so that memory doesn't grow with the set. The share of defect pixels is usually tiny: AUROC alone
 * flatters, show the others with it.
 * @param maps walked twice, so an array or another collection, not a generator
 * @throws internal when sides disagree or the maps can be walked only once; run/not-finite
 * @source methods 20.1 to 20.4, 20.8
 */
export function pixelMetrics(
  maps: Iterable<LabelledMap>,
  { fprLimit = 0.3, exactBelow = 5_000_000 }: PixelMetricsOptions = {},
): PixelMetrics {
  const histogram = new PixelHistogram();
  for (const item of maps) histogram.survey(item);
  const sweep = histogram.pixels < exactBelow ? sorted(histogram, maps) : counted(histogram, maps);
  const best = bestF1(sweep);
  return {
    auroc: rocArea(sweep),
    ap: stepArea(sweep),
    f1: best && best.f1,
    f1Threshold: best && best.threshold,
    aupro: overlapArea(sweep, fprLimit),
    pixels: sweep.positives + sweep.negatives,
    positives: sweep.positives,
    regions: sweep.regions,
  };
}

function sorted({ pixels }: PixelHistogram, maps: Iterable<LabelledMap>): RegionSweep {
  const sweep = pooledSweep([...maps]);
  assertSamePixels(sweep.positives + sweep.negatives, pixels);
  return sweep;
}

function counted(histogram: PixelHistogram, maps: Iterable<LabelledMap>): RegionSweep {
  for (const item of maps) histogram.count(item);
  return histogram.sweep();
}
