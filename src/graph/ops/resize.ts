import { graphOf } from '../builder';
import type { Value } from '../value';
import { transposeLast } from './layout';
import { matMul } from './linear';

/** A small dense matrix in float64, [rows][columns], that becomes a constant of a graph. */
export interface Matrix {
  readonly rows: number;
  readonly columns: number;
  readonly values: Float64Array;
}

function matrix(
  rows: number,
  columns: number,
  fill: (add: (column: number, weight: number) => void, row: number) => void,
): Matrix {
  const values = new Float64Array(rows * columns);
  for (let row = 0; row < rows; row++)
    fill((column, weight) => (values[row * columns + column] += weight), row);
  return { rows, columns, values };
}

/** Where output position i looks in the input (methods.md 1.3). */
export type Convention = 'halfPixel' | 'corners';

/** Bilinear interpolation from n to m positions as an [m,n] matrix: two taps a row, no antialiasing. */
export const bilinearMatrix = (n: number, m: number, convention: Convention): Matrix =>
  matrix(m, n, (add, i) => {
    const position =
      convention === 'halfPixel'
        ? Math.max(((i + 0.5) * n) / m - 0.5, 0)
        : m === 1
          ? 0
          : (i * (n - 1)) / (m - 1);
    const low = Math.min(Math.floor(position), n - 1);
    const share = position - low;
    add(low, 1 - share);
    add(Math.min(low + 1, n - 1), share);
  });

/**
 * Bicubic interpolation with antialiasing from n to m positions as an [m,n] matrix (Keys, a = −0.5, support widened
 * by the shrinking factor): how position embeddings are brought to another grid.
 */
export const bicubicMatrix = (n: number, m: number): Matrix =>
  matrix(m, n, (add, i) => {
    const scale = n / m;
    const stretch = Math.max(scale, 1);
    const centre = (i + 0.5) * scale - 0.5;
    const taps: [number, number][] = [];
    for (let j = 0; j < n; j++) {
      const weight = keys((j - centre) / stretch);
      if (weight) taps.push([j, weight]);
    }
    const total = taps.reduce((sum, [, weight]) => sum + weight, 0);
    for (const [j, weight] of taps) add(j, weight / total);
  });

/** Keys' cubic kernel with a = −0.5. */
function keys(x: number): number {
  const a = -0.5;
  const t = Math.abs(x);
  if (t < 1) return ((a + 2) * t - (a + 3)) * t * t + 1;
  return t < 2 ? (((t - 5) * t + 8) * t - 4) * a : 0;
}

/** Nearest neighbour from n to m positions, floor(i·n/m), as an [m,n] matrix. */
export const nearestMatrix = (n: number, m: number): Matrix =>
  matrix(m, n, (add, i) => add(Math.min(Math.floor((i * n) / m), n - 1), 1));

/**
 * Gaussian smoothing of n positions as an [n,n] matrix: radius floor(4σ+0.5), the edge repeated (methods.md 1.4).
 * @param sigma in positions; 0 gives the identity
 */
export function gaussianMatrix(n: number, sigma: number): Matrix {
  const radius = Math.floor(4 * sigma + 0.5);
  const kernel = Array.from({ length: 2 * radius + 1 }, (_, i) =>
    sigma ? Math.exp(-((i - radius) ** 2) / (2 * sigma * sigma)) : 1,
  );
  const total = kernel.reduce((sum, weight) => sum + weight, 0);
  return matrix(n, n, (add, i) =>
    kernel.forEach((weight, tap) => add(mirror(i + tap - radius, n), weight / total)),
  );
}

/** … 1 0 | 0 1 2 … n−1 | n−1 n−2 …: also for radii beyond the map's size. */
function mirror(position: number, n: number): number {
  const period = 2 * n;
  const wrapped = ((position % period) + period) % period;
  return wrapped < n ? wrapped : period - 1 - wrapped;
}

/** a·b */
export function multiply(a: Matrix, b: Matrix): Matrix {
  return matrix(a.rows, b.columns, (add, i) => {
    for (let k = 0; k < a.columns; k++) {
      const weight = a.values[i * a.columns + k];
      if (weight) for (let j = 0; j < b.columns; j++) add(j, weight * b.values[k * b.columns + j]);
    }
  });
}

const toValue = (x: Value, m: Matrix): Value =>
  graphOf(x).constant({ dtype: 'float32', shape: [m.rows, m.columns], data: Float32Array.from(m.values) });

/**
 * R · X · Cᵀ over the last two axes: any separable linear resampling, with exact gradients, on every provider.
 * @param x [..., h, w]
 * @param rows [H, h]
 * @param columns [W, w]
 */
export function applySeparable(x: Value, rows: Matrix, columns: Matrix): Value {
  const wide = matMul(x, transposeLast(toValue(x, columns)));
  return matMul(toValue(x, rows), wide);
}

/** Bilinear resize of the last two axes. */
export function resizeBilinear(
  x: Value,
  height: number,
  width: number,
  convention: Convention = 'halfPixel',
): Value {
  const [h, w] = x.shape.slice(-2);
  if (h === height && w === width) return x;
  return applySeparable(x, bilinearMatrix(h, height, convention), bilinearMatrix(w, width, convention));
}

/** Nearest-neighbour resize of the last two axes. */
export function resizeNearest(x: Value, height: number, width: number): Value {
  const [h, w] = x.shape.slice(-2);
  if (h === height && w === width) return x;
  return applySeparable(x, nearestMatrix(h, height), nearestMatrix(w, width));
}

/** Gaussian smoothing of the last two axes. */
export function gaussianBlur(x: Value, sigma: number): Value {
  const [h, w] = x.shape.slice(-2);
  return sigma ? applySeparable(x, gaussianMatrix(h, sigma), gaussianMatrix(w, sigma)) : x;
}

/** Enlarges a map bilinearly and smooths the result, in one pair of products: [..., h, w] to [..., height, width]. */
export function enlargeAndBlur(
  x: Value,
  height: number,
  width: number,
  sigma: number,
  convention: Convention = 'halfPixel',
): Value {
  const [h, w] = x.shape.slice(-2);
  const side = (from: number, to: number) =>
    multiply(gaussianMatrix(to, sigma), bilinearMatrix(from, to, convention));
  return applySeparable(x, side(h, height), side(w, width));
}
