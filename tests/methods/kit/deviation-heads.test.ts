/** Heads that learn how far anomalies lie from normal scores: their loss, and the map of their gradient. */
import { describe, expect, it } from 'vitest';
import { Rng } from '../../../src/base/rng';
import { floatTensor, floats } from '../../../src/base/tensor';
import { deviationLoss, gradientMap } from '../../../src/methods/kit/deviation-heads';
import { relativeError } from '../../support/golden';
import { evaluate, openNodeRuntime } from '../../support/node-runtime';

const runtime = openNodeRuntime();

describe('the deviation loss (methods.md 14.4)', () => {
  it.each([
    [0, 1, 5],
    [5, 1, 0],
    [-1, 0, 1],
  ])('of score %d with target %d is %d', async (value, target, loss) => {
    const feeds = { s: floatTensor([1], [value]), y: floatTensor([1], [target]), all: floatTensor([1], [1]) };
    const found = await evaluate(runtime, feeds, ({ s, y, all }) => ({ loss: deviationLoss(s, y, all) }));
    expect(floats(found.loss)[0]).toBe(loss);
  });

  it('is the mean over the images that count', async () => {
    const feeds = {
      s: floatTensor([3], [1, 2, 3]),
      y: floatTensor([3], [0, 1, 0]),
      some: floatTensor([3], [1, 1, 0]),
      none: floatTensor([3], [0, 0, 0]),
    };
    const found = await evaluate(runtime, feeds, ({ s, y, some, none }) => ({
      ofSome: deviationLoss(s, y, some),
      ofNone: deviationLoss(s, y, none),
    }));
    expect([floats(found.ofSome)[0], floats(found.ofNone)[0]]).toEqual([2, 0]);
  });
});

it('a gradient map goes from its least to its 99th percentile', async () => {
  const side = 12;
  const rng = new Rng(1, 'gradients');
  const made = () =>
    floatTensor(
      [2, 3, side, side],
      Float32Array.from({ length: 6 * side * side }, () => rng.bell()),
    );
  const feeds = { a: made(), b: made() };
  const { map } = await evaluate(runtime, feeds, ({ a, b }) => ({ map: gradientMap([a, b], side, 0) }));
  const area = side * side;
  for (const image of [0, 1]) {
    const sums = Array.from({ length: area }, (_, i) =>
      Object.values(feeds).reduce(
        (sum, { data }) =>
          sum + [0, 1, 2].reduce((own, c) => own + Math.abs(Number(data[(image * 3 + c) * area + i])), 0),
        0,
      ),
    );
    const sorted = [...sums].sort((x, y) => x - y);
    // numpy.percentile of 144 values: at position 141.57.
    const high = sorted[141] + 0.57 * (sorted[142] - sorted[141]);
    const expected = sums.map((value) => Math.min((value - sorted[0]) / (high - sorted[0]), 1));
    expect(relativeError(floats(map).slice(image * area, (image + 1) * area), expected)).toBeLessThan(1e-5);
  }
});

it('a score without any gradient has an empty map', async () => {
  const feeds = { a: floatTensor([1, 2, 4, 4], new Float32Array(32)) };
  const { map } = await evaluate(runtime, feeds, ({ a }) => ({ map: gradientMap([a], 8, 1) }));
  expect([...floats(map)]).toEqual(new Array(64).fill(0));
});
