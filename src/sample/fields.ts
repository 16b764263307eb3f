/**
 * Arithmetic on images of floats, row by row. Nothing here (nor anywhere in this folder) calls a function whose last
 * bit a browser may choose, such as `Math.exp` or `Math.sin`: the same seed gives the same bytes everywhere.
 */
import type { Rng } from '../base/rng';

/** A soft step: 0 up to −1, 1 from +1, and a cubic without a kink between. */
export function ramp(x: number): number {
  if (x <= -1) return 0;
  if (x >= 1) return 1;
  const t = 0.5 * (x + 1);
  return t * t * (3 - 2 * t);
}

/** A soft bump: 1 at 0, 0 from 1 on, flat at both: what a bell curve is used for, but it truly ends. */
export function dome(square: number): number {
  return square >= 1 ? 0 : (1 - square) * (1 - square);
}

export const clamp = (x: number, low: number, high: number): number => (x < low ? low : x > high ? high : x);

export const mix = (from: number, to: number, share: number): number => from + (to - from) * share;

/**
 * Mean 0, variance 1, from one draw: the sum of the four bytes of a word. A quarter of the cost of `Rng.bell`, and
 * its 1,021 levels are finer than a grey value can show.
 */
export function grain(rng: Rng): number {
  const word = rng.uint32();
  const sum = (word & 255) + ((word >>> 8) & 255) + ((word >>> 16) & 255) + (word >>> 24);
  return (sum - 510) * 0.006765823467065927;
}

/** A unit vector of any direction, by rejection from the square. */
export function direction(rng: Rng): { x: number; y: number } {
  for (;;) {
    const x = rng.between(-1, 1);
    const y = rng.between(-1, 1);
    const square = x * x + y * y;
    if (square > 1 || square < 0.01) continue;
    const length = Math.sqrt(square);
    return { x: x / length, y: y / length };
  }
}

/** The four weights of a cubic B-spline at `t` past its second knot. */
const spline = (t: number): [number, number, number, number] => {
  const s = 1 - t;
  return [
    (s * s * s) / 6,
    (4 - 6 * t * t + 3 * t * t * t) / 6,
    (4 - 6 * s * s + 3 * s * s * s) / 6,
    (t * t * t) / 6,
  ];
};

/** The mean over `t` of the summed squares of the weights is 151/315 per axis: this restores variance 1. */
const SPLINE_GAIN = 315 / 151;

/**
 * Smooth random hills of mean 0 and variance 1, correlated over about `cellPx`.
 * @shape [height·width]
 */
export function smoothNoise(rng: Rng, width: number, height: number, cellPx: number): Float32Array {
  const columns = Math.floor(width / cellPx) + 4;
  const rows = Math.floor(height / cellPx) + 4;
  const lattice = new Float32Array(columns * rows);
  for (let k = 0; k < lattice.length; k++) lattice[k] = grain(rng) * SPLINE_GAIN;
  const out = new Float32Array(width * height);
  const knots = new Float32Array(columns);
  const first = new Int32Array(width);
  const weights = new Float32Array(4 * width);
  for (let x = 0; x < width; x++) {
    const position = x / cellPx;
    first[x] = Math.floor(position);
    weights.set(spline(position - first[x]), 4 * x);
  }
  for (let y = 0, i = 0; y < height; y++) {
    const position = y / cellPx;
    const row = Math.floor(position);
    const [a, b, c, d] = spline(position - row);
    for (let k = 0, at = row * columns; k < columns; k++, at++)
      knots[k] =
        a * lattice[at] +
        b * lattice[at + columns] +
        c * lattice[at + 2 * columns] +
        d * lattice[at + 3 * columns];
    for (let x = 0, w = 0; x < width; x++, i++, w += 4) {
      const k = first[x];
      out[i] =
        weights[w] * knots[k] +
        weights[w + 1] * knots[k + 1] +
        weights[w + 2] * knots[k + 2] +
        weights[w + 3] * knots[k + 3];
    }
  }
  return out;
}

/** The mean over the square of side 2·radius + 1 round each pixel; beyond the border the edge repeats. */
export function boxMean(field: Float32Array, width: number, height: number, radius: number): Float32Array {
  const along = new Float32Array(field.length);
  const share = 1 / (2 * radius + 1);
  const padded = new Float32Array(width + 2 * radius + 1);
  for (let start = 0; start < field.length; start += width) {
    padded.fill(field[start], 0, radius);
    padded.set(field.subarray(start, start + width), radius);
    padded.fill(field[start + width - 1], radius + width);
    let sum = 0;
    for (let k = 0; k <= 2 * radius; k++) sum += padded[k];
    for (let x = 0; x < width; x++) {
      along[start + x] = sum * share;
      sum += padded[x + 2 * radius + 1] - padded[x];
    }
  }
  const out = new Float32Array(field.length);
  const sums = new Float64Array(width);
  const row = (y: number): number => clamp(y, 0, height - 1) * width;
  for (let y = -radius; y <= radius; y++)
    for (let x = 0, at = row(y); x < width; x++, at++) sums[x] += along[at];
  for (let y = 0, i = 0; y < height; y++) {
    const enter = row(y + radius + 1);
    const leave = row(y - radius);
    for (let x = 0; x < width; x++, i++) {
      out[i] = sums[x] * share;
      sums[x] += along[enter + x] - along[leave + x];
    }
  }
  return out;
}

/** How many passes of `blur` a spot takes, and so how far it reaches, px. */
export const blurPasses = (sigma: number): number => Math.ceil(2 * sigma * sigma);

/**
 * A Gaussian blur of sigma `across` along the rows and `down` along the columns: [a, 1 − 2a, a] over and over, until the
 * variances add up. By the central limit that is a Gaussian for all that a picture can show; unlike one it is exact,
 * and it ends. Beyond the border the edge repeats.
 */
export function blur(
  field: Float32Array,
  width: number,
  height: number,
  across: number,
  down: number,
): Float32Array {
  // More than 1/4 on a side would ring, hence two passes per unit of variance.
  const passes = blurPasses(Math.max(across, down));
  const sideX = passes && (across * across) / (2 * passes);
  const sideY = passes && (down * down) / (2 * passes);
  const along = new Float32Array(field.length);
  const out = field.slice();
  for (let pass = 0; pass < passes; pass++) {
    for (let start = 0; start < out.length; start += width) {
      const end = start + width - 1;
      let left = out[start];
      for (let i = start; i <= end; i++) {
        const here = out[i];
        const right = i < end ? out[i + 1] : here;
        along[i] = here + sideX * (left + right - 2 * here);
        left = here;
      }
    }
    for (let y = 0, i = 0; y < height; y++) {
      const up = y > 0 ? -width : 0;
      const below = y < height - 1 ? width : 0;
      for (let x = 0; x < width; x++, i++)
        out[i] = along[i] + sideY * (along[i + up] + along[i + below] - 2 * along[i]);
    }
  }
  return out;
}
