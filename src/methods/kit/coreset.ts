import { floatTensor } from '../../base/tensor';
import { GraphBuilder } from '../../graph/builder';
import { matMul, reduceMin } from '../../graph/ops/index';
import type { DeviceTensor } from '../../runtime/device-tensor';
import type { FitContext, FitProgram } from '../contract';

/** Farthest points looked at together; more would be covered by each other before they are picked. */
const CANDIDATES = 512;
/** Picks whose distances are computed in one product are a multiple of this, so that few programs are made. */
const PICK_STEP = 16;
const MOST_PICKS = 128;
/** Points in one product: their distances stay in the processor's cache until the minimum is taken. */
const BLOCK = 4096;

export interface Coreset {
  /** Picked points, in the order of picking. */
  readonly index: Int32Array;
  /** Distance of each pick to the ones before it; 0 for the first. */
  readonly radius: Float32Array;
}

/** Points in rows, [count, width]. */
export interface Points {
  readonly values: Float32Array;
  readonly count: number;
  readonly width: number;
}

/**
 * k-centre greedy: from `start` on, always the point farthest from all picked ones; ties go to the lowest index. Ends
 * early when every point is picked or equal to one.
 *
 * Picks are those of the plain loop, but distances to all points are computed for many picks in one product. Of the
 * B points that are farthest now, the nearest has distance τ; no other point is ever farther than τ. So as long as
 * the farthest candidate is beyond τ it is the farthest of all, and following the candidates' distances among
 * themselves is enough to know the next picks; only then all points are brought up to date.
 * @source Sener and Savarese 2018, algorithm 1; methods.md 5.3
 */
export async function* greedyCoreset(
  context: Pick<FitContext, 'compile' | 'upload'>,
  points: Points,
  size: number,
  start: number,
): AsyncGenerator<number, Coreset> {
  const distances = new SquaredDistances(context, points);
  try {
    const nearest = new Float32Array(points.count).fill(Infinity);
    const index: number[] = [start];
    const radius: number[] = [0];
    let fresh: readonly number[] = index;
    while (true) {
      await distances.lower(nearest, fresh);
      yield index.length;
      const picks = await followCandidates(distances, nearest, size - index.length);
      if (!picks.length) break;
      for (const pick of picks) {
        index.push(pick.index);
        radius.push(Math.sqrt(pick.squared));
      }
      fresh = picks.map((pick) => pick.index);
    }
    return { index: Int32Array.from(index), radius: Float32Array.from(radius) };
  } finally {
    distances.dispose();
  }
}

interface Chosen {
  readonly index: number;
  readonly squared: number;
}

/** The next picks that are certain: at least one, unless none is wanted or every point has distance 0. */
async function followCandidates(
  distances: SquaredDistances,
  nearest: Float32Array,
  most: number,
): Promise<Chosen[]> {
  if (most <= 0) return [];
  const { candidates, bound } = farthest(nearest, Math.min(CANDIDATES, nearest.length));
  const between = await distances.between(candidates);
  const own = Float32Array.from(candidates, (candidate) => nearest[candidate]);
  const picks: Chosen[] = [];
  while (picks.length < most) {
    let best = 0;
    for (let i = 1; i < own.length; i++) if (own[i] > own[best]) best = i;
    // The first is the farthest of all; later ones only while nothing outside can be as far.
    if (own[best] <= 0 || (picks.length && own[best] <= bound)) break;
    picks.push({ index: candidates[best], squared: own[best] });
    for (let i = 0, at = best * own.length; i < own.length; i++, at++)
      if (between[at] < own[i]) own[i] = between[at];
    own[best] = 0;
  }
  return picks;
}

/** Indices of the `count` largest values, ascending, ties by lowest index; `bound` is the smallest of them. */
function farthest(values: Float32Array, count: number): { candidates: Int32Array; bound: number } {
  const bound = kthLargest(values.slice(), count);
  const candidates = new Int32Array(count);
  let above = 0;
  for (const value of values) if (value > bound) above++;
  let ties = count - above;
  let n = 0;
  for (let i = 0; i < values.length; i++)
    if (values[i] > bound || (values[i] === bound && ties-- > 0)) candidates[n++] = i;
  return { candidates, bound };
}

/** The k-th largest value by quickselect; reorders its argument. */
function kthLargest(values: Float32Array, k: number): number {
  const target = k - 1;
  let low = 0;
  let high = values.length - 1;
  while (low < high) {
    const pivot = values[(low + high) >> 1];
    let i = low;
    let j = high;
    while (i <= j) {
      while (values[i] > pivot) i++;
      while (values[j] < pivot) j--;
      if (i <= j) {
        const swapped = values[i];
        values[i++] = values[j];
        values[j--] = swapped;
      }
    }
    if (target <= j) high = j;
    else if (target >= i) low = i;
    else break;
  }
  return values[target];
}

/** Squared distances as one product of widened vectors: [x, |x|², 1] · [−2c, 1, |c|²]. */
class SquaredDistances {
  /** [BLOCK, width+2] each, the last one shorter. */
  readonly #blocks: DeviceTensor[];
  readonly #centred: Points;

  constructor(
    private readonly context: Pick<FitContext, 'compile' | 'upload'>,
    points: Points,
  ) {
    this.#centred = centre(points);
    this.#blocks = [];
    for (let first = 0; first < points.count; first += BLOCK) {
      const rows = Math.min(BLOCK, points.count - first);
      this.#blocks.push(context.upload(this.#widened(rows, (i) => first + i)));
    }
  }

  /** nearest[i] = min(nearest[i], squared distance to any of `picks`); picks themselves get 0. */
  async lower(nearest: Float32Array, picks: readonly number[]): Promise<void> {
    for (let at = 0; at < picks.length; at += MOST_PICKS) {
      const centres = this.#centres(picks.slice(at, at + MOST_PICKS), PICK_STEP);
      for (const [block, points] of this.#blocks.entries()) {
        const program = await this.#program(points.shape[0], centres.shape[1], true);
        const { values } = await program.run({ points, centres }, { finite: false });
        lowerTo(nearest, values.squared.data as Float32Array, block * BLOCK);
      }
    }
    for (const pick of picks) nearest[pick] = 0;
  }

  /** Squared distances among some points, [n,n]. */
  async between(index: Int32Array): Promise<Float32Array> {
    const points = this.#widened(index.length, (i) => index[i]);
    const centres = this.#centres(Array.from(index), 1);
    const program = await this.#program(index.length, index.length, false);
    const { values } = await program.run({ points, centres }, { finite: false });
    return values.squared.data as Float32Array;
  }

  dispose(): void {
    for (const block of this.#blocks) block.dispose();
  }

  /** [x, |x|², 1] in rows. */
  #widened(rows: number, indexOf: (row: number) => number) {
    const { values, width } = this.#centred;
    const out = new Float32Array(rows * (width + 2));
    for (let row = 0; row < rows; row++) {
      const from = indexOf(row) * width;
      const to = row * (width + 2);
      out.set(values.subarray(from, from + width), to);
      out[to + width] = squaredNorm(values, from, width);
      out[to + width + 1] = 1;
    }
    return floatTensor([rows, width + 2], out);
  }

  /** [−2c, 1, |c|²] in columns; the last one is repeated until their number is a multiple of `step`. */
  #centres(picks: readonly number[], step: number) {
    const { values, width } = this.#centred;
    const count = Math.ceil(picks.length / step) * step;
    const out = new Float32Array((width + 2) * count);
    for (let column = 0; column < count; column++) {
      const from = picks[Math.min(column, picks.length - 1)] * width;
      for (let i = 0; i < width; i++) out[i * count + column] = -2 * values[from + i];
      out[width * count + column] = 1;
      out[(width + 1) * count + column] = squaredNorm(values, from, width);
    }
    return floatTensor([width + 2, count], out);
  }

  #program(rows: number, columns: number, nearestOnly: boolean): Promise<FitProgram> {
    const graph = new GraphBuilder();
    const inner = this.#centred.width + 2;
    const points = graph.input('points', [rows, inner]);
    const centres = graph.input('centres', [inner, columns]);
    const squared = matMul(points, centres);
    graph.output('squared', nearestOnly ? reduceMin(squared, [1]) : squared);
    return this.context.compile(graph.build());
  }
}

function lowerTo(nearest: Float32Array, found: Float32Array, offset: number): void {
  for (let i = 0; i < found.length; i++) {
    // Rounding can leave a small negative where two points are equal.
    const squared = found[i] > 0 ? found[i] : 0;
    if (squared < nearest[offset + i]) nearest[offset + i] = squared;
  }
}

function squaredNorm(values: Float32Array, from: number, width: number): number {
  let sum = 0;
  for (let i = from; i < from + width; i++) sum += values[i] * values[i];
  return sum;
}

/** Points less their mean: distances stay, norms shrink, and with them the rounding of the norm trick. */
function centre({ values, count, width }: Points): Points {
  const mean = new Float64Array(width);
  for (let p = 0; p < count; p++) for (let i = 0; i < width; i++) mean[i] += values[p * width + i];
  const centred = new Float32Array(values.length);
  for (let p = 0; p < count; p++)
    for (let i = 0; i < width; i++) centred[p * width + i] = values[p * width + i] - mean[i] / count;
  return { values: centred, count, width };
}
