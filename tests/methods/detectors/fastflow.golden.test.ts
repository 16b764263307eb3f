import { expect, it } from 'vitest';
import { floats } from '../../../src/base/tensor';
import type { TensorData } from '../../../src/base/tensor';
import { gradients } from '../../../src/graph/autodiff';
import { add, reduceMax } from '../../../src/graph/ops/index';
import type { Value } from '../../../src/graph/value';
import { flow, flowLoss, flowMaps, flowNorm } from '../../../src/methods/detectors/fastflow';
import { FittedNet } from '../../../src/nn/net';
import { describeGolden, goldenJson, goldenTensors, relativeError } from '../../support/golden';
import { evaluate, openNodeRuntime } from '../../support/node-runtime';

type Name = 'even' | 'odd';

interface Case {
  steps: number;
  conv3x3_only: boolean;
  loss: number;
  log_det_after_step: number[][];
}

interface Golden {
  fastflow: { cases: Record<Name, Case>; total_loss: number; scores: number[] };
}

const NAMES = ['even', 'odd'] as const;

describeGolden(['detectors.json', 'fastflow.safetensors'], 'FastFlow', () => {
  const golden = goldenJson<Golden>('detectors.json').fastflow;
  const runtime = openNodeRuntime();
  const prefix = (name: Name) => `param.fastflow.${name}.`;

  /** Parameters of a chain and its input, by the names the method gives them. */
  const feedsOf = (tensors: Record<string, TensorData>, name: Name): Record<string, TensorData> => ({
    [`${name}.input`]: tensors[`${name}.input`],
    ...Object.fromEntries(
      Object.entries(tensors).flatMap(([key, tensor]) =>
        key.startsWith(prefix(name)) ? [[`${name}.${key.slice(prefix(name).length)}`, tensor]] : [],
      ),
    ),
  });

  const chain = (tensors: Record<string, TensorData>, values: Record<string, Value>, name: Name) => {
    const { steps, conv3x3_only } = golden.cases[name];
    const input = values[`${name}.input`];
    const permutations = Array.from(
      { length: steps },
      (_, i) => tensors[`${name}.step${i}.permutation`].data as Int32Array,
    );
    const net = new FittedNet(input.graph, values, '');
    const shape = { conv3x3Only: conv3x3_only, hiddenRatio: 1 };
    return { net, input, ...flow(net, name, input, permutations, shape) };
  };

  it.each(NAMES)('%s: what follows the norm and every step, log-determinants', async (name) => {
    const tensors = await goldenTensors('fastflow.safetensors');
    const found = await evaluate(runtime, feedsOf(tensors, name), (values) => {
      const { net, input, steps } = chain(tensors, values, name);
      return {
        norm: flowNorm(net, `${name}.norm`, input),
        ...Object.fromEntries(steps.map(({ y }, i) => [`y${i}`, y])),
        ...Object.fromEntries(steps.map(({ logScales }, i) => [`s${i}`, logScales])),
        ...Object.fromEntries(steps.map(({ globalScale }, i) => [`g${i}`, globalScale])),
      };
    });
    expect(relativeError(floats(found.norm), floats(tensors[`${name}.after_norm`]))).toBeLessThan(1e-5);
    const [batch, , height, width] = found.norm.shape;
    const logDet = new Array<number>(batch).fill(0);
    golden.cases[name].log_det_after_step.forEach((expected, i) => {
      expect(relativeError(floats(found[`y${i}`]), floats(tensors[`${name}.step${i}.output`]))).toBeLessThan(
        1e-5,
      );
      const scales = floats(found[`s${i}`]);
      const constant = floats(found[`g${i}`]).reduce((sum, scale) => sum + Math.log(scale), 0);
      for (let b = 0; b < batch; b++) {
        const size = scales.length / batch;
        logDet[b] += scales.slice(b * size, (b + 1) * size).reduce((sum, s) => sum + s, 0);
        logDet[b] += height * width * constant;
      }
      expect(relativeError(logDet, expected)).toBeLessThan(1e-5);
    });
  });

  it.each(NAMES)('%s: loss and all gradients', async (name) => {
    const tensors = await goldenTensors('fastflow.safetensors');
    const feeds = feedsOf(tensors, name);
    const found = await evaluate(runtime, feeds, (values) => {
      const loss = flowLoss(chain(tensors, values, name));
      const byAll = gradients(loss, Object.values(values));
      return { loss, ...Object.fromEntries(Object.keys(values).map((key, i) => [`grad.${key}`, byAll[i]])) };
    });
    expect(Math.abs(floats(found.loss)[0] / golden.cases[name].loss - 1)).toBeLessThan(1e-5);
    for (const key of Object.keys(feeds)) {
      const expected = tensors[key.endsWith('.input') ? `${name}.grad.input` : `grad.fastflow.${key}`];
      expect([key, relativeError(floats(found[`grad.${key}`]), floats(expected))]).toEqual([
        key,
        expect.closeTo(0, 3),
      ]);
    }
  });

  it('both as two levels: total loss, map and scores', async () => {
    const tensors = await goldenTensors('fastflow.safetensors');
    const feeds = { ...feedsOf(tensors, 'even'), ...feedsOf(tensors, 'odd') };
    const found = await evaluate(runtime, feeds, (values) => {
      const levels = NAMES.map((name) => chain(tensors, values, name));
      const map = flowMaps(
        levels.map(({ z }) => z),
        12,
        16,
      );
      const [even, odd] = levels.map(flowLoss);
      return { loss: add(even, odd), map, score: reduceMax(map, [1, 2, 3]) };
    });
    expect(Math.abs(floats(found.loss)[0] / golden.total_loss - 1)).toBeLessThan(1e-5);
    expect(relativeError(floats(found.map), floats(tensors.map12x16))).toBeLessThan(1e-5);
    expect(relativeError(floats(found.score), golden.scores)).toBeLessThan(1e-5);
  });
});
