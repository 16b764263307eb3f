import { describe, expect, it } from 'vitest';
import { Rng } from '../../../src/base/rng';
import { floatTensor, floats } from '../../../src/base/tensor';
import type { TensorData } from '../../../src/base/tensor';
import { GridGaussians, squaredLengths } from '../../../src/methods/kit/gaussians';
import { cellsOf, cutGrids, sampleSize, whiteningSize } from '../../../src/methods/kit/nested-grids';
import type { Grid } from '../../../src/methods/kit/nested-grids';
import type { MethodState } from '../../../src/methods/contract';
import { relativeError } from '../../support/golden';
import { evaluate, openNodeRuntime } from '../../support/node-runtime';
import { assembled, spread } from './assembled';

const runtime = openNodeRuntime();

const grid = (rows: number, columns: number, width: number): Grid => ({ rows, columns, width });

/** Samples into a state, as a fit does it. */
async function fitted(
  samples: readonly Float32Array[],
  grids: readonly Grid[],
  group: number,
  lambda: number,
): Promise<{ state: MethodState; ticks: number[] }> {
  const gaussians = new GridGaussians({ compile: (graph) => runtime.compile(graph) }, grids, group);
  for (const sample of samples) await gaussians.add(sample);
  const finishing = gaussians.finish(lambda);
  const ticks: number[] = [];
  let step = await finishing.next();
  while (!step.done) {
    ticks.push(step.value);
    step = await finishing.next();
  }
  return { state: step.value, ticks };
}

/** Mean, and the covariance with n−1 and λ on the diagonal, in two passes of float64. */
function twoPass(images: readonly Float32Array[], positions: number, width: number, lambda: number) {
  const mean = new Float64Array(positions * width);
  for (const image of images) image.forEach((value, i) => (mean[i] += value / images.length));
  const covariance = new Float64Array(positions * width * width);
  for (const image of images)
    for (let p = 0; p < positions; p++)
      for (let i = 0; i < width; i++)
        for (let j = 0; j < width; j++) {
          const [a, b] = [p * width + i, p * width + j];
          covariance[a * width + j] += ((image[a] - mean[a]) * (image[b] - mean[b])) / (images.length - 1);
        }
  for (let at = 0; at < positions * width; at++) covariance[at * width + (at % width)] += lambda;
  return { mean, covariance };
}

/** Largest entry of |Uᵀ·Σ·U − I| at any position. */
function whiteningFlaw(covariance: Float64Array, u: Float32Array, positions: number, width: number): number {
  let worst = 0;
  for (let p = 0; p < positions; p++)
    for (let i = 0; i < width; i++)
      for (let j = 0; j < width; j++) {
        let sum = i === j ? -1 : 0;
        for (let k = 0; k < width; k++)
          for (let l = 0; l < width; l++)
            sum +=
              u[(p * width + k) * width + i] *
              covariance[(p * width + k) * width + l] *
              u[(p * width + l) * width + j];
        worst = Math.max(worst, Math.abs(sum));
      }
  return worst;
}

/** Samples with a mean of each channel's own, and standard deviation 1. */
const samplesOf = (count: number, grids: readonly Grid[], offset = 0, deviation = 1): Float32Array[] => {
  const rng = new Rng(1, 'gaussians.samples');
  return Array.from({ length: count }, () =>
    Float32Array.from({ length: sampleSize(grids) }, (_, i) => offset + (i % 5) + deviation * rng.normal()),
  );
};

/** Largest error of the mean, relative, and largest entry of |Uᵀ·Σ·U − I|. */
function flaws(samples: readonly Float32Array[], grids: readonly Grid[], state: MethodState, lambda: number) {
  const { mean, whitening, cells, width } = assembled(state, grids);
  const exact = twoPass(
    samples.map((sample) => spread(sample, grids)),
    cells,
    width,
    lambda,
  );
  return {
    mean: relativeError(mean, exact.mean),
    whitening: whiteningFlaw(exact.covariance, whitening, cells, width),
  };
}

const ONE = [grid(5, 6, 6)];
const NESTED = [grid(2, 1, 3), grid(4, 3, 2), grid(12, 6, 4)];
const LAMBDA = 0.01;

describe('GridGaussians', () => {
  // 23 samples in groups: one group, exact fits, a last group of one, many groups of two.
  it.each([
    ['one grid', ONE, 23],
    ['one grid', ONE, 40],
    ['one grid', ONE, 12],
    ['one grid', ONE, 11],
    ['one grid', ONE, 2],
    ['nested grids', NESTED, 23],
    ['nested grids', NESTED, 11],
    ['nested grids', NESTED, 2],
  ])('%s: the two-pass mean and covariance, in groups of %3$s', async (_, grids, group) => {
    const samples = samplesOf(23, grids);
    const { state } = await fitted(samples, grids, group, LAMBDA);
    const { mean, whitening } = flaws(samples, grids, state, LAMBDA);
    expect(mean).toBeLessThan(1e-6);
    expect(whitening).toBeLessThan(1e-4);
    expect(floats(state.count)[0]).toBe(23);
  });

  it('samples come one by one or many at once', async () => {
    const samples = samplesOf(7, NESTED);
    const together = Float32Array.from(samples.flatMap((sample) => [...sample]));
    const { state } = await fitted(samples, NESTED, 3, LAMBDA);
    expect((await fitted([together], NESTED, 3, LAMBDA)).state).toEqual(state);
  });

  it.each([
    ['one grid', ONE],
    ['nested grids', NESTED],
  ])('%s: an offset of 300 costs no digits that float32 has', async (_, grids) => {
    const samples = samplesOf(20, grids, 300);
    const { state } = await fitted(samples, grids, 7, LAMBDA);
    expect(flaws(samples, grids, state, LAMBDA).whitening).toBeLessThan(1e-3);
  });

  it.each([
    ['one grid', ONE],
    ['nested grids', NESTED],
  ])('%s: with fewer samples than channels the regulariser fills what is missing', async (_, grids) => {
    const samples = samplesOf(3, grids);
    const { state } = await fitted(samples, grids, 2, LAMBDA);
    expect(flaws(samples, grids, state, LAMBDA).whitening).toBeLessThan(1e-3);
  });

  // Features as wide as the built-in backbone's. Float32's rounding of the scatter beside λ is what is left where
  // samples are many.
  it.each([
    [3, 2e-3],
    [12, 1e-3],
    [84, 5e-3],
  ])('%d samples of deviation 8 on 100 channels', async (count, bound) => {
    const grids = [grid(1, 1, 59), grid(2, 1, 26), grid(4, 2, 15)];
    const samples = samplesOf(count, grids, 0, 8);
    const { state } = await fitted(samples, grids, count, LAMBDA);
    expect(flaws(samples, grids, state, LAMBDA).whitening).toBeLessThan(bound);
  });

  it('one sample: no scatter, the regulariser alone', async () => {
    const { state } = await fitted(samplesOf(1, [grid(1, 2, 2)]), [grid(1, 2, 2)], 4, 0.25);
    expect([...floats(state['whitening.0.0'])]).toEqual([2, 0, 0, 2, 2, 0, 0, 2]);
  });

  it('bands join at the right cells, the last one lower than the others', async () => {
    const grids = [grid(7, 4, 2), grid(14, 12, 1), grid(28, 36, 2)];
    const samples = samplesOf(6, grids);
    const { state, ticks } = await fitted(samples, grids, 4, 1);
    expect(ticks).toEqual([432, 864, 1008]);
    const { mean, whitening } = flaws(samples, grids, state, 1);
    expect(mean).toBeLessThan(1e-6);
    expect(whitening).toBeLessThan(1e-5);
  });
});

describe('Mahalanobis lengths', () => {
  it('the example of methods.md 6.7', async () => {
    const samples = [
      [1, 2],
      [2, 1],
      [3, 4],
      [4, 3],
    ].map((vector) => Float32Array.from(vector));
    const grids = [grid(1, 1, 2)];
    const { state } = await fitted(samples, grids, 4, 0.01);
    expect([...floats(state['mean.0'])]).toEqual([2.5, 2.5]);
    const { squared } = await evaluate(runtime, { x: floatTensor([1, 1, 2], [5, 1]), ...state }, (v) => ({
      squared: squaredLengths([v.x], grids, v),
    }));
    expect(squared.shape).toEqual([1, 1]);
    expect(Math.sqrt(floats(squared)[0])).toBeCloseTo(3.465467, 5);
  });

  it('on nested grids, with matrices in parts: those of the assembled matrices', async () => {
    const samples = samplesOf(30, NESTED);
    const { state } = await fitted(samples, NESTED, 30, LAMBDA);
    const cut: Record<string, TensorData> = { ...state };
    const whole = state['whitening.2.0'];
    const [cells, height, width] = whole.shape;
    for (const [i, [from, to]] of [
      [0, 30],
      [30, cells],
    ].entries())
      cut[`whitening.2.${i}`] = floatTensor(
        [to - from, height, width],
        floats(whole).slice(from * height * width, to * height * width),
      );
    const queries = samplesOf(2, NESTED, 1);
    let from = 0;
    NESTED.forEach((own, k) => {
      const size = cellsOf(own) * own.width;
      const values = queries.flatMap((query) => [...query.subarray(from, from + size)]);
      cut[`x.${k}`] = floatTensor([2, cellsOf(own), own.width], values);
      from += size;
    });
    const { squared } = await evaluate(runtime, cut, (v) => ({
      squared: squaredLengths([v['x.0'], v['x.1'], v['x.2']], NESTED, v),
    }));
    expect(relativeError(floats(squared), expectedLengths(queries, state))).toBeLessThan(1e-5);
  });
});

/** Lengths in float64 by the assembled matrices, [queries, cells]. */
function expectedLengths(queries: readonly Float32Array[], state: MethodState): Float64Array {
  const { mean, whitening, cells, width } = assembled(state, NESTED);
  const lengths = new Float64Array(queries.length * cells);
  queries.forEach((query, q) => {
    const vectors = spread(query, NESTED);
    for (let p = 0; p < cells; p++)
      for (let j = 0; j < width; j++) {
        let sum = 0;
        for (let i = 0; i < width; i++)
          sum += (vectors[p * width + i] - mean[p * width + i]) * whitening[(p * width + i) * width + j];
        lengths[q * cells + p] += sum * sum;
      }
  });
  return lengths;
}

describe('cutGrids', () => {
  const square = (sides: readonly number[], widths: readonly number[]) =>
    sides.map((side, k) => grid(side, side, widths[k]));

  it.each<[string, Grid[]]>([
    ['the built-in backbone at 224', square([14, 28, 56], [59, 26, 15])],
    ['the widest that PaDiM offers', square([16, 32, 64], [314, 157, 79])],
    ['odd sides', square([15, 30, 60], [59, 26, 15])],
    ['one grid', square([37], [100])],
    ['one coarsest cell', square([1, 2, 4], [20, 30, 50])],
  ])('whole, in order, and small enough: %s', (_, grids) => {
    const bands = cutGrids(grids);
    grids.forEach((whole, k) => {
      expect(bands.reduce((sum, band) => sum + band[k].rows, 0)).toBe(whole.rows);
      for (const band of bands) {
        expect(band[k].rows).toBe((band[0].rows * whole.rows) / grids[0].rows);
        expect({ ...band[k], rows: whole.rows }).toEqual(whole);
      }
      expect(Math.max(...bands.map((band) => band[k].rows))).toBe(bands[0][k].rows);
    });
    // What WebGPU binds by default.
    for (const k of grids.keys())
      expect(
        (whiteningSize(bands[0].slice(0, k + 1)) - whiteningSize(bands[0].slice(0, k))) * 4,
      ).toBeLessThanOrEqual(128 * 2 ** 20);
  });
});
