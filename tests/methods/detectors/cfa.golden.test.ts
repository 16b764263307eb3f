import { expect, it } from 'vitest';
import { floatTensor, floats } from '../../../src/base/tensor';
import type { TensorData } from '../../../src/base/tensor';
import { gradients } from '../../../src/graph/autodiff';
import { enlargeAndBlur, reduceMax, reshape } from '../../../src/graph/ops/index';
import type { Value } from '../../../src/graph/value';
import { describePatches, sphereLoss, sphereScore } from '../../../src/methods/detectors/cfa';
import { localFeatures, toPatches } from '../../../src/methods/kit/patch-embedding';
import { FittedNet } from '../../../src/nn/net';
import { someOf } from '../../support/fixed-taps';
import { describeGolden, goldenJson, goldenTensors, relativeError } from '../../support/golden';
import { evaluate, openNodeRuntime } from '../../support/node-runtime';

interface Golden {
  cfa: {
    losses: Record<'start' | 'both' | 'large', { radius: number; loss: number; grad_radius: number }>;
    scores: number[];
  };
}

describeGolden(['detectors.json', 'cfa.safetensors'], 'CFA', () => {
  const golden = goldenJson<Golden>('detectors.json').cfa;
  const runtime = openNodeRuntime();

  const inputs = async () => {
    const tensors = await goldenTensors('cfa.safetensors');
    const levels = {
      level1: tensors['in.level1'],
      level2: tensors['in.level2'],
      level3: tensors['in.level3'],
    };
    const { weight, bias, bank } = tensors;
    return { tensors, levels, weights: { weight, bias, bank } };
  };

  /** φ of feature maps, as [B,P,D]. */
  const described = (values: Record<string, Value>): Value => {
    const { weight, bias } = values;
    const maps = localFeatures([values.level1, values.level2, values.level3]);
    return toPatches(describePatches(new FittedNet(maps.graph, { weight, bias }, ''), maps));
  };

  it('features, descriptors, the bank as their mean', async () => {
    const { tensors, levels, weights } = await inputs();
    const found = await evaluate(runtime, { ...levels, ...weights }, (values) => ({
      features: localFeatures([values.level1, values.level2, values.level3]),
      phi: described(values),
    }));
    expect(relativeError(floats(found.features), floats(tensors.features))).toBeLessThan(1e-5);
    const phi = floats(found.phi);
    const size = floats(tensors.bank).length;
    expect(relativeError(phi.slice(3 * size), floats(tensors.phi))).toBeLessThan(1e-5);
    const mean = Float32Array.from(
      { length: size },
      (_, i) => (phi[i] + phi[size + i] + phi[2 * size + i]) / 3,
    );
    expect(relativeError(mean, floats(tensors.bank))).toBeLessThan(1e-5);
  });

  it.each(['start', 'both', 'large'] as const)('loss and gradients, radius "%s"', async (name) => {
    const { tensors, levels, weights } = await inputs();
    const { radius, loss, grad_radius } = golden.losses[name];
    const queries = someOf(levels, 3, 5) as Record<string, TensorData>;
    const feeds = { ...queries, ...weights, radius: floatTensor([1], [radius]) };
    const found = await evaluate(runtime, feeds, (values) => {
      const value = reshape(sphereLoss(described(values), values.bank, values.radius), []);
      const [weight, bias, dRadius] = gradients(value, [values.weight, values.bias, values.radius]);
      return { loss: value, dWeight: weight, dBias: bias, dRadius };
    });
    expect(Math.abs(floats(found.loss)[0] - loss) / loss).toBeLessThan(1e-4);
    expect(relativeError(floats(found.dWeight), floats(tensors[`grad.weight.${name}`]))).toBeLessThan(1e-3);
    expect(relativeError(floats(found.dBias), floats(tensors[`grad.bias.${name}`]))).toBeLessThan(1e-3);
    expect(Math.abs(floats(found.dRadius)[0] / grad_radius - 1)).toBeLessThan(1e-3);
  });

  it('map and scores', async () => {
    const { tensors, levels, weights } = await inputs();
    const queries = someOf(levels, 3, 5) as Record<string, TensorData>;
    const found = await evaluate(runtime, { ...queries, ...weights }, (values) => {
      const map = reshape(sphereScore(described(values), values.bank), [2, 1, 6, 8]);
      const large = enlargeAndBlur(map, 24, 32, 4);
      return { map, large, score: reduceMax(large, [1, 2, 3]) };
    });
    expect(relativeError(floats(found.map), floats(tensors.map))).toBeLessThan(1e-4);
    expect(relativeError(floats(found.large), floats(tensors['map24x32.blur4']))).toBeLessThan(1e-4);
    golden.scores.forEach((score, i) => expect(floats(found.score)[i]).toBeCloseTo(score, 4));
  });
});
