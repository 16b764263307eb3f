import { floatTensor, floats } from '../../base/tensor';
import type { TensorData } from '../../base/tensor';
import { GraphBuilder } from '../../graph/builder';
import { matMul, reduceMin, transposeLast } from '../../graph/ops/index';
import { bitsOf, rankDescending } from '../../metrics/order';
import type { DeviceTensor } from '../../runtime/device-tensor';
import type { FitContext, FitProgram } from '../contract';

/** Farthest points looked at together; more would be covered by each other before they are picked. */
const CANDIDATES = 512;
/** Picks whose distances are computed in one product are a multiple of this, so that few programs are made. */
const PICK_STEP = 32;
const MOST_PICKS = 256;
/** Points in one product: their distances stay in the processor's cache until the minimum is taken. */
const BLOCK = 4096;
/** After so many picks points are ordered anew by their distance, which takes as long as some 100 picks. */
const ORDER_EVERY = 1500;
/** Points that tell the mean well enough. */
const MEAN_ROWS = 4096;

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
 * themselves is enough to know the next picks; only then the points are brought up to date. A block of points that
 * are all nearer than τ stays as it is until τ comes down to it: distances only fall, so old ones are upper bounds.
 *
 * Distances are float32's, by |x|² + |c|² − 2x·c from the points' mean: of the squares some 1e-6·|x|² is rounding. So
 * where points are left that differ by less than a hundredth of |x|, a pick may be a few percent less far than the
 * farthest of them. Equal points are known as such.
 * @source Sener and Savarese 2018, algorithm 1; methods.md 5.3
 */
export async function* greedyCoreset(
  context: Pick<FitContext, 'compile' | 'upload'>,
  points: Points,
  size: number,
  start: number,
): AsyncGenerator<number, Coreset> {
  const rows = new WidenedRows(points);
  const distances = new SquaredDistances(context, rows);
  try {
    const nearest = new Float32Array(points.count).fill(Infinity);
    const picks = new Picks(rows, nearest);
    picks.add(start, 0);
    let orderAt = ORDER_EVERY;
    while (true) {
      yield picks.index.length;
      if (picks.index.length >= size) break;
      let candidates = farthest(nearest, CANDIDATES);
      while (await distances.update(nearest, picks.index, candidates.bound))
        candidates = farthest(nearest, CANDIDATES);
      if (picks.index.length >= orderAt) {
        distances.order(nearest, picks.index.length);
        orderAt = picks.index.length + ORDER_EVERY;
      }
      if (!(await followCandidates(distances, candidates, nearest, picks, size))) break;
    }
    return { index: Int32Array.from(picks.index), radius: Float32Array.from(picks.radius) };
  } finally {
    distances.dispose();
  }
}

/** The points that were picked, in order. */
class Picks {
  readonly index: number[] = [];
  readonly radius: number[] = [];
  /** Picks by |x|², which equal points share. */
  readonly #byNorm = new Map<number, number[]>();

  constructor(
    private readonly rows: WidenedRows,
    private readonly nearest: Float32Array,
  ) {}

  add(point: number, squared: number): void {
    this.nearest[point] = 0;
    this.index.push(point);
    this.radius.push(Math.sqrt(squared));
    const norm = this.rows.norm(point);
    this.#byNorm.set(norm, [...(this.#byNorm.get(norm) ?? []), point]);
  }

  /** Whether a point is equal to a picked one. */
  hold(point: number): boolean {
    return (this.#byNorm.get(this.rows.norm(point)) ?? []).some((pick) => this.rows.equal(pick, point));
  }
}

/** Adds the next picks that are certain, if any. @returns false when every point is picked or equal to a pick */
async function followCandidates(
  distances: SquaredDistances,
  { index, bound, lastTie }: Candidates,
  nearest: Float32Array,
  picks: Picks,
  size: number,
): Promise<boolean> {
  const own = Float32Array.from(index, (candidate) => nearest[candidate]);
  let best = largest(own);
  if (own[best] <= 0) return false;
  const between = await distances.between(index);
  while (picks.index.length < size && own[best] > 0) {
    const point = index[best];
    // Certain while nothing outside can be as far, or comes first among equals.
    if (own[best] < bound || (own[best] === bound && point > lastTie)) break;
    if (picks.hold(point)) nearest[point] = 0;
    else {
      picks.add(point, own[best]);
      for (let i = 0, at = best * own.length; i < own.length; i++, at++)
        if (between[at] < own[i]) own[i] = Math.max(between[at], 0);
    }
    own[best] = 0;
    best = largest(own);
  }
  return true;
}

/** Index of the largest value, the first of equals. */
function largest(values: Float32Array): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (values[i] > values[best]) best = i;
  return best;
}

interface Candidates {
  /** Ascending. */
  readonly index: Int32Array;
  /** Their smallest value. */
  readonly bound: number;
  /** The last of them that has this value. */
  readonly lastTie: number;
}

/** The largest values, at most `most`; ties by lowest index. */
function farthest(values: Float32Array, most: number): Candidates {
  const index = new Int32Array(Math.min(most, values.length));
  const bound = kthLargest(values, index.length);
  let ties = index.length;
  for (let i = 0; i < values.length; i++) if (values[i] > bound) ties--;
  let lastTie = -1;
  let n = 0;
  for (let i = 0; i < values.length; i++)
    if (values[i] > bound) index[n++] = i;
    else if (values[i] === bound && ties > 0) {
      ties--;
      index[n++] = lastTie = i;
    }
  return { index, bound, lastTie };
}

/** The k-th largest of values that are not negative. Their bits are ordered as they are: the upper half tells most. */
function kthLargest(values: Float32Array, k: number): number {
  const bits = bitsOf(values);
  const counts = new Uint32Array(1 << 16);
  for (let i = 0; i < bits.length; i++) counts[bits[i] >>> 16]++;
  let upper = counts.length - 1;
  for (; counts[upper] < k; upper--) k -= counts[upper];
  const alike = new Float32Array(counts[upper]);
  for (let i = 0, n = 0; i < bits.length; i++) if (bits[i] >>> 16 === upper) alike[n++] = values[i];
  return alike.sort()[alike.length - k];
}

/**
 * Points as rows [x, |x|², 1], x from their mean: distances stay, norms shrink, and with them the rounding. Rows of zeros
 * fill the last block.
 */
class WidenedRows {
  readonly count: number;
  /** Of a point's own values. */
  readonly width: number;
  readonly stride: number;
  readonly values: Float32Array;
  /** Rows in a block. */
  readonly block: number;

  constructor({ values, count, width }: Points) {
    this.count = count;
    this.width = width;
    this.stride = width + 2;
    const blocks = Math.ceil(count / BLOCK);
    this.block = Math.ceil(count / blocks);
    const out = new Float32Array(blocks * this.block * this.stride);
    const mean = coarseMean(values, count, width);
    for (let p = 0, from = 0, to = 0; p < count; p++, to += 2) {
      let norm = 0;
      for (let i = 0; i < width; i++) {
        const value = Math.fround(values[from++] - mean[i]);
        out[to++] = value;
        norm += value * value;
      }
      out[to] = norm;
      out[to + 1] = 1;
    }
    this.values = out;
  }

  norm(point: number): number {
    return this.values[point * this.stride + this.width];
  }

  equal(a: number, b: number): boolean {
    for (let i = a * this.stride, j = b * this.stride, end = i + this.width; i < end; i++, j++)
      if (this.values[i] !== this.values[j]) return false;
    return true;
  }

  /** Rows of some points, and of zeros up to `rows`. */
  some(points: Int32Array, rows: number): Float32Array {
    const out = new Float32Array(rows * this.stride);
    points.forEach((point, row) =>
      out.set(this.values.subarray(point * this.stride, (point + 1) * this.stride), row * this.stride),
    );
    return out;
  }

  /** Rows [−2c, 1, |c|²]; the last one is repeated up to `rows`. */
  centres(points: ArrayLike<number>, rows: number): TensorData {
    const { width, stride, values } = this;
    const out = new Float32Array(rows * stride);
    for (let row = 0, to = 0; row < rows; row++) {
      const from = points[Math.min(row, points.length - 1)] * stride;
      for (let i = 0; i < width; i++) out[to++] = -2 * values[from + i];
      out[to++] = 1;
      out[to++] = values[from + width];
    }
    return floatTensor([rows, stride], out);
  }
}

/**
 * About the points' mean, with few digits, so that differences of numbers with few digits stay exact, and ties among them
 * ties.
 */
function coarseMean(values: Float32Array, count: number, width: number): Float64Array {
  const mean = new Float64Array(width);
  const every = Math.ceil(count / MEAN_ROWS);
  const rows = Math.ceil(count / every);
  let most = 0;
  for (let p = 0; p < count; p += every)
    for (let i = 0, at = p * width; i < width; i++, at++) {
      mean[i] += values[at];
      most = Math.max(most, Math.abs(values[at]));
    }
  const step = most ? 2 ** (Math.floor(Math.log2(most)) - 7) : 1;
  return mean.map((sum) => Math.round(sum / rows / step) * step);
}

/** Points whose distances are computed together. */
interface Block {
  /** [block, width+2] */
  readonly points: DeviceTensor;
  readonly members: Int32Array;
  /** Picks that their distances take account of. */
  seen: number;
  /** Largest distance at that time. */
  farthest: number;
}

/** Squared distances as one product of widened vectors: [x, |x|², 1] · [−2c, 1, |c|²]. */
class SquaredDistances {
  #blocks: Block[];

  constructor(
    private readonly context: Pick<FitContext, 'compile' | 'upload'>,
    private readonly rows: WidenedRows,
  ) {
    const { block, stride, values } = rows;
    this.#blocks = this.#cut(
      Int32Array.from({ length: rows.count }, (_, i) => i),
      (first) => values.subarray(first * stride, (first + block) * stride),
      0,
    );
  }

  #cut(order: Int32Array, rowsFrom: (first: number) => Float32Array, seen: number): Block[] {
    const { block, stride } = this.rows;
    return Array.from({ length: Math.ceil(order.length / block) }, (_, i) => ({
      points: this.context.upload(floatTensor([block, stride], rowsFrom(i * block))),
      members: order.subarray(i * block, (i + 1) * block),
      seen,
      farthest: Infinity,
    }));
  }

  /** Among the blocks that take account of so many picks, puts points of like distance into one block. */
  order(nearest: Float32Array, picks: number): void {
    const { block } = this.rows;
    const current = this.#blocks.filter(({ seen }) => seen === picks);
    const order = farthestFirst(current, nearest);
    for (const { points } of current) points.dispose();
    const ordered = this.#cut(
      order,
      (first) => this.rows.some(order.subarray(first, first + block), block),
      picks,
    );
    for (const own of ordered) own.farthest = nearest[own.members[0]];
    this.#blocks = [...this.#blocks.filter(({ seen }) => seen < picks), ...ordered];
  }

  /**
   * Brings points up to date whose distance may be `bound` or more.
   * @returns whether there was one that was not
   */
  async update(nearest: Float32Array, picks: readonly number[], bound: number): Promise<boolean> {
    const stale = this.#blocks.filter(({ seen, farthest }) => seen < picks.length && farthest >= bound);
    for (const seen of new Set(stale.map((block) => block.seen)))
      await this.#lower(
        nearest,
        picks.slice(seen),
        stale.filter((block) => block.seen === seen),
      );
    return stale.length > 0;
  }

  async #lower(nearest: Float32Array, picks: readonly number[], blocks: readonly Block[]): Promise<void> {
    for (let at = 0; at < picks.length; at += MOST_PICKS) {
      const some = picks.slice(at, at + MOST_PICKS);
      const centres = this.rows.centres(some, Math.ceil(some.length / PICK_STEP) * PICK_STEP);
      const program = await this.#program(this.rows.block, centres.shape[0], true);
      for (const block of blocks) {
        const { values } = await program.run({ points: block.points, centres }, { finite: false });
        lowerTo(nearest, floats(values.squared), block);
        block.seen += some.length;
      }
    }
  }

  /** Squared distances among some points, [n,n]; rounding may leave a small negative. */
  async between(index: Int32Array): Promise<Float32Array> {
    const count = index.length;
    const program = await this.#program(count, count, false);
    const points = floatTensor([count, this.rows.stride], this.rows.some(index, count));
    const feeds = { points, centres: this.rows.centres(index, count) };
    return floats((await program.run(feeds, { finite: false })).values.squared);
  }

  dispose(): void {
    for (const { points } of this.#blocks) points.dispose();
  }

  #program(rows: number, columns: number, nearestOnly: boolean): Promise<FitProgram> {
    const graph = new GraphBuilder();
    const points = graph.input('points', [rows, this.rows.stride]);
    const centres = graph.input('centres', [columns, this.rows.stride]);
    const squared = matMul(points, transposeLast(centres));
    graph.output('squared', nearestOnly ? reduceMin(squared, [1]) : squared);
    return this.context.compile(graph.build());
  }
}

/** The blocks' members by falling distance. */
function farthestFirst(blocks: readonly Block[], nearest: Float32Array): Int32Array {
  const members = new Int32Array(blocks.reduce((sum, own) => sum + own.members.length, 0));
  let at = 0;
  for (const own of blocks) {
    members.set(own.members, at);
    at += own.members.length;
  }
  const { order } = rankDescending(Float32Array.from(members, (point) => nearest[point]));
  return Int32Array.from(order, (i) => members[i]);
}

/** Distances of a block's members, if they are less than before. */
function lowerTo(nearest: Float32Array, found: Float32Array, block: Block): void {
  const { members } = block;
  let farthest = 0;
  for (let i = 0; i < members.length; i++) {
    const point = members[i];
    // Rounding can leave a small negative where two points are equal.
    if (found[i] < nearest[point]) nearest[point] = Math.max(found[i], 0);
    if (nearest[point] > farthest) farthest = nearest[point];
  }
  block.farthest = farthest;
}
