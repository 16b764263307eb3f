import { connectedComponents } from '../base/components';
import { AppError, assert } from '../base/errors';
import type { Box, MapPx, Point } from '../base/space';
import { hullOfRows } from './hull';

/** A connected piece of an anomaly map at or above the threshold, in pixels of the map. Plain data. */
export interface Region {
  readonly box: Box<MapPx>;
  /** Pixels of the map. */
  readonly area: number;
  /** Mean of the pixel centres; the centre of the first pixel is (0.5, 0.5). */
  readonly centroid: Point<MapPx>;
  /** The highest map value, and the centre of the first pixel that has it. */
  readonly peak: number;
  readonly peakAt: Point<MapPx>;
  /** Mean map value. */
  readonly mean: number;
  /** Convex hull of the pixels' corners, first the top left, then down the left side and up the right. */
  readonly hull: readonly Point<MapPx>[];
}

/** A region being gathered: sums, and the first and last column of each of its rows. */
interface Draft {
  readonly top: number;
  readonly left: number[];
  readonly right: number[];
  area: number;
  sumX: number;
  sumY: number;
  sum: number;
  peak: number;
  peakX: number;
  peakY: number;
}

/**
 * The regions of a map at or above a threshold, diagonal neighbours joined, the strangest (by peak) first.
 * @param map [height·width]
 * @throws internal when the sides or the threshold make no sense; run/not-finite naming the pixel
 */
export function findRegions(map: Float32Array, width: number, height: number, threshold: number): Region[] {
  assert(map.length === width * height, `a map of ${map.length} values for ${width}×${height}`);
  assert(!Number.isNaN(threshold), 'the map threshold is NaN');
  const { labels, count } = connectedComponents(aboveThreshold(map, width, threshold), width, height);
  const drafts = new Array<Draft | undefined>(count).fill(undefined);
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i++) {
      if (!labels[i]) continue;
      addPixel((drafts[labels[i] - 1] ??= startRegion(y)), x, y, map[i]);
    }
  }
  return drafts.map((draft) => finish(draft!)).sort((a, b) => b.peak - a.peak || b.area - a.area);
}

function aboveThreshold(map: Float32Array, width: number, threshold: number): Uint8Array {
  const mask = new Uint8Array(map.length);
  for (let i = 0; i < map.length; i++) {
    // A NaN is below every threshold: it would look like a good pixel.
    if (!Number.isFinite(map[i]))
      throw new AppError(
        'run/not-finite',
        `the map at x ${i % width}, y ${Math.floor(i / width)} is ${map[i]}`,
        {
          hint: 'Run the image again; if it stays, fit the method again.',
        },
      );
    if (map[i] >= threshold) mask[i] = 1;
  }
  return mask;
}

const startRegion = (top: number): Draft => ({
  top,
  left: [],
  right: [],
  area: 0,
  sumX: 0,
  sumY: 0,
  sum: 0,
  peak: -Infinity,
  peakX: 0,
  peakY: 0,
});

/** Pixels come in scan order, and a connected region has one in every row from its first to its last. */
function addPixel(draft: Draft, x: number, y: number, value: number): void {
  const row = y - draft.top;
  if (row === draft.left.length) draft.left.push(x);
  draft.right[row] = x;
  draft.area++;
  draft.sumX += x;
  draft.sumY += y;
  draft.sum += value;
  if (value > draft.peak) {
    draft.peak = value;
    draft.peakX = x;
    draft.peakY = y;
  }
}

function finish({ top, left, right, area, sumX, sumY, sum, peak, peakX, peakY }: Draft): Region {
  const x = left.reduce((a, b) => Math.min(a, b));
  const end = right.reduce((a, b) => Math.max(a, b)) + 1;
  return {
    box: { x: x as MapPx, y: top as MapPx, width: (end - x) as MapPx, height: left.length as MapPx },
    area,
    centroid: at(sumX / area + 0.5, sumY / area + 0.5),
    peak,
    peakAt: at(peakX + 0.5, peakY + 0.5),
    mean: sum / area,
    hull: hullOfRows(top, left, right).map(([hullX, hullY]) => at(hullX, hullY)),
  };
}

const at = (x: number, y: number): Point<MapPx> => ({ x: x as MapPx, y: y as MapPx });
