import { applySeparable, bilinearMatrix, multiply } from '../../graph/ops/index';
import type { Matrix } from '../../graph/ops/index';
import type { Value } from '../../graph/value';

/**
 * Enlarges a map half-pixel and smooths it as published code does: 2⌈3σ⌉+1 taps, mirrored without repeating the edge.
 * (The project's own blur repeats the edge: methods.md 1.4.)
 * @param map [..., h, w]
 * @returns [..., height, width]
 */
export function enlargeAndBlurMirrored(map: Value, height: number, width: number, sigma: number): Value {
  const [h, w] = map.shape.slice(-2);
  const side = (from: number, to: number) =>
    multiply(blurMatrix(to, sigma), bilinearMatrix(from, to, 'halfPixel'));
  return applySeparable(map, side(h, height), side(w, width));
}

function blurMatrix(n: number, sigma: number): Matrix {
  const radius = Math.ceil(3 * sigma);
  const taps = Array.from({ length: 2 * radius + 1 }, (_, i) =>
    sigma ? Math.exp(-((i - radius) ** 2) / (2 * sigma * sigma)) : 1,
  );
  const total = taps.reduce((sum, tap) => sum + tap, 0);
  const values = new Float64Array(n * n);
  for (let i = 0; i < n; i++)
    taps.forEach((tap, t) => (values[i * n + mirrored(i + t - radius, n)] += tap / total));
  return { rows: n, columns: n, values };
}

/** … 2 1 | 0 1 2 … n−1 | n−2 …: also for radii beyond the map's size. */
function mirrored(position: number, n: number): number {
  const period = Math.max(2 * (n - 1), 1);
  const wrapped = ((position % period) + period) % period;
  return Math.min(wrapped, period - wrapped);
}
