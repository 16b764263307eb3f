/** k-centre greedy as it is written down: one pick, then one pass over all points, in float64. */
import type { Points } from '../../src/methods/kit/coreset';

/** Squared distances to the picked points so far, brought up to date pick by pick. */
class Cover {
  readonly squared: Float64Array;

  constructor(private readonly points: Points) {
    this.squared = new Float64Array(points.count).fill(Infinity);
  }

  add(pick: number): void {
    const { values, width } = this.points;
    for (let p = 0; p < this.squared.length; p++) {
      let sum = 0;
      for (let i = 0; i < width; i++) {
        const difference = values[p * width + i] - values[pick * width + i];
        sum += difference * difference;
      }
      if (sum < this.squared[p]) this.squared[p] = sum;
    }
  }

  /** The farthest point, the first of equals, and the largest squared distance of any other. */
  farthest(): { index: number; squared: number; runnerUp: number } {
    let [index, squared, runnerUp] = [0, -1, -1];
    for (let p = 0; p < this.squared.length; p++) {
      const value = this.squared[p];
      if (value <= runnerUp) continue;
      if (value > squared) {
        runnerUp = squared;
        squared = value;
        index = p;
      } else runnerUp = value;
    }
    return { index, squared, runnerUp };
  }
}

export interface GreedyPicks {
  readonly index: readonly number[];
  /** Distance of each pick to the ones before it; 0 for the first. */
  readonly radius: readonly number[];
  /** Smallest lead of a pick over the next best, relative, in squared distance: how much rounding may do no harm. */
  readonly margin: number;
}

/** Picks in order; ends when every point is picked or equal to one. */
export function farthestPoints(points: Points, size: number, start: number): GreedyPicks {
  const cover = new Cover(points);
  const [index, radius] = [[start], [0]];
  let margin = Infinity;
  cover.add(start);
  while (index.length < size) {
    const next = cover.farthest();
    if (next.squared === 0) break;
    index.push(next.index);
    radius.push(Math.sqrt(next.squared));
    margin = Math.min(margin, 1 - next.runnerUp / next.squared);
    cover.add(next.index);
  }
  return { index, radius, margin };
}

/**
 * How far given picks are from greedy: the largest relative amount, in squared distance, by which another point was
 * farther away than the pick that was taken. 0 for exact greedy.
 */
export function greedyShortfall(points: Points, index: ArrayLike<number>): number {
  const cover = new Cover(points);
  cover.add(index[0]);
  let worst = 0;
  for (let i = 1; i < index.length; i++) {
    worst = Math.max(worst, 1 - cover.squared[index[i]] / cover.farthest().squared);
    cover.add(index[i]);
  }
  return worst;
}
