import type { Rng } from '../../base/rng';

/** A start in twenty may end with two seeds in one of several clusters that lie apart. */
const STARTS = 5;
/** Rounds after which clusters stay as they are. */
const MOST_ROUNDS = 100;

/** Cluster of each row, and the inertia: the sum of squared distances from the clusters' means. */
export interface Clustering {
  readonly clusters: Int32Array;
  readonly inertia: number;
}

/**
 * Rows in clusters around their means: seeds drawn by squared distance (k-means++), then Lloyd's rounds until no row
 * moves; the best of five such starts. Seeded, and no cluster is ever empty.
 * @param rows at least one, [D] each
 * @param wanted clusters; where fewer rows differ there are fewer
 * @returns cluster of each row, 0 … k−1
 * @source Arthur and Vassilvitskii 2007
 */
export function kMeans(rows: readonly Float32Array[], wanted: number, rng: Rng): Int32Array {
  const found = Array.from({ length: STARTS }, () => lloyd(rows, seeds(rows, wanted, rng)));
  return found.reduce((best, other) => (other.inertia < best.inertia ? other : best)).clusters;
}

/** Lloyd's rounds from given centres. @param from as many as there are clusters, at most as many as rows differ */
export function lloyd(rows: readonly Float32Array[], from: readonly Float32Array[]): Clustering {
  let centres: readonly ArrayLike<number>[] = from;
  let found = assigned(rows, centres);
  for (let round = 1; round < MOST_ROUNDS; round++) {
    centres = meansOf(rows, found.clusters, centres.length);
    const next = assigned(rows, centres);
    const moved = next.clusters.some((own, i) => own !== found.clusters[i]);
    found = next;
    if (!moved) break;
  }
  return found;
}

function squaredDistance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] - b[i]) ** 2;
  return sum;
}

/** Different rows, each drawn in proportion to its squared distance from the nearest one before. */
function seeds(rows: readonly Float32Array[], wanted: number, rng: Rng): Float32Array[] {
  const found = [rng.pick(rows)];
  const nearest = rows.map((row) => squaredDistance(row, found[0]));
  while (found.length < wanted && nearest.some((distance) => distance > 0)) {
    const seed = rows[drawn(nearest, rng)];
    found.push(seed);
    rows.forEach((row, i) => (nearest[i] = Math.min(nearest[i], squaredDistance(row, seed))));
  }
  return found;
}

/** An index drawn in proportion to its weight, never one whose weight is 0. */
function drawn(weights: readonly number[], rng: Rng): number {
  let left = rng.uniform() * weights.reduce((sum, weight) => sum + weight, 0);
  let last = -1;
  for (const [i, weight] of weights.entries()) {
    if (!weight) continue;
    last = i;
    left -= weight;
    if (left < 0) break;
  }
  return last;
}

/** The nearest centre of each row, the first of equals; a centre that no row is nearest to gets the farthest row. */
function assigned(rows: readonly Float32Array[], centres: readonly ArrayLike<number>[]): Clustering {
  const clusters = new Int32Array(rows.length);
  const sizes = new Int32Array(centres.length);
  const distances = rows.map((row, i) => {
    const all = centres.map((centre) => squaredDistance(row, centre));
    const nearest = Math.min(...all);
    sizes[(clusters[i] = all.indexOf(nearest))]++;
    return nearest;
  });
  for (const [cluster, size] of sizes.entries()) {
    if (size) continue;
    const spare = distances.map((distance, i) => (sizes[clusters[i]] > 1 ? distance : -1));
    const farthest = spare.reduce((best, distance, i) => (distance > spare[best] ? i : best), 0);
    sizes[clusters[farthest]]--;
    sizes[(clusters[farthest] = cluster)]++;
    distances[farthest] = 0;
  }
  return { clusters, inertia: distances.reduce((sum, distance) => sum + distance, 0) };
}

/** Mean of each cluster's rows. */
function meansOf(rows: readonly Float32Array[], clusters: Int32Array, count: number): Float64Array[] {
  const sizes = new Int32Array(count);
  for (const cluster of clusters) sizes[cluster]++;
  const means = Array.from({ length: count }, () => new Float64Array(rows[0].length));
  rows.forEach((row, i) => row.forEach((value, d) => (means[clusters[i]][d] += value / sizes[clusters[i]])));
  return means;
}
