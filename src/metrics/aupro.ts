import { connectedComponents } from '../base/components';
import { assert } from '../base/errors';
import { rankDescending } from './order';
import { sweepRanked } from './sweep';
import type { Sweep } from './sweep';

/** One anomaly map with its truth. With a valid area, both are cropped to it beforehand. */
export interface LabelledMap {
  /** [height·width], higher = stranger */
  readonly map: Float32Array;
  /** [height·width], anything but 0 is defect; null for an image without one */
  readonly mask: Uint8Array | null;
  readonly width: number;
  readonly height: number;
}

/** A sweep over the pixels of many maps that also knows how much of every region each threshold covers. */
export interface RegionSweep extends Sweep {
  /** Mean over all regions of the share of the region at or above each threshold (PRO). */
  readonly overlap: Float64Array;
  readonly regions: number;
}

export interface AuproOptions {
  /** The area is taken up to this share of defect-free pixels, in (0, 1]. Default 0.3. */
  readonly limit?: number;
  /** 8 (default) joins diagonal neighbours into one region, as MVTec and anomalib do. */
  readonly connectivity?: 4 | 8;
}

/** @throws internal when map, mask and sides disagree */
export function checkMap({ map, mask, width, height }: LabelledMap, index: number): void {
  assert(map.length === width * height, `map ${index} has ${map.length} values for ${width}×${height}`);
  assert(
    !mask || mask.length === map.length,
    `mask ${index} has ${mask?.length} pixels for a map of ${map.length}`,
  );
}

/**
 * Area under per-region overlap over the false-positive rate, from 0 to `limit`, divided by `limit`. All pixels of all
 * maps are pooled and sorted, some 40 bytes a pixel; for many millions use `pixelMetrics`.
 * @returns null without a region or without a defect-free pixel
 * @throws internal, run/not-finite
 * @source methods 20.4; Bergmann et al., "The MVTec anomaly detection dataset", 2021
 */
export function aupro(maps: Iterable<LabelledMap>, options: AuproOptions = {}): number | null {
  return overlapArea(pooledSweep([...maps], options.connectivity), options.limit);
}

/** The exact sweep over all pixels of all maps. @throws internal, run/not-finite */
export function pooledSweep(maps: readonly LabelledMap[], connectivity: 4 | 8 = 8): RegionSweep {
  maps.forEach(checkMap);
  const total = maps.reduce((sum, { map }) => sum + map.length, 0);
  const scores = new Float32Array(total);
  const regionOf = new Int32Array(total);
  const sizes = [0];
  let offset = 0;
  for (const { map, mask, width, height } of maps) {
    scores.set(map, offset);
    if (mask) {
      const { labels, count } = connectedComponents(mask, width, height, connectivity);
      const before = sizes.length - 1;
      for (let region = 0; region < count; region++) sizes.push(0);
      for (let i = 0; i < labels.length; i++) {
        if (!labels[i]) continue;
        regionOf[offset + i] = before + labels[i];
        sizes[before + labels[i]]++;
      }
    }
    offset += map.length;
  }
  const ranked = rankDescending(scores);
  const regions = sizes.length - 1;
  const overlap = new Float64Array(ranked.ends.length);
  let covered = 0;
  for (let group = 0, i = 0; group < overlap.length; group++) {
    for (; i < ranked.ends[group]; i++) {
      const region = regionOf[ranked.order[i]];
      if (region) covered += 1 / sizes[region];
    }
    overlap[group] = covered / regions;
  }
  return { ...sweepRanked(scores, regionOf, ranked), overlap, regions };
}

/**
 * AUPRO of a sweep: trapezoids from (0,0), the last one cut at the limit by linear interpolation.
 * @returns null without a region or without a defect-free pixel
 * @throws internal for a limit outside (0, 1]
 */
export function overlapArea(
  { falsePositives, overlap, negatives, regions }: RegionSweep,
  limit = 0.3,
): number | null {
  assert(limit > 0 && limit <= 1, `false-positive limit ${limit} is not in (0, 1]`);
  if (!regions || !negatives) return null;
  let area = 0;
  let x = 0;
  let y = 0;
  for (let i = 0; x < limit; i++) {
    const nextX = falsePositives[i] / negatives;
    const cut = nextX > limit ? (limit - x) / (nextX - x) : 1;
    const nextY = y + (overlap[i] - y) * cut;
    area += ((Math.min(nextX, limit) - x) * (y + nextY)) / 2;
    x = nextX;
    y = nextY;
  }
  return area / limit;
}
