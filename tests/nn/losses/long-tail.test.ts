import { describe, expect, it } from 'vitest';
import { floatTensor, floats } from '../../../src/base/tensor';
import { add, mul, softmax } from '../../../src/graph/ops/index';
import {
  crossEntropy,
  divergence,
  effectiveWeights,
  inverseCounts,
  logPriors,
  minedCategories,
  perClass,
  restricted,
} from '../../../src/nn/losses/long-tail';
import { evaluate, openNodeRuntime } from '../../support/node-runtime';

const runtime = openNodeRuntime();
const COUNTS = [100, 10, 1];

describe('priors (methods.md 18.10)', () => {
  it('balanced softmax of logits that say nothing is the prior; the inverse one leans to rare classes', async () => {
    const feeds = {
      logits: floatTensor([1, 3], [0, 0, 0]),
      prior: perClass(logPriors(COUNTS)),
      inverse: perClass(logPriors(inverseCounts(COUNTS))),
    };
    const found = await evaluate(runtime, feeds, ({ logits, prior, inverse }) => ({
      balanced: softmax(add(logits, prior)),
      leaning: softmax(add(logits, add(prior, mul(inverse, -2)))),
    }));
    [0.9009, 0.0901, 0.009].forEach((share, c) => expect(floats(found.balanced)[c]).toBeCloseTo(share, 4));
    [0.999, 0.000999, 0.000001].forEach((share, c) => expect(floats(found.leaning)[c]).toBeCloseTo(share, 6));
  });

  it('in the inverse order, classes of one size beside each other included', () => {
    expect(inverseCounts([5, 80, 20])).toEqual([80, 5, 20]);
    expect(inverseCounts([7, 7, 1]).sort()).toEqual([1, 7, 7]);
  });

  it('weights by effective number fall with the count, mean 1', () => {
    const weights = [...effectiveWeights(COUNTS)];
    expect(weights).toEqual([...weights].sort((a, b) => a - b));
    expect(weights.reduce((sum, weight) => sum + weight, 0) / 3).toBeCloseTo(1, 6);
  });
});

describe('hard categories (methods.md 18.5)', () => {
  const feeds = {
    logits: floatTensor([1, 5], [2, 1, 0.5, 3, -1]),
    labels: floatTensor([1, 5], [0, 1, 0, 0, 0]),
  };

  it('are the class itself and the largest others; the rest takes no share', async () => {
    const found = await evaluate(runtime, feeds, ({ logits, labels }) => {
      const mined = minedCategories(logits, labels, 3);
      return {
        mined,
        hard: crossEntropy(restricted(logits, mined), labels),
        full: crossEntropy(logits, labels),
        shares: softmax(restricted(logits, mined)),
      };
    });
    expect([...floats(found.mined)]).toEqual([1, 1, 0, 1, 0]);
    expect(floats(found.hard)[0]).toBeCloseTo(2.407606, 5);
    expect(floats(found.full)[0]).toBeCloseTo(2.472261, 5);
    expect([floats(found.shares)[2], floats(found.shares)[4]]).toEqual([0, 0]);
  });
});

describe('divergence', () => {
  it('of equal shares is 0, of restricted ones too, and is positive otherwise', async () => {
    const feeds = {
      a: floatTensor([1, 3], [1, 2, 3]),
      b: floatTensor([1, 3], [2, 3, 4]),
      c: floatTensor([1, 3], [3, 1, 2]),
    };
    const found = await evaluate(runtime, feeds, ({ a, b, c }, graph) => {
      const kept = graph.constant(floatTensor([1, 3], [1, 0, 1]));
      return {
        same: divergence(a, b),
        restricted: divergence(restricted(a, kept), restricted(b, kept)),
        other: divergence(a, c),
      };
    });
    expect(floats(found.same)[0]).toBeCloseTo(0, 6);
    expect(floats(found.restricted)[0]).toBeCloseTo(0, 6);
    expect(floats(found.other)[0]).toBeGreaterThan(0.5);
  });
});
