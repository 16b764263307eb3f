import { add, applySeparable, div, mul, reduceMean, sub } from '../../graph/ops/index';
import type { Matrix } from '../../graph/ops/index';
import type { Value } from '../../graph/value';

const RADIUS = 5;
const SIGMA = 1.5;

/** An 11-tap Gaussian over n positions as an [n,n] matrix, mirrored at the borders without repeating the edge. */
function windowMatrix(n: number): Matrix {
  const taps = Array.from({ length: 2 * RADIUS + 1 }, (_, i) =>
    Math.exp(-((i - RADIUS) ** 2) / (2 * SIGMA * SIGMA)),
  );
  const total = taps.reduce((sum, tap) => sum + tap, 0);
  const values = new Float64Array(n * n);
  for (let row = 0; row < n; row++)
    taps.forEach((tap, i) => {
      let at = Math.abs(row + i - RADIUS);
      if (at >= n) at = 2 * (n - 1) - at;
      values[row * n + at] += tap / total;
    });
  return { rows: n, columns: n, values };
}

/**
 * Structural similarity at every pixel, −1 … 1, window 11×11 of σ 1.5.
 * @param a [B,1,H,W], both sides more than 5
 * @param range of the values: 2 for −1 … 1
 * @source Wang et al. 2004; methods.md 25.3
 */
export function ssimMap(a: Value, b: Value, range: number): Value {
  const [rows, columns] = a.shape.slice(2).map(windowMatrix);
  const mean = (x: Value) => applySeparable(x, rows, columns);
  const [c1, c2] = [(0.01 * range) ** 2, (0.03 * range) ** 2];
  const [meanA, meanB] = [mean(a), mean(b)];
  const [squareA, squareB, product] = [mul(meanA, meanA), mul(meanB, meanB), mul(meanA, meanB)];
  const spreadA = sub(mean(mul(a, a)), squareA);
  const spreadB = sub(mean(mul(b, b)), squareB);
  const shared = sub(mean(mul(a, b)), product);
  return div(
    mul(add(mul(product, 2), c1), add(mul(shared, 2), c2)),
    mul(add(add(squareA, squareB), c1), add(add(spreadA, spreadB), c2)),
  );
}

/** Mean structural similarity. */
export const ssim = (a: Value, b: Value, range: number): Value => reduceMean(ssimMap(a, b, range));
