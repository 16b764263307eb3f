import { describe, expect, it } from 'vitest';
import { Rng } from '../../../src/base/rng';
import { floatTensor, floats } from '../../../src/base/tensor';
import { PositionMoments, cutPositions, squaredLengths } from '../../../src/methods/kit/gaussians';
import type { Cut } from '../../../src/methods/kit/gaussians';
import type { FitContext, MethodState } from '../../../src/methods/contract';
import { relativeError } from '../../support/golden';
import { evaluate, openNodeRuntime } from '../../support/node-runtime';

const runtime = openNodeRuntime();

const compile: FitContext['compile'] = (graph) => runtime.compile(graph);

/** Images' vectors [positions, width] into a state, as a fit does it. */
async function fitted(
  images: readonly Float32Array[],
  cut: Cut,
  width: number,
  group: number,
  lambda: number,
): Promise<{ state: MethodState; ticks: number[] }> {
  const moments = new PositionMoments({ compile }, cut, width, group);
  for (const image of images) await moments.add(image);
  const finishing = moments.finish(lambda);
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

const imagesOf = (count: number, positions: number, width: number, offset = 0): Float32Array[] => {
  const rng = new Rng(1, 'gaussians.images');
  return Array.from({ length: count }, () =>
    Float32Array.from({ length: positions * width }, (_, i) => offset + (i % 5) + rng.normal()),
  );
};

describe('PositionMoments', () => {
  const [positions, width, lambda] = [30, 6, 0.01];
  const cut = cutPositions(positions, width);

  // 23 images in groups: one group, exact fits, a last group of one, many groups of two.
  it.each([23, 40, 12, 11, 2])('in groups of %d: the two-pass mean and covariance', async (group) => {
    const images = imagesOf(23, positions, width);
    const { state } = await fitted(images, cut, width, group, lambda);
    const exact = twoPass(images, positions, width, lambda);
    expect(relativeError(floats(state.mean), exact.mean)).toBeLessThan(1e-6);
    expect(whiteningFlaw(exact.covariance, floats(state['whitening.0']), positions, width)).toBeLessThan(
      1e-4,
    );
    expect(floats(state.count)[0]).toBe(23);
  });

  it('an offset of 300 costs no digits that float32 has', async () => {
    const images = imagesOf(20, positions, width, 300);
    const { state } = await fitted(images, cut, width, 7, lambda);
    const exact = twoPass(images, positions, width, lambda);
    expect(whiteningFlaw(exact.covariance, floats(state['whitening.0']), positions, width)).toBeLessThan(
      1e-3,
    );
  });

  it('fewer images than dimensions: the regulariser fills what is missing', async () => {
    const images = imagesOf(3, positions, width);
    const { state } = await fitted(images, cut, width, 2, lambda);
    const exact = twoPass(images, positions, width, lambda);
    expect(whiteningFlaw(exact.covariance, floats(state['whitening.0']), positions, width)).toBeLessThan(
      1e-3,
    );
  });

  it('one image: no scatter, the regulariser alone', async () => {
    const { state } = await fitted(imagesOf(1, 2, 2), cutPositions(2, 2), 2, 4, 0.25);
    expect([...floats(state['whitening.0'])]).toEqual([2, 0, 0, 2, 2, 0, 0, 2]);
  });

  it('several blocks and parts join at the right positions', async () => {
    const [many, wide] = [1000, 3];
    const images = imagesOf(5, many, wide);
    // Cut as if the parts were full after one block.
    const { state, ticks } = await fitted(
      images,
      { ...cutPositions(many, wide), blocksPerPart: 1, parts: 3 },
      wide,
      3,
      1,
    );
    expect(ticks).toEqual([334, 668, 1000]);
    const parts = [0, 1, 2].map((i) => state[`whitening.${i}`]);
    expect(parts.map(({ shape }) => shape)).toEqual([
      [334, 3, 3],
      [334, 3, 3],
      [332, 3, 3],
    ]);
    const exact = twoPass(images, many, wide, 1);
    const joined = Float32Array.from(parts.flatMap((part) => [...floats(part)]));
    expect(relativeError(floats(state.mean), exact.mean)).toBeLessThan(1e-6);
    expect(whiteningFlaw(exact.covariance, joined, many, wide)).toBeLessThan(1e-5);
    const query = floatTensor([1, many, wide], images[0]);
    const feeds = {
      query,
      mean: state.mean,
      ...Object.fromEntries(parts.map((part, i) => [`part${i}`, part])),
    };
    const { inParts } = await evaluate(runtime, feeds, (v) => ({
      inParts: squaredLengths(v.query, v.mean, [v.part0, v.part1, v.part2]),
    }));
    const whole = { query, mean: state.mean, u: floatTensor([many, wide, wide], joined) };
    const { atOnce } = await evaluate(runtime, whole, (v) => ({
      atOnce: squaredLengths(v.query, v.mean, [v.u]),
    }));
    expect(relativeError(floats(inParts), floats(atOnce))).toBeLessThan(1e-6);
  });
});

describe('Mahalanobis lengths', () => {
  it('the example of methods.md 6.7', async () => {
    const images = [
      [1, 2],
      [2, 1],
      [3, 4],
      [4, 3],
    ].map((vector) => Float32Array.from(vector));
    const { state } = await fitted(images, cutPositions(1, 2), 2, 4, 0.01);
    expect([...floats(state.mean)]).toEqual([2.5, 2.5]);
    const feeds = { x: floatTensor([1, 1, 2], [5, 1]), mean: state.mean, u: state['whitening.0'] };
    const { squared } = await evaluate(runtime, feeds, (v) => ({
      squared: squaredLengths(v.x, v.mean, [v.u]),
    }));
    expect(squared.shape).toEqual([1, 1]);
    expect(Math.sqrt(floats(squared)[0])).toBeCloseTo(3.465467, 5);
  });
});

describe('cutPositions', () => {
  const shapes = [1, 2, 64, 447, 448, 449, 784, 1000, 3136, 4096].flatMap((positions) =>
    [4, 100, 176, 250].map((width) => [positions, width] as const),
  );

  it('whole, in order, and small enough', () => {
    for (const [positions, width] of shapes) {
      const { block, blocks, blocksPerPart, parts } = cutPositions(positions, width);
      expect(block * blocks).toBeGreaterThanOrEqual(positions);
      expect(block * (blocks - 1)).toBeLessThan(positions);
      expect(block).toBeLessThanOrEqual(448);
      expect(parts).toBe(Math.ceil(blocks / blocksPerPart));
      expect(blocksPerPart * block * width * width * 4).toBeLessThanOrEqual(128 * 2 ** 20);
    }
  });

  // A part is never less than a block of some 448 positions: from width 274 on more than WebGPU binds by default
  // (542 MB at the widest that PaDiM offers).
  it.fails.each([
    [3136, 550],
    [4096, 300],
  ])('%d positions of width %d: small enough', (positions, width) => {
    const { blocksPerPart, block } = cutPositions(positions, width);
    expect(blocksPerPart * block * width * width * 4).toBeLessThanOrEqual(128 * 2 ** 20);
  });
});
