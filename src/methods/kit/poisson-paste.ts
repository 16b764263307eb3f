import type { Rng } from '../../base/rng';

/** A rectangle of one image put at a place of another; corners are upper left ones. Neither touches its image's edge. */
export interface Paste {
  readonly width: number;
  readonly height: number;
  readonly from: readonly [x: number, y: number];
  readonly to: readonly [x: number, y: number];
}

/** Change in a sweep below which the seam is closed, of values in 0 … 1. */
const CLOSED = 1e-6;
/** Sweeps for each pixel of a rectangle's sides together; over-relaxation closes seams in about one. */
const MOST_SWEEPS = 8;

/**
 * Copies a rectangle of a donor into an image so that no edge shows: inside are the donor's gradients, and the ring of
 * pixels around keeps the image's values.
 * @param image [side·side], 0 … 1; not changed
 * @param donor [side·side]
 * @returns [side·side], cut to 0 … 1
 * @source Pérez, Gangnet, Blake: Poisson Image Editing, SIGGRAPH 2003, equation 7 with the donor's gradients (11)
 */
export function poissonPaste(
  image: Float32Array,
  donor: Float32Array,
  side: number,
  { width, height, from, to }: Paste,
): Float32Array {
  const at = ([left, top]: Paste['from'], x: number, y: number) => (top + y) * side + left + x;
  // The result less the donor has no gradients of its own: a membrane stretched over what differs on the ring.
  const membrane = harmonic(width, height, (x, y) => image[at(to, x, y)] - donor[at(from, x, y)]);
  const out = image.slice();
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const value = donor[at(from, x, y)] + membrane[(y + 1) * (width + 2) + x + 1];
      out[at(to, x, y)] = Math.min(Math.max(value, 0), 1);
    }
  return out;
}

/**
 * The function that is the mean of its four neighbours inside a rectangle and given on the ring around it, by
 * successive over-relaxation.
 * @param ring its value at (x, y), −1 … width and −1 … height
 * @returns [(height+2)·(width+2)] with the ring
 */
function harmonic(width: number, height: number, ring: (x: number, y: number) => number): Float64Array {
  const stride = width + 2;
  const values = new Float64Array(stride * (height + 2));
  const put = (x: number, y: number) => (values[(y + 1) * stride + x + 1] = ring(x, y));
  for (let x = 0; x < width; x++) for (const y of [-1, height]) put(x, y);
  for (let y = 0; y < height; y++) for (const x of [-1, width]) put(x, y);
  // Young's factor for a rectangle: the fastest there is.
  const radius = (Math.cos(Math.PI / (width + 1)) + Math.cos(Math.PI / (height + 1))) / 2;
  const factor = 2 / (1 + Math.sqrt(1 - radius * radius));
  for (let sweep = 0, change = 1; change > CLOSED && sweep < MOST_SWEEPS * (width + height); sweep++) {
    change = 0;
    for (let y = 1; y <= height; y++)
      for (let i = y * stride + 1; i <= y * stride + width; i++) {
        const around = values[i - stride] + values[i - 1] + values[i + 1] + values[i + stride];
        const step = factor * (around / 4 - values[i]);
        values[i] += step;
        change = Math.max(change, Math.abs(step));
      }
  }
  return values;
}

/** Sides of a pasted rectangle, as shares of the image's. @source Schlüter et al.: NSA, ECCV 2022 */
const [SMALLEST, LARGEST] = [0.03, 0.4];
const LEAST_PX = 4;
const MOST_PASTES = 3;

/** A rectangle of random sides, taken and put at random. @param side of both images, at least 6 px */
export function randomPaste(rng: Rng, side: number): Paste {
  const inside = side - 2;
  const length = () => {
    const share = Math.exp(rng.between(Math.log(SMALLEST), Math.log(LARGEST)));
    return Math.min(Math.max(Math.round(share * side), LEAST_PX), inside);
  };
  const [width, height] = [length(), length()];
  const place = () => [1 + rng.integer(inside - width + 1), 1 + rng.integer(inside - height + 1)] as const;
  return { width, height, from: place(), to: place() };
}

/**
 * A simulated anomaly: one to three rectangles of a donor, blended into an image.
 * @param image [side·side], 0 … 1; not changed
 * @param donor the same image or another
 * @source Schlüter, Tan, Hou, Kainz: Natural Synthetic Anomalies, ECCV 2022; methods.md 15.3
 */
export function withNaturalAnomaly(
  image: Float32Array,
  donor: Float32Array,
  side: number,
  rng: Rng,
): Float32Array {
  let out = image;
  for (let left = 1 + rng.integer(MOST_PASTES); left > 0; left--)
    out = poissonPaste(out, donor, side, randomPaste(rng, side));
  return out;
}
