import { beforeAll, expect, it } from 'vitest';
import { floatTensor, floats } from '../../../src/base/tensor';
import type { TensorData } from '../../../src/base/tensor';
import { gradients } from '../../../src/graph/autodiff';
import {
  add,
  linear,
  logSoftmax,
  mul,
  neg,
  reduceMean,
  reduceSum,
  softmax,
} from '../../../src/graph/ops/index';
import { classMeans } from '../../../src/methods/classifiers/nearest-mean';
import { cosines } from '../../../src/nn/losses/metric';
import { squaredDistances, votes } from '../../../src/methods/classifiers/k-nearest';
import type { Runtime } from '../../../src/runtime/runtime';
import { describeGolden, goldenJson, goldenTensors, relativeError } from '../../support/golden';
import { evaluate, openNodeRuntime } from '../../support/node-runtime';

const CLASSES = 7;

describeGolden(['longtail.json', 'longtail.safetensors'], 'heads on frozen features', () => {
  const json = goldenJson<Record<string, number | number[]>>('longtail.json');
  let runtime: Runtime;
  let tensors: Record<string, TensorData>;
  let support: TensorData;
  let labels: number[];
  let rows: Float32Array[];
  let oneHot: TensorData;
  beforeAll(async () => {
    runtime = openNodeRuntime();
    tensors = await goldenTensors('longtail.safetensors');
    support = tensors['head.support'];
    labels = [...(tensors['head.support_label'].data as Int32Array)];
    rows = labels.map((_, i) => floats(support).slice(10 * i, 10 * i + 10));
    const ones = new Float32Array(21 * CLASSES);
    labels.forEach((own, i) => (ones[i * CLASSES + own] = 1));
    oneHot = floatTensor([21, CLASSES], ones);
  });

  it('the cosine with each class mean, and the nearest', async () => {
    const means = classMeans(rows, labels, CLASSES);
    const { cosine } = await evaluate(runtime, { x: tensors['head.query'], means }, ({ x, means: m }) => ({
      cosine: cosines(x, m),
    }));
    expect(relativeError(floats(cosine), floats(tensors['head.nearest_mean_cosine']))).toBeLessThan(1e-4);
    expect(predicted(floats(cosine))).toEqual(json.nearest_class_mean_prediction);
  });

  it('distances of three neighbours, and what they vote', async () => {
    const found = await evaluate(runtime, { x: tensors['head.query'], bank: support, oneHot }, (values) => ({
      squared: squaredDistances(values.x, values.bank),
      votes: votes(values.x, values.bank, values.oneHot, 3),
    }));
    const distances = Array.from({ length: 9 }, (_, i) =>
      [...floats(found.squared).subarray(21 * i, 21 * i + 21)]
        .map(Math.sqrt)
        .sort((a, b) => a - b)
        .slice(0, 3),
    ).flat();
    expect(relativeError(distances, floats(tensors['head.knn3.distance']))).toBeLessThan(1e-4);
    expect(predicted(floats(found.votes))).toEqual(json.knn3_prediction_lowest_label_on_ties);
  });

  it('cross entropy of a linear head, and its gradients', async () => {
    const bias = floatTensor([CLASSES], new Float32Array(CLASSES));
    const found = await evaluate(
      runtime,
      { x: support, oneHot, weight: tensors['head.weight0'], bias },
      (values) => {
        const logits = linear(values.x, values.weight, values.bias);
        const loss = neg(reduceMean(reduceSum(mul(logSoftmax(logits), values.oneHot), [1])));
        const [weight, own] = gradients(loss, [values.weight, values.bias]);
        return { loss, dWeight: weight, dBias: own };
      },
    );
    expect(floats(found.loss)[0]).toBeCloseTo(json.head_ce as number, 5);
    expect(relativeError(floats(found.dWeight), floats(tensors['head_ce.grad.weight']))).toBeLessThan(1e-3);
    expect(relativeError(floats(found.dBias), floats(tensors['head_ce.grad.bias']))).toBeLessThan(1e-3);
  });

  it('the logistic regression of the reference is a minimum of our loss', async () => {
    const given = {
      x: support,
      oneHot,
      query: tensors['head.query'],
      weight: tensors['head.logistic.weight'],
      bias: tensors['head.logistic.bias'],
    };
    const found = await evaluate(runtime, given, ({ x, oneHot: own, query, weight, bias }) => {
      const chosen = mul(logSoftmax(linear(x, weight, bias)), own);
      const loss = add(neg(reduceSum(chosen)), mul(reduceSum(mul(weight, weight)), 0.5));
      const [slope] = gradients(loss, [weight]);
      return { loss, slope, shares: softmax(linear(query, weight, bias)) };
    });
    expect(floats(found.loss)[0]).toBeCloseTo(json.logistic_objective as number, 3);
    expect(Math.max(...floats(found.slope).map(Math.abs))).toBeLessThan(1e-2);
    expect(relativeError(floats(found.shares), floats(tensors['head.logistic.probabilities']))).toBeLessThan(
      1e-4,
    );
  });
});

/** The first class with the most. */
const predicted = (values: Float32Array): number[] =>
  Array.from({ length: values.length / CLASSES }, (_, i) => {
    const row = values.subarray(CLASSES * i, CLASSES * (i + 1));
    return row.indexOf(Math.max(...row));
  });
