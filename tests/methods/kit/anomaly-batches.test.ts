/** Pictures and batches that known anomalies are learnt by, beside made ones. */
import { describe, expect, it } from 'vitest';
import { Rng } from '../../../src/base/rng';
import { floats } from '../../../src/base/tensor';
import type { TensorData } from '../../../src/base/tensor';
import { batchPlan, cutMixed, drawBatch, turned } from '../../../src/methods/kit/anomaly-batches';

const SIDE = 32;

/** Least squares of b by a line of a: the mean square left, and the slope. */
function fitLine(a: readonly number[], b: readonly number[]): { error: number; slope: number } {
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [ma, mb] = [mean(a), mean(b)];
  const slope = mean(a.map((value, i) => (value - ma) * (b[i] - mb))) / mean(a.map((v) => (v - ma) ** 2));
  return { slope, error: mean(b.map((value, i) => (value - mb - slope * (a[i] - ma)) ** 2)) };
}

describe('pseudo anomalies', () => {
  const rng = new Rng(1, 'noise');
  const noise = Float32Array.from({ length: SIDE * SIDE }, () => rng.between(0.3, 0.6));

  it.each([1, 2, 3, 4, 5])('%#: a rectangle of the image itself, elsewhere, a little changed', (seed) => {
    const before = noise.slice();
    const mixed = cutMixed(noise, SIDE, new Rng(seed, 'cut'));
    expect(noise).toEqual(before);
    const changed = [...mixed.keys()].filter((i) => mixed[i] !== noise[i]);
    const [ys, xs] = [changed.map((i) => Math.floor(i / SIDE)), changed.map((i) => i % SIDE)];
    const [top, left] = [Math.min(...ys), Math.min(...xs)];
    const [height, width] = [Math.max(...ys) - top + 1, Math.max(...xs) - left + 1];
    expect(changed.length).toBe(height * width);
    // Sides are whole pixels.
    expect((height - 1) * (width - 1)).toBeLessThan(0.15 * SIDE * SIDE);
    expect((height + 1) * (width + 1)).toBeGreaterThan(0.02 * SIDE * SIDE);
    const pixelsAt = (image: Float32Array, y: number, x: number) =>
      Array.from(
        { length: height * width },
        (_, i) => image[(y + Math.floor(i / width)) * SIDE + x + (i % width)],
      );
    const patch = pixelsAt(mixed, top, left);
    // One place is what the patch is a straight line of; brightness and contrast change by a tenth at most each.
    const errors: { error: number; slope: number }[] = [];
    for (let y = 0; y + height <= SIDE; y++)
      for (let x = 0; x + width <= SIDE; x++) errors.push(fitLine(pixelsAt(noise, y, x), patch));
    const [best, next] = errors.sort((a, b) => a.error - b.error);
    expect(best.error).toBeLessThan(1e-6);
    expect(next.error).toBeGreaterThan(1e-3);
    expect(best.slope).toBeGreaterThan(0.81 - 1e-6);
    expect(best.slope).toBeLessThan(1.21 + 1e-6);
  });

  it('stay within 0 and 1', () => {
    const white = new Float32Array(SIDE * SIDE).map((_, i) => i % 2);
    for (let seed = 0; seed < 10; seed++)
      for (const value of cutMixed(white, SIDE, new Rng(seed, 'white')))
        expect(value >= 0 && value <= 1).toBe(true);
  });
});

it('an image can be laid in eight ways, quarter turns among them', () => {
  const plane = Float32Array.from([1, 2, 3, 4]);
  const all = [false, true].flatMap((transposed) =>
    [false, true].flatMap((y) =>
      [false, true].map((x) => [...turned(plane, 2, { x, y, transposed })].join('')),
    ),
  );
  expect(all[0]).toBe('1234');
  expect(new Set(all)).toEqual(new Set(['1234', '2143', '3412', '4321', '1324', '3142', '2413', '4231']));
});

describe('a batch', () => {
  const items = (first: number, images: readonly number[]) =>
    images.map((image, i) => ({ at: first + i, image }));
  const set = { good: items(0, [0, 1, 2, 0, 1, 2]), defects: items(6, [0, 1]), pseudo: items(8, [0, 1, 2]) };
  const rowsOf = ({ shape, data }: TensorData) =>
    Array.from({ length: shape[0] }, (_, i) => [
      ...(data as Float32Array).slice(i * shape[1], (i + 1) * shape[1]),
    ]);

  it('is two thirds good images and made ones, a third known defects', () => {
    expect([12, 48, 3].map(batchPlan)).toEqual([
      { normals: 8, anomalies: 4 },
      { normals: 32, anomalies: 16 },
      { normals: 2, anomalies: 1 },
    ]);
    const counts = [0, 0, 0];
    for (let i = 0; i < 100; i++) {
      const { items: at, kinds } = drawBatch(set, [0, 1], batchPlan(12), new Rng(i, 'batch'));
      rowsOf(kinds).forEach((row, j) => {
        const kind = row.indexOf(1);
        expect(row.reduce((a, b) => a + b)).toBe(1);
        expect(at[j] < 6 ? 0 : at[j] < 8 ? 1 : 2).toBe(kind);
        counts[kind]++;
      });
    }
    expect(counts[1]).toBe(400);
    expect(Math.abs(counts[2] - 400)).toBeLessThan(60);
  });

  it('holds no picture against the image that it was made of', () => {
    const { items: at, kinds, shares } = drawBatch(set, [0, 2], batchPlan(48), new Rng(1, 'batch'));
    rowsOf(shares).forEach((row, j) => {
      const own = [...set.good, ...set.pseudo].find((item) => item.at === at[j])?.image;
      const expected = own === 0 ? [0, 1] : own === 2 ? [1, 0] : [0.5, 0.5];
      expect([rowsOf(kinds)[j], row]).toEqual([rowsOf(kinds)[j], expected]);
    });
  });

  it('has the one reference that there is', () => {
    const { shares } = drawBatch(set, [1], batchPlan(12), new Rng(1, 'batch'));
    expect([...floats(shares)]).toEqual(new Array(12).fill(1));
  });
});
