import { describe, expect, it } from 'vitest';
import { Rng } from '../../../src/base/rng';
import { floatTensor, floats } from '../../../src/base/tensor';
import { reshape } from '../../../src/graph/ops/index';
import { cfa, sphereLoss, sphereScore } from '../../../src/methods/detectors/cfa';
import type { CfaOptions } from '../../../src/methods/detectors/cfa';
import type { FitProgress } from '../../../src/methods/contract';
import { defaultOptions } from '../../../src/methods/options';
import { contextOf, fitToEnd, scoreTaps, someOf } from '../../support/fixed-taps';
import { evaluate, openNodeRuntime } from '../../support/node-runtime';

const runtime = openNodeRuntime();

/** One descriptor at the origin of a line, and centres at given squared distances. */
const line = (squared: readonly number[]) => ({
  phi: floatTensor([1, 1, 1], [0]),
  bank: floatTensor([squared.length, 1], squared.map(Math.sqrt)),
});

describe('published values (methods.md 7.9)', () => {
  it('loss of sorted squared distances', async () => {
    const feeds = { ...line([0.04, 0.09, 0.25, 1, 4, 9]), r: floatTensor([1], [1e-5]) };
    const { loss } = await evaluate(runtime, feeds, ({ phi, bank, r }) => ({
      loss: reshape(sphereLoss(phi, bank, r), []),
    }));
    expect(floats(loss)[0]).toBeCloseTo(126.6667, 3);
  });

  it('score', async () => {
    const { score } = await evaluate(runtime, line([0.04, 0.09, 0.25]), ({ phi, bank }) => ({
      score: sphereScore(phi, bank),
    }));
    expect(floats(score)[0]).toBeCloseTo(0.0755956, 6);
  });
});

describe('a fit', () => {
  const rng = new Rng(1, 'cfa.taps');
  const tap = (images: number, c: number, side: number) =>
    floatTensor(
      [images, c, side, side],
      Float32Array.from({ length: images * c * side * side }, () => rng.normal()),
    );
  const taps = { level1: tap(6, 4, 8), level2: tap(6, 5, 4), level3: tap(6, 3, 2) };
  const options: CfaOptions = {
    ...(defaultOptions(cfa.options) as CfaOptions),
    steps: 30,
    learningRate: 0.01,
  };

  it('pulls descriptors in, the same for the same seed, and gives finite maps', async () => {
    const losses: number[] = [];
    const fit = cfa.fit(contextOf(runtime, taps, { side: 32 }), options);
    let step = await fit.next();
    while (!step.done) {
      const { loss }: FitProgress = step.value;
      if (loss !== undefined) losses.push(loss);
      step = await fit.next();
    }
    expect(losses.at(-1)).toBeLessThan(0.8 * losses[0]);
    expect(await fitToEnd(cfa, contextOf(runtime, taps, { side: 32 }), options)).toEqual(step.value);
    const { map, score } = await scoreTaps(runtime, cfa, step.value, options, someOf(taps, 0, 2), 32);
    expect([map.length, score.length]).toEqual([2 * 32 * 32, 2]);
    expect(map.every(Number.isFinite)).toBe(true);
  });

  it('of one image, untrained: every patch has a centre at distance 0', async () => {
    const one = someOf(taps, 0, 1);
    const plain = { ...options, steps: 1, learningRate: 1e-6, radius: 'fixed' };
    const state = await fitToEnd(cfa, contextOf(runtime, one, { side: 32 }), plain);
    const { score } = await scoreTaps(runtime, cfa, state, plain, one, 32);
    expect(score[0]).toBeLessThan(1e-2);
  });
});
