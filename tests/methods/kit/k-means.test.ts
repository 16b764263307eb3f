import { describe, expect, it } from 'vitest';
import { Rng } from '../../../src/base/rng';
import { kMeans, lloyd } from '../../../src/methods/kit/k-means';

const rowsOf = (points: readonly (readonly number[])[]) => points.map((point) => Float32Array.from(point));

/** Points around some centres, one after the other. */
function blobs(centres: readonly (readonly number[])[], each: number, spread: number): Float32Array[] {
  const rng = new Rng(1, 'blobs');
  return Array.from({ length: centres.length * each }, (_, i) =>
    Float32Array.from(centres[i % centres.length], (value) => value + spread * rng.bell()),
  );
}

const CENTRES = [
  [0, 0, 0],
  [10, 0, 0],
  [0, 10, 0],
  [0, 0, 10],
];

describe('k-means', () => {
  it('finds blobs that lie apart, whatever the seed', () => {
    const rows = blobs(CENTRES, 12, 0.5);
    for (let seed = 0; seed < 20; seed++) {
      const clusters = kMeans(rows, 4, new Rng(seed, 'clusters'));
      expect(new Set(clusters).size).toBe(4);
      clusters.forEach((own, i) => expect(own).toBe(clusters[i % 4]));
    }
  });

  it('ends where every row is nearest to the mean of its own cluster', () => {
    const rows = blobs(CENTRES, 20, 6);
    const clusters = kMeans(rows, 4, new Rng(0, 'clusters'));
    const means = CENTRES.map((_, c) => {
      const own = rows.filter((__, i) => clusters[i] === c);
      return [0, 1, 2].map((d) => own.reduce((sum, row) => sum + row[d], 0) / own.length);
    });
    const distance = (row: Float32Array, c: number) =>
      Math.hypot(...means[c].map((value, d) => row[d] - value));
    rows.forEach((row, i) => {
      const all = CENTRES.map((_, c) => distance(row, c));
      expect(all[clusters[i]]).toBeCloseTo(Math.min(...all), 9);
    });
  });

  it('is the same for the same seed', () => {
    const rows = blobs(CENTRES, 20, 6);
    const of = (seed: number) => [...kMeans(rows, 4, new Rng(seed, 'clusters'))];
    expect(of(3)).toEqual(of(3));
    expect(new Set(Array.from({ length: 5 }, (_, seed) => of(seed).join())).size).toBeGreaterThan(1);
  });

  it('gives the farthest row to a centre that no row is nearest to, never the last of a cluster', () => {
    const rows = rowsOf([[0.5], [1], [2], [50]]);
    const { clusters, inertia } = lloyd(rows, rowsOf([[1], [100], [60]]));
    expect([...clusters]).toEqual([0, 0, 1, 2]);
    expect(inertia).toBeCloseTo(0.125, 9);
  });

  it('has a cluster for each different row where fewer differ than are wanted', () => {
    const rows = rowsOf([[1], [2], [1], [2], [2]]);
    const [one, two, ...rest] = kMeans(rows, 4, new Rng(0, 'clusters'));
    expect([one, two].sort()).toEqual([0, 1]);
    expect(rest).toEqual([one, two, two]);
    expect([...kMeans(rowsOf([[5], [5], [5]]), 4, new Rng(0, 'clusters'))]).toEqual([0, 0, 0]);
    expect([...kMeans(rowsOf([[5]]), 4, new Rng(0, 'clusters'))]).toEqual([0]);
  });
});
