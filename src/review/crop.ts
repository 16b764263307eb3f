import type { Crop } from '../protocol/pixels-api';

/** Twice as near as the whole frame. @source methods.md 17.6 */
const SHARE = 0.5;

/** Half the frame each way around a point, moved inward where it would leave the frame. @param x @param y in shares */
export function cropAround(x: number, y: number): Crop {
  const start = (at: number) => Math.min(Math.max(at - SHARE / 2, 0), 1 - SHARE);
  return { x: start(x), y: start(y), width: SHARE, height: SHARE };
}

/** Around the strangest place of a map. @param map [side·side] */
export function cropAroundPeak(map: Float32Array, side: number): Crop {
  let peak = 0;
  for (let i = 1; i < map.length; i++) if (map[i] > map[peak]) peak = i;
  return cropAround(((peak % side) + 0.5) / side, (Math.floor(peak / side) + 0.5) / side);
}

/** Around the middle of a mask; undefined for an empty one. @param inside [side·side], 0 or 1 */
export function cropAroundMask(inside: Uint8Array, side: number): Crop | undefined {
  let [count, x, y] = [0, 0, 0];
  inside.forEach((value, i) => {
    if (!value) return;
    count++;
    x += (i % side) + 0.5;
    y += Math.floor(i / side) + 0.5;
  });
  return count ? cropAround(x / count / side, y / count / side) : undefined;
}
