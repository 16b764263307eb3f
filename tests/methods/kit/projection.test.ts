import { describe, expect, it } from 'vitest';
import { Rng } from '../../../src/base/rng';
import type { Points } from '../../../src/methods/kit/coreset';
import { project, projectedWidth } from '../../../src/methods/kit/projection';
import { relativeError } from '../../support/golden';
import { openNodeRuntime } from '../../support/node-runtime';

const runtime = openNodeRuntime();

const projected = (points: Points, seed = 1): Promise<Points> =>
  project({ compile: (graph) => runtime.compile(graph), rng: (stream) => new Rng(seed, stream) }, points);

/** Unit vectors e(p mod width): their images are the rows of the projection. */
function units(count: number, width: number): Points {
  const values = new Float32Array(count * width);
  for (let p = 0; p < count; p++) values[p * width + (p % width)] = 1;
  return { values, count, width };
}

describe('sparse random projection', () => {
  it('keeps as many dimensions as methods.md 5.3 says', () => {
    expect([1e3, 1e4, 1e5, 1.024e6].map(projectedWidth)).toEqual([170, 227, 284, 341]);
  });

  it('leaves points alone where it saves nothing', async () => {
    const points = units(1000, 170);
    expect(await projected(points)).toBe(points);
  });

  it('has entries 0 and ±√(1/(s·p)) with density s = 1/√d, as many positive as negative', async () => {
    const d = 400;
    const { values, width } = await projected(units(d, d));
    expect(width).toBe(projectedWidth(d));
    const entry = Math.sqrt(Math.sqrt(d) / width);
    const [positive, negative] = [1, -1].map((sign) => values.filter((v) => v * sign > 0));
    for (const value of [...positive, ...negative]) expect(Math.abs(value)).toBeCloseTo(entry, 5);
    // Counts of 58,800 draws, five standard deviations wide.
    const expected = (values.length / Math.sqrt(d)) * 0.5;
    for (const found of [positive, negative])
      expect(Math.abs(found.length - expected)).toBeLessThan(5 * Math.sqrt(expected));
  });

  it('keeps squared lengths on average', async () => {
    const rng = new Rng(2, 'projection.points');
    const [count, d] = [1500, 300];
    const points = { count, width: d, values: Float32Array.from({ length: count * d }, () => rng.normal()) };
    const { values } = await projected(points);
    const energy = (array: Float32Array) => array.reduce((sum, value) => sum + value * value, 0);
    expect(energy(values) / energy(points.values)).toBeGreaterThan(0.95);
    expect(energy(values) / energy(points.values)).toBeLessThan(1.05);
  });

  it('is one matrix for all points, however many, and the same for the same seed', async () => {
    const d = 260;
    const points = units(5000, d);
    const [first, again, other] = [
      await projected(points),
      await projected(points),
      await projected(points, 2),
    ];
    expect(relativeError(again.values, first.values)).toBe(0);
    expect(relativeError(other.values, first.values)).toBeGreaterThan(0.5);
    const rowOf = (p: number) => [...first.values.subarray(p * first.width, (p + 1) * first.width)];
    // The second of each pair lies in the second block of 4096 points.
    for (const p of [0, 17, 59]) expect(rowOf(p + 16 * d)).toEqual(rowOf(p));
  });
});
