import type { Calibration } from '../../metrics/threshold';
import { calibrate } from '../../metrics/threshold';
import { VIRIDIS } from './viridis';

/** How a map's values become 0 … 1 for the eye: the fit's pixel calibration, or the range of its maps without one. */
export type MapScale =
  | { readonly kind: 'calibrated'; readonly by: Calibration }
  | { readonly kind: 'range'; readonly low: number; readonly high: number };

/** A fit's scale: calibrated where it can be, otherwise the range of all its maps, so that images stay comparable. */
export function mapScale(
  by: Calibration | null,
  results: Iterable<{ readonly map: Float32Array }>,
): MapScale {
  if (by) return { kind: 'calibrated', by };
  let [low, high] = [Infinity, -Infinity];
  for (const { map } of results)
    for (const value of map) [low, high] = [Math.min(low, value), Math.max(high, value)];
  return { kind: 'range', low, high };
}

/** A map value on the scale. */
export function scaled(scale: MapScale, value: number): number {
  if (scale.kind === 'calibrated') return calibrate(scale.by, value);
  const span = scale.high - scale.low;
  return span > 0 ? Math.min(Math.max((value - scale.low) / span, 0), 1) : 0;
}

/** All values of a map on the scale. */
export const scaledMap = (scale: MapScale, map: Float32Array): Float32Array =>
  map.map((value) => scaled(scale, value));

/**
 * A map as a picture, transparent in proportion to its value: what is strange covers, what is good lets through.
 * @param values on the scale, [side·side]
 * @param opacity of the strangest, 0 … 1
 */
export function paintMap(values: Float32Array, side: number, opacity: number): ImageData {
  const image = new ImageData(side, side);
  for (let i = 0; i < values.length; i++) {
    const level = Math.round(values[i] * 255);
    image.data[4 * i] = VIRIDIS[3 * level];
    image.data[4 * i + 1] = VIRIDIS[3 * level + 1];
    image.data[4 * i + 2] = VIRIDIS[3 * level + 2];
    image.data[4 * i + 3] = Math.round(255 * opacity * Math.min(1, values[i] * 1.6));
  }
  return image;
}

/** A grey picture as one that a canvas takes. */
export function paintGrey(grey: Uint8Array, width: number, height: number): ImageData {
  const image = new ImageData(width, height);
  const words = new Uint32Array(image.data.buffer);
  for (let i = 0; i < grey.length; i++) words[i] = 0xff000000 | (grey[i] * 0x010101);
  return image;
}

/** A plane of 0 … 1 as a picture. */
export const paintUnit = (plane: Float32Array, side: number): ImageData =>
  paintGrey(
    Uint8Array.from(plane, (value) => Math.round(255 * Math.min(Math.max(value, 0), 1))),
    side,
    side,
  );

/** How far a picture is from another, signed: mid-grey where they are equal. */
export const paintDifference = (a: Float32Array, b: Float32Array, side: number): ImageData =>
  paintUnit(
    a.map((value, i) => 0.5 + (value - b[i]) / 2),
    side,
  );

/** The line between values below and above a threshold, as segments in map pixels: marching squares. */
export function contourOf(values: Float32Array, side: number, threshold: number): Path2D {
  const path = new Path2D();
  const at = (x: number, y: number) => values[y * side + x] - threshold;
  const cross = (a: number, b: number) => a / (a - b);
  for (let y = 0; y + 1 < side; y++)
    for (let x = 0; x + 1 < side; x++) {
      const [a, b, c, d] = [at(x, y), at(x + 1, y), at(x + 1, y + 1), at(x, y + 1)];
      const kind = Number(a >= 0) | (Number(b >= 0) << 1) | (Number(c >= 0) << 2) | (Number(d >= 0) << 3);
      if (kind === 0 || kind === 15) continue;
      const top = [x + cross(a, b), y] as const;
      const right = [x + 1, y + cross(b, c)] as const;
      const bottom = [x + cross(d, c), y + 1] as const;
      const left = [x, y + cross(a, d)] as const;
      for (const [from, to] of segments(kind, top, right, bottom, left)) {
        path.moveTo(from[0] + 0.5, from[1] + 0.5);
        path.lineTo(to[0] + 0.5, to[1] + 0.5);
      }
    }
  return path;
}

type Corner = readonly [number, number];

function segments(
  kind: number,
  top: Corner,
  right: Corner,
  bottom: Corner,
  left: Corner,
): (readonly [Corner, Corner])[] {
  switch (kind) {
    case 1:
    case 14:
      return [[left, top]];
    case 2:
    case 13:
      return [[top, right]];
    case 4:
    case 11:
      return [[right, bottom]];
    case 8:
    case 7:
      return [[bottom, left]];
    case 3:
    case 12:
      return [[left, right]];
    case 6:
    case 9:
      return [[top, bottom]];
    case 5:
      return [
        [left, top],
        [right, bottom],
      ];
    default:
      return [
        [top, right],
        [bottom, left],
      ];
  }
}
