import { expect, it } from 'vitest';
import { floatTensor } from '../../src/base/tensor';
import { ClassScorer, withTemperature } from '../../src/engine/class-scorer';
import { mul, slice } from '../../src/graph/ops/index';
import type { Classifier } from '../../src/methods/classifier';
import { openNodeRuntime } from '../support/node-runtime';
import { smallBackbone } from '../support/small-backbone';

const SIDE = 32;
const CLASSES = 3;

/** Says the first of a backbone's values; its second expert says twice as much. */
const sayer = {
  needs: { taps: ['pooled'] },
  classify: (_graph, { taps }) => {
    const logits = slice(taps.pooled!, 1, 0, CLASSES);
    return { logits, experts: [logits, mul(logits, 2)] };
  },
} as Pick<Classifier, 'needs' | 'classify'> as Classifier;

const softmaxOf = (logits: readonly number[]): number[] => {
  const raised = logits.map(Math.exp);
  const sum = raised.reduce((a, b) => a + b);
  return raised.map((value) => value / sum);
};

it('the temperature divides the logits of the whole and of each expert', async () => {
  const state = withTemperature({ unused: floatTensor([1], [0]) }, 4);
  const size = { side: SIDE, batch: 1, priority: 'inspect' } as const;
  const scorer = await ClassScorer.open(openNodeRuntime(), smallBackbone(), sayer, state, {}, size);
  const image = Float32Array.from({ length: SIDE * SIDE }, (_, i) => (i % 7) / 7);
  const [{ logits, probabilities, experts }] = await scorer.classify([image]);
  const cool = softmaxOf([...logits].map((logit) => logit / 4));
  const hot = softmaxOf([...logits].map((logit) => (2 * logit) / 4));
  for (let c = 0; c < CLASSES; c++) {
    expect(probabilities[c]).toBeCloseTo(cool[c], 5);
    expect(experts![0][c]).toBeCloseTo(cool[c], 5);
    expect(experts![1][c]).toBeCloseTo(hot[c], 5);
  }
  expect(Math.max(...logits) - Math.min(...logits)).toBeGreaterThan(1e-3);
});
