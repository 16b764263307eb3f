import type { Rng } from '../../base/rng';
import { perlinMask } from './perlin';

/** A square grey image in 0 … 1 with something pasted on it, and where. */
export interface Defective {
  readonly image: Float32Array;
  /** 0 or 1; empty exactly where nothing was changed. */
  readonly mask: Float32Array;
}

/** Smallest difference that counts as a defect. */
const VISIBLE = 0.02;
/** Nothing may come of a try: a gap that isn't there, a patch like its place. */
const TRIES = 8;

type Paste = (image: Float32Array, donor: Float32Array, side: number, rng: Rng) => void;

/**
 * Pastes one of five kinds of synthetic defect on an image.
 * @param image [side·side]; not changed
 * @param donor another image of the same size, to copy from
 * @source methods.md 4.2
 */
export function withDefect(image: Float32Array, donor: Float32Array, side: number, rng: Rng): Defective {
  const out = image.slice();
  const mask = new Float32Array(image.length);
  for (let i = 0, found = false; i < TRIES && !found; i++) {
    rng.pick(KINDS)(out, donor, side, rng);
    for (let p = 0; p < out.length; p++) {
      out[p] = Math.min(Math.max(out[p], 0), 1);
      if (Math.abs(out[p] - image[p]) <= VISIBLE) out[p] = image[p];
      else found = true;
    }
  }
  for (let y = 0; y < side; y++)
    for (let x = 0; x < side; x++)
      if (out[y * side + x] !== image[y * side + x]) dilateInto(mask, side, x, y);
  return { image: out, mask };
}

/** Marks a pixel and its eight neighbours. */
function dilateInto(mask: Float32Array, side: number, x: number, y: number): void {
  for (let dy = Math.max(y - 1, 0); dy <= Math.min(y + 1, side - 1); dy++)
    for (let dx = Math.max(x - 1, 0); dx <= Math.min(x + 1, side - 1); dx++) mask[dy * side + dx] = 1;
}

/** A blob of Perlin noise within a random box, filled from the donor. */
const blob: Paste = (image, donor, side, rng) => {
  const mask = perlinMask(side, side, rng);
  const size = Math.round(rng.between(8, Math.min(96, side)));
  const [left, top] = [rng.integer(side - size + 1), rng.integer(side - size + 1)];
  const share = rng.between(0.3, 1);
  for (let y = top; y < top + size; y++)
    for (let x = left; x < left + size; x++) {
      const p = y * side + x;
      if (mask[p]) image[p] += share * (donor[p] - image[p]);
    }
};

/** A rectangle copied from elsewhere, a little brighter or darker. */
const cutPaste: Paste = (image, donor, side, rng) => {
  const area = rng.between(0.02, 0.15) * side * side;
  const aspect = Math.exp(rng.between(Math.log(0.3), Math.log(3.3)));
  const fit = (length: number) => Math.max(2, Math.min(Math.round(length), side - 1));
  const [width, height] = [fit(Math.sqrt(area * aspect)), fit(Math.sqrt(area / aspect))];
  const place = () => [rng.integer(side - width + 1), rng.integer(side - height + 1)] as const;
  const [[fromX, fromY], [toX, toY]] = [place(), place()];
  const brightness = rng.between(0.9, 1.1);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++)
      image[(toY + y) * side + toX + x] = brightness * donor[(fromY + y) * side + fromX + x];
};

/** A thin slanted strip copied from elsewhere. */
const scar: Paste = (image, donor, side, rng) => {
  const [width, length] = [rng.between(2, 16), rng.between(10, 25)];
  const angle = rng.between(-Math.PI / 4, Math.PI / 4) + (rng.uniform() < 0.5 ? Math.PI / 2 : 0);
  const [middleX, middleY] = [rng.uniform() * side, rng.uniform() * side];
  const [shiftX, shiftY] = [rng.integer(side), rng.integer(side)];
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  for (let y = 0; y < side; y++)
    for (let x = 0; x < side; x++) {
      const along = (x - middleX) * cos + (y - middleY) * sin;
      const across = (y - middleY) * cos - (x - middleX) * sin;
      if (Math.abs(along) > length / 2 || Math.abs(across) > width / 2) continue;
      image[y * side + x] = donor[((y + shiftY) % side) * side + ((x + shiftX) % side)];
    }
};

/** A bright or dark Gaussian spot: a particle, a hole. */
const spot: Paste = (image, _donor, side, rng) => {
  const sigma = rng.between(2, 20);
  const height = rng.between(0.2, 0.6) * (rng.uniform() < 0.5 ? 1 : -1);
  const [middleX, middleY] = [rng.uniform() * side, rng.uniform() * side];
  for (let y = 0; y < side; y++)
    for (let x = 0; x < side; x++) {
      const squared = (x - middleX) ** 2 + (y - middleY) ** 2;
      image[y * side + x] += height * Math.exp(-squared / (2 * sigma * sigma));
    }
};

/** A band between two neighbouring lines, as bright as lines are. */
const bridge: Paste = (image, _donor, side, rng) => {
  const { threshold, bright } = otsu(image);
  const upright = rng.uniform() < 0.5;
  const at = (along: number, across: number) => (upright ? across * side + along : along * side + across);
  const across = rng.integer(side);
  const lit = (along: number) => image[at(along, across)] > threshold;
  const gaps: [number, number][] = [];
  for (let i = 1; i < side; i++) {
    if (lit(i) || !lit(i - 1)) continue;
    let end = i;
    while (end < side && !lit(end)) end++;
    if (end < side) gaps.push([i, end]);
  }
  if (!gaps.length) return;
  const [from, to] = rng.pick(gaps);
  const half = rng.between(1.5, 6);
  for (let a = from - 1; a <= to; a++)
    for (let c = Math.max(Math.ceil(across - half), 0); c <= Math.min(across + half, side - 1); c++)
      image[at(a, c)] = bright + 0.03 * rng.bell();
};

const KINDS: readonly Paste[] = [blob, cutPaste, scar, spot, bridge];

const BINS = 64;

/** The threshold that parts an image into two classes best, and the mean of the brighter. @source Otsu 1979 */
function otsu(image: Float32Array): { threshold: number; bright: number } {
  const counts = new Float64Array(BINS);
  for (const value of image) counts[Math.min(Math.floor(value * BINS), BINS - 1)]++;
  const middle = (bin: number) => (bin + 0.5) / BINS;
  const total = counts.reduce((sum, count, bin) => sum + count * middle(bin), 0);
  let [below, sumBelow, best] = [0, 0, { between: -1, threshold: 0.5, bright: 1 }];
  for (let bin = 0; bin + 1 < BINS; bin++) {
    below += counts[bin];
    sumBelow += counts[bin] * middle(bin);
    const above = image.length - below;
    if (!below || !above) continue;
    const [dark, bright] = [sumBelow / below, (total - sumBelow) / above];
    const between = below * above * (bright - dark) ** 2;
    if (between > best.between) best = { between, threshold: (bin + 1) / BINS, bright };
  }
  return best;
}
