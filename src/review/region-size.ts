import { assert } from '../base/errors';
import type { Box, ImagePx, MapPx, Point } from '../base/space';
import type { Region } from './regions';

/** How an anomaly map lies over its image. The map is usually square, so the scales of x and y differ. */
export interface MapFrame {
  readonly mapWidth: number;
  readonly mapHeight: number;
  /** The part of the image that the map covers. */
  readonly covers: Box<ImagePx>;
  /** Nanometres per image pixel; undefined when the image isn't calibrated. */
  readonly pitchNm?: number;
}

/** A region measured in one unit (`area` in its square). */
export interface Measures {
  readonly width: number;
  readonly height: number;
  readonly area: number;
  /** Diameter of the disc of the same area. */
  readonly diameter: number;
  /** Largest distance between two of its points (the largest Feret diameter). */
  readonly extent: number;
}

export interface RegionSize {
  /** In pixels of the image. */
  readonly px: Measures;
  /** In nanometres; undefined without a pitch. */
  readonly nm: Measures | undefined;
}

const scaleX = (frame: MapFrame): number => frame.covers.width / frame.mapWidth;
const scaleY = (frame: MapFrame): number => frame.covers.height / frame.mapHeight;

/** A position on the map as a position on the image. */
export const toImagePoint = (point: Point<MapPx>, frame: MapFrame): Point<ImagePx> => ({
  x: (frame.covers.x + point.x * scaleX(frame)) as ImagePx,
  y: (frame.covers.y + point.y * scaleY(frame)) as ImagePx,
});

/** A position on the image as a position on the map; outside the covered part it lies outside the map. */
export const toMapPoint = (point: Point<ImagePx>, frame: MapFrame): Point<MapPx> => ({
  x: ((point.x - frame.covers.x) / scaleX(frame)) as MapPx,
  y: ((point.y - frame.covers.y) / scaleY(frame)) as MapPx,
});

/** A box of map pixels as a box on the image; its sides need not be whole pixels. */
export const toImageBox = (box: Box<MapPx>, frame: MapFrame): Box<ImagePx> => ({
  ...toImagePoint(box, frame),
  width: (box.width * scaleX(frame)) as ImagePx,
  height: (box.height * scaleY(frame)) as ImagePx,
});

/** The size of a region on the image and, where the pitch is known, on the wafer. @throws internal for a pitch ≤ 0 */
export function regionSize(region: Region, frame: MapFrame): RegionSize {
  const { pitchNm } = frame;
  assert(pitchNm === undefined || pitchNm > 0, `pixel pitch of ${pitchNm} nm`);
  const { width, height } = toImageBox(region.box, frame);
  const area = region.area * scaleX(frame) * scaleY(frame);
  const px: Measures = {
    width,
    height,
    area,
    diameter: 2 * Math.sqrt(area / Math.PI),
    // The map's scales differ, so the farthest pair is sought after the change of space, not before.
    extent: farthest(region.hull.map((point) => toImagePoint(point, frame))),
  };
  return { px, nm: pitchNm === undefined ? undefined : inNm(px, pitchNm) };
}

const inNm = ({ width, height, area, diameter, extent }: Measures, pitchNm: number): Measures => ({
  width: width * pitchNm,
  height: height * pitchNm,
  area: area * pitchNm ** 2,
  diameter: diameter * pitchNm,
  extent: extent * pitchNm,
});

/** Largest distance of two points; the two farthest points of a shape are corners of its hull. */
function farthest(hull: readonly Point<ImagePx>[]): number {
  let squared = 0;
  for (const a of hull)
    for (const b of hull) squared = Math.max(squared, (a.x - b.x) ** 2 + (a.y - b.y) ** 2);
  return Math.sqrt(squared);
}
