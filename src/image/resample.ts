import { assert } from '../base/errors';

export type Kernel = 'bilinear' | 'bicubic';

/** The weights of a separable resampling along one axis: output i is the sum over k < counts[i] of weights[i·taps + k] · input[starts[i] + k]. */
export interface ResampleWeights {
  readonly outSize: number;
  /** Weights kept per output; those beyond `counts[i]` are 0. */
  readonly taps: number;
  readonly starts: Int32Array;
  readonly counts: Int32Array;
  /** [outSize·taps], each output's sum to 1 */
  readonly weights: Float64Array;
}

const triangle = (x: number): number => Math.max(0, 1 - Math.abs(x));

/** Keys' cubic convolution kernel. @source Keys, "Cubic convolution interpolation", 1981, equation 15 with a free */
const keys =
  (a: number) =>
  (x: number): number => {
    const d = Math.abs(x);
    if (d < 1) return ((a + 2) * d - (a + 3)) * d * d + 1;
    return d < 2 ? a * (((d - 5) * d + 8) * d - 4) : 0;
  };

/**
 * With antialiasing (PIL's rule) the kernel is widened by the scale when shrinking, cut at the border and normalised;
 * bicubic has a = −0.5. Without (plain interpolation) two or four inputs count whatever the scale, those beyond the
 * border are the border's, and bicubic has a = −0.75: for enlarging maps only, it aliases on shrinking.
 * @source methods.md 1.2
 */
export function resampleWeights(
  inSize: number,
  outSize: number,
  kernel: Kernel,
  { antialias }: { antialias: boolean },
): ResampleWeights {
  assert(inSize > 0 && outSize > 0, `cannot resample ${inSize} values to ${outSize}`);
  const f = kernel === 'bilinear' ? triangle : keys(antialias ? -0.5 : -0.75);
  const scale = inSize / outSize;
  const stretch = antialias ? Math.max(scale, 1) : 1;
  const support = (kernel === 'bilinear' ? 1 : 2) * stretch;
  const taps = Math.ceil(support) * 2 + 1;
  const starts = new Int32Array(outSize);
  const counts = new Int32Array(outSize);
  const weights = new Float64Array(outSize * taps);
  for (let i = 0; i < outSize; i++) {
    const centre = (i + 0.5) * scale;
    const first = Math.floor(centre - support + 0.5);
    const end = Math.floor(centre + support + 0.5);
    const start = Math.max(first, 0);
    starts[i] = start;
    counts[i] = Math.min(end, inSize) - start;
    let sum = 0;
    for (let x = antialias ? start : first; x < (antialias ? start + counts[i] : end); x++) {
      const weight = f((x - centre + 0.5) / stretch);
      weights[i * taps + Math.min(Math.max(x, 0), inSize - 1) - start] += weight;
      sum += weight;
    }
    for (let k = 0; k < counts[i]; k++) weights[i * taps + k] /= sum;
  }
  return { outSize, taps, starts, counts, weights };
}

const PRECISION = 22;
const HALF = 1 << (PRECISION - 1);

/** Weights as integers of 22 fractional bits, halves away from zero. */
const fixedPoint = ({ weights }: ResampleWeights): Int32Array =>
  Int32Array.from(weights, (w) => Math.trunc(w * (1 << PRECISION) + (w < 0 ? -0.5 : 0.5)));

/**
 * Resizes an 8-bit plane as Pillow does, bit for bit: integer weights, rows first, each pass rounded to 8 bits.
 * @param plane [height·width]
 * @returns [outHeight·outWidth]
 * @source methods.md 1.2; Pillow, src/libImaging/Resample.c
 */
export function resize8(
  plane: Uint8Array,
  width: number,
  height: number,
  outWidth: number,
  outHeight: number,
  kernel: Kernel,
): Uint8Array {
  const antialias = true;
  const rows =
    outWidth === width
      ? plane
      : rows8(plane, width, height, resampleWeights(width, outWidth, kernel, { antialias }));
  if (outHeight !== height)
    return columns8(rows, outWidth, resampleWeights(height, outHeight, kernel, { antialias }));
  return rows === plane ? plane.slice() : rows;
}

function rows8(plane: Uint8Array, width: number, height: number, along: ResampleWeights): Uint8Array {
  const { outSize, taps, starts, counts } = along;
  const weights = fixedPoint(along);
  const out = new Uint8ClampedArray(outSize * height);
  for (let y = 0, o = 0; y < height; y++) {
    const row = y * width;
    for (let x = 0; x < outSize; x++, o++) {
      const from = row + starts[x];
      const w = x * taps;
      const count = counts[x];
      let sum = HALF;
      // Sums stay within 32 bits (2²² of weight times 2⁸ of grey); saying so makes this loop 1.7 times as fast.
      for (let k = 0; k < count; k++) sum = (sum + Math.imul(plane[from + k], weights[w + k])) | 0;
      // The clamped array cuts overshoot to 0 … 255.
      out[o] = sum >> PRECISION;
    }
  }
  return new Uint8Array(out.buffer);
}

function columns8(plane: Uint8Array, width: number, down: ResampleWeights): Uint8Array {
  const { outSize, taps, starts, counts } = down;
  const weights = fixedPoint(down);
  const out = new Uint8ClampedArray(width * outSize);
  // Whole rows are added up, so that memory is read in its order.
  const sums = new Int32Array(width);
  for (let y = 0; y < outSize; y++) {
    sums.fill(HALF);
    for (let k = 0; k < counts[y]; k++) {
      const weight = weights[y * taps + k];
      const from = (starts[y] + k) * width;
      for (let x = 0; x < width; x++) sums[x] += Math.imul(plane[from + x], weight);
    }
    for (let x = 0, o = y * width; x < width; x++, o++) out[o] = sums[x] >> PRECISION;
  }
  return new Uint8Array(out.buffer);
}

/**
 * The same resampling with antialiasing, without rounding: sums in float64, results in float32.
 * @param plane [height·width]
 * @returns [outHeight·outWidth]
 */
export function resizeFloat(
  plane: Float32Array,
  width: number,
  height: number,
  outWidth: number,
  outHeight: number,
  kernel: Kernel,
): Float32Array {
  const antialias = true;
  const along = resampleWeights(width, outWidth, kernel, { antialias });
  const rows = new Float32Array(outWidth * height);
  for (let y = 0, o = 0; y < height; y++) {
    for (let x = 0; x < outWidth; x++, o++) {
      const from = y * width + along.starts[x];
      const w = x * along.taps;
      const count = along.counts[x];
      let sum = 0;
      for (let k = 0; k < count; k++) sum += plane[from + k] * along.weights[w + k];
      rows[o] = sum;
    }
  }
  const down = resampleWeights(height, outHeight, kernel, { antialias });
  const out = new Float32Array(outWidth * outHeight);
  const sums = new Float64Array(outWidth);
  for (let y = 0; y < outHeight; y++) {
    sums.fill(0);
    for (let k = 0; k < down.counts[y]; k++) {
      const weight = down.weights[y * down.taps + k];
      const from = (down.starts[y] + k) * outWidth;
      for (let x = 0; x < outWidth; x++) sums[x] += rows[from + x] * weight;
    }
    out.set(sums, y * outWidth);
  }
  return out;
}

type Plane = Uint8Array | Uint16Array | Int32Array | Float32Array;

/**
 * Resizes by taking the input under each output's centre, floor((i + ½)·in/out): the rule for masks and labels.
 * @param plane [height·width]
 * @returns [outHeight·outWidth]
 */
export function resizeNearest<T extends Plane>(
  plane: T,
  width: number,
  height: number,
  outWidth: number,
  outHeight: number,
): T {
  const columns = nearest(width, outWidth);
  const rows = nearest(height, outHeight);
  const out = new (plane.constructor as new (length: number) => T)(outWidth * outHeight);
  for (let y = 0, o = 0; y < outHeight; y++)
    for (let x = 0; x < outWidth; x++, o++) out[o] = plane[rows[y] * width + columns[x]];
  return out;
}

/** Both halves are whole numbers, so that the quotient can't round up to the next integer. */
const nearest = (inSize: number, outSize: number): Int32Array =>
  Int32Array.from({ length: outSize }, (_, i) => Math.floor(((2 * i + 1) * inSize) / (2 * outSize)));
