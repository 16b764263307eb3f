import { fullScale } from './model-input';
import type { Raster } from './raster';
import { largestValue } from './raster';

/** A bar is at most this share of the image's rows, and this share or number of rows at least. */
const MAX_SHARE = 0.25;
const MIN_SHARE = 0.02;
const MIN_ROWS = 10;
/** Picture rows may show again below the bar (Zeiss: up to 19 of 384). */
const BELOW_SHARE = 0.06;

/** Grey levels (of 255) that still count as the same: JPEG spreads the edges of the text by about as much. */
const SAME = 12;
/** Share of a row that is background where text or a divider crosses it, and where nothing does. */
const TEXT_ROW = 0.4;
const BLANK_ROW = 0.95;
/** Difference (of 255) between ink and background. */
const INK = 64;
/** Ink edges per row, on average over the bar: a blob or a straight structure has few, text has many. */
const MIN_EDGES = 4;

/**
 * Finds the rows above the data bar that microscopes burn into the bottom of an image: a band of one flat background
 * that holds text and begins with a blank row or a frame. In doubt there is none.
 * @returns rows above the bar; the image's height when no bar is found
 */
export function detectPictureHeight(raster: Raster): number {
  const { width, height } = raster;
  const top = Math.floor(height * (1 - MAX_SHARE));
  const minRows = Math.ceil(Math.max(MIN_ROWS, height * MIN_SHARE));
  const levels = toLevels(raster, top);
  const rows = (from: number, to: number) => levels.subarray((from - top) * width, (to - top) * width);
  const blankLevel = (y: number) => {
    const { level, share } = commonLevel(rows(y, y + 1));
    return share >= BLANK_ROW ? level : undefined;
  };

  let last = height - 1;
  while (last > height * (1 - BELOW_SHARE) && blankLevel(last) === undefined) last--;
  if (blankLevel(last) === undefined || last - minRows < top) return height;
  const paper = commonLevel(rows(last - minRows, last)).level;

  let first = last;
  while (first > top && shareNear(rows(first - 1, first), paper) >= TEXT_ROW) first--;
  // A frame, a full line of ink, belongs to the bar; above it nothing does, however dark the picture is.
  if (first > top && Math.abs((blankLevel(first - 1) ?? paper) - paper) > INK) first--;
  const found = first > top && last - first + 1 >= minRows && blankLevel(first) !== undefined;
  return found && inkEdges(rows(first, last + 1), width) >= MIN_EDGES * (last - first + 1) ? first : height;
}

/** The rows from `top` on as levels of 0 … 255. */
function toLevels({ width, data, bits }: Raster, top: number): Uint8Array {
  const bottom = data.subarray(top * width);
  if (bottom instanceof Uint8Array) return bottom;
  const white = fullScale(largestValue(bottom), bits);
  const levels = new Uint8Array(bottom.length);
  for (let i = 0; i < levels.length; i++) levels[i] = (bottom[i] * 255) / white;
  return levels;
}

/** The level that most values have, give or take `SAME`, and their share. */
function commonLevel(levels: Uint8Array): { level: number; share: number } {
  const histogram = new Uint32Array(256);
  for (let i = 0; i < levels.length; i++) histogram[levels[i]]++;
  let level = 0;
  for (let v = 1; v < 256; v++) if (histogram[v] > histogram[level]) level = v;
  let near = 0;
  for (let v = Math.max(0, level - SAME); v <= Math.min(255, level + SAME); v++) near += histogram[v];
  return { level, share: near / levels.length };
}

function shareNear(levels: Uint8Array, level: number): number {
  let near = 0;
  for (let i = 0; i < levels.length; i++) if (Math.abs(levels[i] - level) <= SAME) near++;
  return near / levels.length;
}

/** Neighbours in a row that differ as ink differs from paper. */
function inkEdges(levels: Uint8Array, width: number): number {
  let edges = 0;
  for (let i = 1; i < levels.length; i++) if (i % width && Math.abs(levels[i] - levels[i - 1]) > INK) edges++;
  return edges;
}
