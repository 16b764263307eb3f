import { describe, expect, it } from 'vitest';
import { Rng } from '../../../src/base/rng';
import { greedyCoreset } from '../../../src/methods/kit/coreset';
import type { Coreset, Points } from '../../../src/methods/kit/coreset';
import type { Runtime } from '../../../src/runtime/runtime';
import { farthestPoints, greedyShortfall } from '../../support/farthest-points';
import { openNodeRuntime } from '../../support/node-runtime';

const runtime = openNodeRuntime();

const contextOn = (on: Runtime): Parameters<typeof greedyCoreset>[0] => ({
  compile: (graph, resident) => on.compile(graph, { resident }),
  upload: (tensor) => on.upload(tensor),
});

async function select(points: Points, size: number, start = 0): Promise<Coreset> {
  const selection = greedyCoreset(contextOn(runtime), points, size, start);
  let step = await selection.next();
  while (!step.done) step = await selection.next();
  return step.value;
}

const pointsOf = (count: number, width: number, valueOf: (p: number, i: number) => number): Points => ({
  count,
  width,
  values: Float32Array.from({ length: count * width }, (_, at) =>
    valueOf(Math.floor(at / width), at % width),
  ),
});

const normal = (stream: string, count: number, width: number, mean = 0): Points => {
  const rng = new Rng(1, `coreset.${stream}`);
  return pointsOf(count, width, () => mean + rng.normal());
};

/** Groups of points around far centres. */
function clustered(stream: string, spread: number): Points {
  const rng = new Rng(1, `coreset.${stream}`);
  const centres = Array.from({ length: 12 }, () => Array.from({ length: 8 }, () => 4 * rng.normal()));
  return pointsOf(4000, 8, (p, i) => centres[p % 12][i] + spread * rng.normal());
}

/** Grid points in scan order. */
const lattice = (side: number, copies = 1): Points =>
  pointsOf(side * side * copies, 2, (p, i) => (i ? p % side : Math.floor(p / side) % side));

describe('the same picks as the plain loop', () => {
  // Sets whose picks all lead by more than float32 rounds, so that equality holds on every processor.
  it.each<[string, Points, number, number]>([
    ['20 dimensions', normal('low', 5000, 20), 400, 3],
    ['100 dimensions', normal('high', 2000, 100), 320, 1999],
    ['far from the origin', normal('far', 2000, 10, 50), 320, 7],
    ['clusters', clustered('clusters', 1), 320, 0],
    ['more points than one block takes', normal('blocks', 9000, 3), 100, 8191],
    ['fewer points than candidates', normal('few', 60, 5), 60, 59],
  ])('%s', async (_, points, size, start) => {
    const expected = farthestPoints(points, size, start);
    expect(expected.margin).toBeGreaterThan(2e-6);
    const { index, radius } = await select(points, size, start);
    expect([...index]).toEqual(expected.index);
    expect(radius.length).toBe(size);
    radius.forEach((value, i) =>
      expect(Math.abs(value - expected.radius[i])).toBeLessThanOrEqual(1e-5 * expected.radius[i]),
    );
  });

  // Distances of a lattice are exact in float32 as long as its mean is.
  it.each<[string, Points, number]>([
    ['8 × 8', lattice(8), 64],
    ['17 × 17', lattice(17), 289],
    ['64 × 64', lattice(64), 400],
    ['a line', pointsOf(1001, 1, (p) => p), 400],
    ['a line in space', pointsOf(1025, 3, (p, i) => (i + 1) * (p - 512)), 400],
  ])('ties go to the lowest index: %s', async (_, points, size) => {
    const { index, radius } = await select(points, size);
    const expected = farthestPoints(points, size, 0);
    expect([...index]).toEqual(expected.index);
    expect([...radius]).toEqual(expected.radius.map(Math.fround));
  });

  it('many picks of many blocks, ordered anew as they are left alone: greedy but for rounding', async () => {
    const points = normal('lazy', 20_000, 6);
    expect(greedyShortfall(points, (await select(points, 4000)).index)).toBeLessThan(1e-5);
  });

  it('the example of methods.md 5.8', async () => {
    const points = pointsOf(
      5,
      2,
      (p, i) =>
        [
          [0, 0],
          [1, 0],
          [10, 0],
          [10, 1],
          [0, 9],
        ][p][i],
    );
    expect([...(await select(points, 4)).index]).toEqual([0, 3, 4, 1]);
  });
});

describe('the end', () => {
  it('a size of one is the start alone', async () => {
    const { index, radius } = await select(lattice(8), 1, 5);
    expect([[...index], [...radius]]).toEqual([[5], [0]]);
  });

  it('all points, each once, when so many are wanted', async () => {
    const { index } = await select(normal('all', 700, 4), 700, 9);
    expect([...index].sort((a, b) => a - b)).toEqual(Array.from({ length: 700 }, (_, i) => i));
  });

  it('comes early when every point is picked or equal to one', async () => {
    // 64 places, each 30 times: the lowest copy is taken.
    const { index } = await select(lattice(8, 30), 400);
    expect([...index].sort((a, b) => a - b)).toEqual(Array.from({ length: 64 }, (_, i) => i));
    expect(
      (
        await select(
          pointsOf(1000, 4, () => 0.3),
          10,
        )
      ).index.length,
    ).toBe(1);
    expect((await select(lattice(3), 100)).index.length).toBe(9);
  });

  it('leaves nothing on the device, given up or not', async () => {
    await select(lattice(17), 20);
    expect(runtime.ledger.liveBytes).toBe(0);
    const selection = greedyCoreset(contextOn(runtime), lattice(64), 400, 0);
    await selection.next();
    expect(runtime.ledger.liveBytes).toBeGreaterThan(0);
    await selection.return({ index: new Int32Array(0), radius: new Float32Array(0) });
    expect(runtime.ledger.liveBytes).toBe(0);
  });

  it('is told on the way: picks so far, ascending, to the size wanted', async () => {
    const ticks: number[] = [];
    for await (const done of greedyCoreset(contextOn(runtime), normal('ticks', 2000, 6), 300, 0))
      ticks.push(done);
    expect(ticks[0]).toBe(1);
    expect(ticks.at(-1)).toBe(300);
    expect([...ticks].sort((a, b) => a - b)).toEqual(ticks);
    // Far fewer passes over all points than picks: what the candidates are for.
    expect(ticks.length).toBeLessThan(60);
  });
});

// |x|² + |c|² − 2x·c loses what is small beside |x|²: equal points come out some 1e-7·|x|² apart, near points as wrong
// as that.
describe('where rounding decides', () => {
  const distinct = normal('duplicates', 100, 16);
  const copies = pointsOf(3000, 16, (p, i) => distinct.values[(p % 100) * 16 + i]);

  it('all of 100 points with 30 copies each are found', async () => {
    const { index } = await select(copies, 100);
    expect(new Set([...index].map((pick) => pick % 100)).size).toBe(100);
  });

  it('… and no copy is', async () => {
    expect((await select(copies, 400)).index.length).toBe(100);
  });

  it('ties go to the lowest index when the mean is no float32 number', async () => {
    const points = pointsOf(3000, 3, (p, i) => ((p % 50) * (i + 1)) % 17);
    const expected = farthestPoints(points, 400, 0);
    expect([...(await select(points, expected.index.length)).index]).toEqual(expected.index);
    expect((await select(points, 400)).index.length).toBe(expected.index.length);
  });

  it('tight clusters, a thousandth as wide as they are apart: no point was more than 2 % farther away', async () => {
    const points = clustered('tight', 0.02);
    expect(greedyShortfall(points, (await select(points, 320)).index)).toBeLessThan(0.02);
  });

  it('clusters a hundredth as wide as they are apart: 0.05 %', async () => {
    const points = clustered('narrow', 0.1);
    expect(greedyShortfall(points, (await select(points, 320)).index)).toBeLessThan(5e-4);
  });
});
