import { expect, it } from 'vitest';
import { floatTensor, floats } from '../../../src/base/tensor';
import { gradients } from '../../../src/graph/autodiff';
import { reduceMax, sigmoid } from '../../../src/graph/ops/index';
import { repairLosses, repairMap } from '../../../src/methods/detectors/inpainting';
import { ssimMap } from '../../../src/methods/kit/ssim';
import { describeGolden, goldenJson, goldenTensors, relativeError } from '../../support/golden';
import { evaluate, openNodeRuntime } from '../../support/node-runtime';

interface Golden {
  inpainting: {
    losses: Record<'focal' | 'dice' | 'inside' | 'outside' | 'ssim' | 'total', number>;
    score: { tau: number; max: number[] };
  };
}

describeGolden(['generative.json', 'inpainting.safetensors'], 'IAD + Inpainting', () => {
  const golden = goldenJson<Golden>('generative.json').inpainting;
  const runtime = openNodeRuntime();
  const inputs = async () => {
    const tensors = await goldenTensors('inpainting.safetensors');
    const { logit, repaired, image, mask } = tensors;
    return { tensors, feeds: { logit, repaired, image, mask } };
  };

  it('losses', async () => {
    const { feeds } = await inputs();
    const found = await evaluate(runtime, feeds, ({ logit, repaired, image, mask }) => ({
      ...repairLosses(sigmoid(logit), repaired, image, mask),
    }));
    const { losses } = golden;
    expect(floats(found.focal)[0]).toBeCloseTo(losses.focal, 5);
    expect(floats(found.dice)[0]).toBeCloseTo(losses.dice, 5);
    expect(floats(found.inside)[0]).toBeCloseTo(losses.inside, 5);
    expect(floats(found.outside)[0]).toBeCloseTo(losses.outside, 5);
    expect(floats(found.similarity)[0]).toBeCloseTo(losses.ssim, 5);
    expect(floats(found.total)[0]).toBeCloseTo(losses.total, 4);
  });

  it('similarity at every pixel', async () => {
    const { feeds, tensors } = await inputs();
    const { map } = await evaluate(runtime, feeds, ({ repaired, image }) => ({
      map: ssimMap(repaired, image, 2),
    }));
    expect(relativeError(floats(map), floats(tensors['ssim.map']))).toBeLessThan(1e-4);
  });

  it('gradients by logit and repaired image, of focal and dice by the probability', async () => {
    const { feeds, tensors } = await inputs();
    const found = await evaluate(runtime, feeds, ({ logit, repaired, image, mask }) => {
      const p = sigmoid(logit);
      const { total, focal, dice } = repairLosses(p, repaired, image, mask);
      const [dLogit, dRepaired] = gradients(total, [logit, repaired]);
      return { dLogit, dRepaired, dFocal: gradients(focal, [p])[0], dDice: gradients(dice, [p])[0] };
    });
    const pairs = [
      [found.dLogit, 'grad.logit'],
      [found.dRepaired, 'grad.repaired'],
      [found.dFocal, 'grad.focal_wrt_p'],
      [found.dDice, 'grad.dice_wrt_p'],
    ] as const;
    for (const [own, name] of pairs)
      expect(relativeError(floats(own), floats(tensors[name])), name).toBeLessThan(1e-3);
  });

  it('map and score', async () => {
    const { feeds, tensors } = await inputs();
    const tau = floatTensor([1], [golden.score.tau]);
    const found = await evaluate(runtime, { ...feeds, tau }, (values) => {
      const { logit, repaired, image } = values;
      const map = repairMap(sigmoid(logit), repaired, image, values.tau, 4);
      return { map, score: reduceMax(map, [1, 2, 3]) };
    });
    expect(relativeError(floats(found.map), floats(tensors['map.blur4']))).toBeLessThan(1e-4);
    golden.score.max.forEach((score, i) => expect(floats(found.score)[i]).toBeCloseTo(score, 4));
  });
});
