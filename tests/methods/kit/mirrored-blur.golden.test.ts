import { expect, it } from 'vitest';
import { floatTensor, floats } from '../../../src/base/tensor';
import { enlargeAndBlurMirrored } from '../../../src/methods/kit/mirrored-blur';
import { describeGolden, goldenTensors, relativeError } from '../../support/golden';
import { evaluate, openNodeRuntime } from '../../support/node-runtime';

describeGolden(['image.safetensors'], 'mirrored blur', () => {
  const runtime = openNodeRuntime();

  it('25 taps for σ = 4', async () => {
    const tensors = await goldenTensors('image.safetensors');
    const map = floatTensor([1, 1, 40, 48], floats(tensors['blur.source.map40x48']));
    const found = await evaluate(runtime, { map }, (values) => ({
      smooth: enlargeAndBlurMirrored(values.map, 40, 48, 4),
    }));
    const expected = floats(tensors['blur.25taps_edge_not_repeated.map40x48.sigma4']);
    expect(relativeError(floats(found.smooth), expected)).toBeLessThan(1e-5);
  });
});
