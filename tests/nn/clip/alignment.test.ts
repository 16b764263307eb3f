import { describe, expect, it } from 'vitest';
import { Rng } from '../../../src/base/rng';
import { floatTensor, floats } from '../../../src/base/tensor';
import type { TensorData } from '../../../src/base/tensor';
import {
  alignmentLoss,
  contrastiveLoss,
  groupVectors,
  logitScale,
  patchCosines,
  patchWeights,
} from '../../../src/nn/clip/alignment';
import { FrozenWeights } from '../../../src/nn/frozen-weights';
import { FrozenLayers } from '../../../src/nn/layers';
import { float } from '../../graph/samples';
import { gradientError } from '../../support/finite-differences';
import { evaluate, openNodeRuntime } from '../../support/node-runtime';

const runtime = openNodeRuntime();
const rng = new Rng(2, 'alignment');
const row = (tensor: TensorData, i: number): number[] => {
  const width = tensor.shape[tensor.shape.length - 1];
  return [...floats(tensor).slice(i * width, (i + 1) * width)];
};
const unit = (vector: readonly number[]) => vector.map((value) => value / Math.hypot(...vector));
const dot = (a: readonly number[], b: readonly number[]) =>
  a.reduce((sum, value, i) => sum + value * b[i], 0);
const logSoftmax = (logits: readonly number[]) => {
  const total = Math.log(logits.reduce((sum, value) => sum + Math.exp(value), 0));
  return logits.map((value) => value - total);
};

describe('the contrastive loss', () => {
  const images = float(rng, [3, 4]);
  const texts = float(rng, [4, 4]);
  // The third image and the last caption have no partner.
  const partners = [[0, 2], [1], []];
  const truth = floatTensor(
    [3, 4],
    Float32Array.from(partners.flatMap((own) => [0, 1, 2, 3].map((text) => Number(own.includes(text))))),
  );
  const scale = floatTensor([], Float32Array.of(3));

  it('is the cross entropy against an even spread over true partners, less its entropy', async () => {
    const logits = [0, 1, 2].map((i) =>
      [0, 1, 2, 3].map((j) => 3 * dot(unit(row(images, i)), unit(row(texts, j)))),
    );
    const kl = (logs: readonly number[], own: readonly number[]) =>
      own.reduce((sum, j) => sum - logs[j] / own.length, 0) - Math.log(own.length);
    const byImage = (kl(logSoftmax(logits[0]), [0, 2]) + kl(logSoftmax(logits[1]), [1])) / 2;
    const column = (j: number) => logSoftmax(logits.map((own) => own[j]));
    const byText = (kl(column(0), [0]) + kl(column(1), [1]) + kl(column(2), [0])) / 3;
    const found = await evaluate(runtime, { images, texts, truth, scale }, (v) => ({
      loss: contrastiveLoss(v.images, v.texts, v.truth, v.scale),
    }));
    expect(floats(found.loss)[0]).toBeCloseTo((byImage + byText) / 2, 5);
  });

  it('has the gradient that finite differences give', async () => {
    const build = (v: Record<string, Parameters<typeof contrastiveLoss>[0]>) =>
      contrastiveLoss(v.images, v.texts, v.truth, v.scale);
    const sample = { inputs: { images, texts, truth, scale }, fixed: ['truth'], build };
    expect(await gradientError(runtime, sample, rng)).toBeLessThan(2e-3);
  });
});

it("a group's vector is the normalised mean of its normalised captions", async () => {
  const texts = float(rng, [4, 3]);
  const found = await evaluate(runtime, { texts }, (v) => ({ groups: groupVectors(v.texts, 2) }));
  for (const group of [0, 1]) {
    const [a, b] = [0, 1].map((i) => unit(row(texts, 2 * group + i)));
    const expected = unit(a.map((value, i) => value + b[i]));
    row(found.groups, group).forEach((value, i) => expect(value).toBeCloseTo(expected[i], 5));
  }
});

describe('the alignment of patches', () => {
  // Bridge, good (normal) and hole; the second image is good, the third's defect is too small to count.
  const classes = [0, 1, 2];
  const labels = { classes, normal: 1, classCount: 3 };
  const coverage = [0, 0.5, 0.05, 0.03, 0, 0, 0, 0, 0, 0, 0.02, 0];
  const weights = patchWeights({ ...labels, coverage });

  it('weighs patches by what the mask says of them', () => {
    const expected = coverage.map((share, patch) => {
      const of = classes[Math.floor(patch / 4)];
      if (share === 0) return [0, 0.5 / 8, 0];
      return [0, 1, 2].map((c) => (share > 0.04 && c === of ? 0.5 / 2 : 0));
    });
    expect(weights.shape).toEqual([3, 4, 3]);
    expect([...floats(weights)]).toEqual(expected.flat());
  });

  it('counts every image with a defect the same, however large its defect is', () => {
    const two = patchWeights({ ...labels, classes: [0, 2], coverage: [1, 1, 1, 0, 0, 1, 0, 0] });
    const own = (image: number, of: number) =>
      [0, 1, 2, 3].reduce((sum, patch) => sum + floats(two)[(image * 4 + patch) * 3 + of], 0);
    expect(own(0, 0)).toBeCloseTo(0.25, 6);
    expect(own(1, 2)).toBeCloseTo(0.25, 6);
  });

  const tokens = float(rng, [3, 4, 5]);
  const texts = floatTensor(
    [3, 5],
    Float32Array.from([0, 1, 2].flatMap((i) => unit(row(float(rng, [3, 5]), i)))),
  );
  const scale = floatTensor([], Float32Array.of(4));
  const build = (v: Record<string, Parameters<typeof patchCosines>[0]>) =>
    alignmentLoss(patchCosines(v.tokens, v.texts), v.weights, v.scale);

  it('is the weighted cross entropy of cosines', async () => {
    const each = coverage.map((_, patch) => {
      const logits = [0, 1, 2].map((c) => 4 * dot(unit(row(tokens, patch)), row(texts, c)));
      return -dot(logSoftmax(logits), row(weights, patch));
    });
    const found = await evaluate(runtime, { tokens, texts, weights, scale }, (v) => ({ loss: build(v) }));
    expect(floats(found.loss)[0]).toBeCloseTo(
      each.reduce((sum, value) => sum + value, 0),
      5,
    );
  });

  it('has the gradient that finite differences give', async () => {
    const sample = { inputs: { tokens, texts, weights, scale }, fixed: ['weights'], build };
    expect(await gradientError(runtime, sample, rng)).toBeLessThan(2e-3);
  });
});

it.each([
  [Math.log(14), 14],
  [9, 100],
])('a stored temperature of %d means a scale of %d', async (stored, expected) => {
  const found = await evaluate(runtime, { unused: floatTensor([], Float32Array.of(0)) }, (_, graph) => {
    const tensors = new Map([['logit_scale', floatTensor([], Float32Array.of(stored))]]);
    return { scale: logitScale(new FrozenLayers(graph, new FrozenWeights(tensors), 0)) };
  });
  expect(floats(found.scale)[0]).toBeCloseTo(expected, 3);
});
