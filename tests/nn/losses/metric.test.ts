import { describe, expect, it } from 'vitest';
import { Rng } from '../../../src/base/rng';
import { floatTensor, floats } from '../../../src/base/tensor';
import { gradients } from '../../../src/graph/autodiff';
import { mul, sub } from '../../../src/graph/ops/index';
import { crossEntropy } from '../../../src/nn/losses/long-tail';
import {
  classPairs,
  clusterPairs,
  cosines,
  decorrelationLoss,
  membership,
  subCentreCounts,
  subCentreLoss,
  subCentreSimilarity,
  supervisedContrastive,
  tripletLoss,
} from '../../../src/nn/losses/metric';
import { gradientError } from '../../support/finite-differences';
import { evaluate, openNodeRuntime } from '../../support/node-runtime';

const runtime = openNodeRuntime();

const random = (shape: readonly number[], stream: string) => {
  const rng = new Rng(1, stream);
  const size = shape.reduce((a, b) => a * b, 1);
  return floatTensor(
    shape,
    Float32Array.from({ length: size }, () => rng.bell()),
  );
};
const oneHot = (classOf: readonly number[], classes: number) =>
  floatTensor(
    [classOf.length, classes],
    classOf.flatMap((own) => Array.from({ length: classes }, (_, c) => Number(c === own))),
  );

describe('sub-centres (methods.md 18.5)', () => {
  it('are more for larger classes, 1 to 5', () => {
    expect(subCentreCounts([1, 4, 12, 50, 100, 10_000])).toEqual([1, 1, 2, 4, 5, 5]);
    expect([...floats(membership([1, 2]))]).toEqual([1, 0, 0, 0, 1, 1]);
  });

  it('with one a class are a softmax with a margin', async () => {
    const feeds = { u: random([4, 5], 'u'), centres: random([3, 5], 'w'), labels: oneHot([0, 2, 1, 1], 3) };
    const found = await evaluate(runtime, feeds, ({ u, centres, labels }, graph) => {
      const cosine = cosines(u, centres);
      const of = graph.constant(membership([1, 1, 1]));
      const [own, plain] = [
        subCentreLoss(subCentreSimilarity(cosine, of), labels),
        crossEntropy(mul(sub(cosine, mul(labels, 0.01)), 20), labels),
      ];
      return { own, plain, dOwn: gradients(own, [u])[0], dPlain: gradients(plain, [u])[0] };
    });
    expect(floats(found.own)[0]).toBeCloseTo(floats(found.plain)[0], 4);
    floats(found.dOwn).forEach((slope, i) => expect(slope).toBeCloseTo(floats(found.dPlain)[i], 4));
  });

  it('have the gradient of finite differences', async () => {
    const error = await gradientError(
      runtime,
      {
        inputs: { u: random([4, 5], 'u'), centres: random([6, 5], 'w') },
        build: ({ u, centres }) => {
          const labels = u.graph.constant(oneHot([0, 2, 1, 1], 3));
          const of = u.graph.constant(membership([1, 3, 2]));
          return subCentreLoss(subCentreSimilarity(cosines(u, centres), of), labels);
        },
      },
      new Rng(1, 'weights'),
    );
    expect(error).toBeLessThan(2e-3);
  });
});

describe('pairs', () => {
  it('are rows nearest to one centre of their class; negatives are of hard classes', async () => {
    // Centres along the axes: two of class 0, one each of classes 1 and 2.
    const rows = [
      [1, 0.1, 0, 0],
      [1, 0.2, 0, 0],
      [0.1, 1, 0.9, 0],
      [0, 0, 1, 0],
      [0, 0, 0, 1],
    ];
    const labels = oneHot([0, 0, 0, 1, 2], 3);
    const mined = floatTensor([5, 3], [1, 1, 0, 1, 1, 0, 1, 1, 1, 1, 1, 0, 0, 1, 1]);
    const feeds = { cosine: floatTensor([5, 4], rows.flat()), labels, mined };
    const found = await evaluate(runtime, feeds, (values, graph) => {
      const of = graph.constant(membership([2, 1, 1]));
      const { positives, negatives } = clusterPairs(values.cosine, of, values.labels, values.mined);
      const all = clusterPairs(values.cosine, of, values.labels, 1);
      return { positives, negatives, all: all.negatives };
    });
    const grid = (name: string) =>
      Array.from({ length: 5 }, (_, i) => [...floats(found[name]).slice(5 * i, 5 * i + 5)].join(''));
    expect(grid('positives')).toEqual(['01000', '10000', '00000', '00000', '00000']);
    expect(grid('negatives')).toEqual(['00010', '00010', '00011', '11100', '00010']);
    expect(grid('all')).toEqual(['00011', '00011', '00011', '11101', '11110']);
  });
});

describe.each([
  ['triplets', tripletLoss],
  ['contrast', supervisedContrastive],
] as const)('%s', (_name, loss) => {
  const lossOf = async (rows: readonly number[][], classOf: readonly number[]) => {
    const feeds = { u: floatTensor([rows.length, rows[0].length], rows.flat()), labels: oneHot(classOf, 4) };
    const found = await evaluate(runtime, feeds, ({ u, labels }) => {
      const value = loss(u, classPairs(labels));
      return { value, slope: gradients(value, [u])[0] };
    });
    return { value: floats(found.value)[0], slope: [...floats(found.slope)] };
  };

  it('without a positive is 0, with no gradient', async () => {
    const { value, slope } = await lossOf(
      [
        [1, 0],
        [0, 1],
        [1, 1],
      ],
      [0, 1, 2],
    );
    expect(value).toBe(0);
    expect(slope.every((each) => each === 0)).toBe(true);
  });

  it('of clusters far apart is small, of mixed ones large; rows that are the same do no harm', async () => {
    const apart = await lossOf(
      [
        [1, 0],
        [1, 0],
        [-1, 0],
        [-1, 0],
      ],
      [0, 0, 1, 1],
    );
    const mixed = await lossOf(
      [
        [1, 0],
        [-1, 0],
        [1, 0],
        [-1, 0],
      ],
      [0, 0, 1, 1],
    );
    expect(apart.value).toBeLessThan(1e-3);
    expect(mixed.value).toBeGreaterThan(2);
    for (const { slope } of [apart, mixed]) expect(slope.every(Number.isFinite)).toBe(true);
  });
});

describe('decorrelation (methods.md 18.5 e)', () => {
  const lossOf = async (u: readonly number[][], agnostic: readonly number[][]) => {
    const rows = (values: readonly number[][]) =>
      floatTensor([values.length, values[0].length], values.flat());
    const found = await evaluate(runtime, { u: rows(u), a: rows(agnostic) }, ({ u, a }) => {
      const value = decorrelationLoss(u, a);
      const [dU, dA] = gradients(value, [u, a]);
      return { value, dU, dA };
    });
    return { value: floats(found.value)[0], slopes: [...floats(found.dU), ...floats(found.dA)] };
  };
  const TURNING = [[1], [0], [-1], [0]];

  it('is the mean square of the correlations, whatever the scale and the offset', async () => {
    const scaled = TURNING.map(([value]) => [5 - 300 * value]);
    expect((await lossOf(TURNING, scaled)).value).toBeCloseTo(1, 5);
    const across = [[0], [1], [0], [-1]];
    expect((await lossOf(TURNING, across)).value).toBeCloseTo(0, 6);
    const both = across.map(([value], i) => [value, TURNING[i][0]]);
    expect((await lossOf(TURNING, both)).value).toBeCloseTo(0.5, 5);
  });

  it('of a column that never changes is 0, with no gradient', async () => {
    const { value, slopes } = await lossOf(TURNING, [[0.3], [0.3], [0.3], [0.3]]);
    expect(value).toBeCloseTo(0, 6);
    slopes.forEach((slope) => expect(slope).toBeCloseTo(0, 6));
  });

  it('has the gradient of finite differences', async () => {
    const error = await gradientError(
      runtime,
      {
        inputs: { u: random([6, 3], 'u'), agnostic: random([6, 2], 'a') },
        build: ({ u, agnostic }) => decorrelationLoss(u, agnostic),
      },
      new Rng(1, 'weights'),
    );
    expect(error).toBeLessThan(2e-3);
  });
});
