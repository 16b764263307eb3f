import { expect, it } from 'vitest';
import { floatTensor, floats } from '../../../src/base/tensor';
import type { TensorData } from '../../../src/base/tensor';
import { unit } from '../../../src/base/unit';
import { gradients } from '../../../src/graph/autodiff';
import { add, div, enlargeAndBlur, mul, reduceMax, reshape } from '../../../src/graph/ops/index';
import type { Value } from '../../../src/graph/value';
import { fused, promptad, textProbability } from '../../../src/methods/clip/prompt-ad';
import { visualAssociation } from '../../../src/methods/clip/references';
import type { PromptAdOptions } from '../../../src/methods/clip/prompt-ad';
import { promptLoss, promptVectors } from '../../../src/methods/clip/learnt-prompts';
import { defaultOptions } from '../../../src/methods/options';
import { scoreTaps } from '../../support/fixed-taps';
import { describeGolden, goldenJson, goldenTensors, relativeError } from '../../support/golden';
import { evaluate, openNodeRuntime } from '../../support/node-runtime';

interface Golden {
  promptad: {
    scale: number;
    L_con: number;
    L_trip: number;
    L_align: number;
    total: number;
    image_text: number[];
    image_fused: number[];
  };
}

/** The golden map is smoothed by σ = 4 at its own side; the option is given for a side of 400. */
const [SIDE, SIGMA] = [40, 4];

describeGolden(['fewshot.json', 'promptad.safetensors'], 'PromptAD', () => {
  const { promptad: golden } = goldenJson<Golden>('fewshot.json');
  const runtime = openNodeRuntime();

  const rows = (tensor: TensorData): TensorData => {
    const [count, width] = tensor.shape;
    const data = floats(tensor);
    const own = Array.from({ length: count }, (_, i) => [...unit(data.subarray(i * width, (i + 1) * width))]);
    return floatTensor(tensor.shape, own.flat());
  };

  const inputs = async () => {
    const tensors = await goldenTensors('promptad.safetensors');
    const two = floatTensor(
      [2, 8],
      [tensors.w_normal, tensors.w_abnormal].flatMap((own) => [...floats(own)]),
    );
    return { tensors, two };
  };

  it('directions, losses and gradients by the features of prompts', async () => {
    const { tensors } = await inputs();
    const features = (values: Record<string, Value>) => ({
      normal: values['in.normal'],
      handmade: values['in.handmade'],
      learned: values['in.learned'],
    });
    const names = ['normal', 'handmade', 'learned'];
    const feeds = Object.fromEntries([...names, 'image'].map((own) => [`in.${own}`, tensors[`in.${own}`]]));
    const found = await evaluate(runtime, feeds, (values) => {
      const { contrast, triplet, align } = promptLoss(features(values), values['in.image'], golden.scale);
      const total = add(add(contrast, triplet), align);
      const targets = names.map((own) => values[`in.${own}`]);
      const { normal, abnormal } = promptVectors(features(values));
      return {
        ...{ L_con: contrast, L_trip: triplet, L_align: align, total },
        ...{ w_normal: normal, w_abnormal: abnormal },
        ...Object.fromEntries(gradients(total, targets).map((own, i) => [`grad.${names[i]}`, own])),
      };
    });
    for (const name of ['L_con', 'L_trip', 'L_align', 'total'] as const)
      expect(relativeError(floats(found[name]), [golden[name]]), name).toBeLessThan(1e-5);
    for (const name of ['w_normal', 'w_abnormal'])
      expect(relativeError(floats(found[name]), floats(tensors[name])), name).toBeLessThan(1e-4);
    for (const name of names.map((own) => `grad.${own}`))
      expect(relativeError(floats(found[name]), floats(tensors[name])), name).toBeLessThan(1e-3);
  });

  it('maps by text and by gallery, and both together', async () => {
    const { tensors, two } = await inputs();
    const feeds = {
      ...Object.fromEntries(
        ['local', 'feature1', 'feature2', 'global'].map((own) => [own, tensors[`in.${own}`]]),
      ),
      ...{ gallery1: rows(tensors['in.gallery1']), gallery2: rows(tensors['in.gallery2']), two },
      scale: floatTensor([], [golden.scale]),
    };
    const found = await evaluate(runtime, feeds, (values) => {
      const text = textProbability(values.local, values.two, values.scale);
      const distances = ([1, 2] as const).map((i) =>
        visualAssociation(values[`feature${i}`], values[`gallery${i}`]),
      );
      const visual = div(add(distances[0], distances[1]), 2);
      const map = fused(text, visual);
      const image = reshape(
        textProbability(reshape(values.global, [2, 1, 8]), values.two, values.scale),
        [2],
      );
      return {
        ...{ 'map.text': text, 'map.visual': visual, 'map.fused': map },
        'map40.blur4': enlargeAndBlur(reshape(map, [2, 1, 5, 5]), SIDE, SIDE, SIGMA),
        image_text: image,
        // A value of its own: an output can't have two names.
        image_fused: mul(fused(image, reduceMax(visual, [1])), 1),
      };
    });
    for (const name of ['map.text', 'map.visual', 'map.fused', 'map40.blur4'])
      expect(relativeError(floats(found[name]), floats(tensors[name])), name).toBeLessThan(1e-5);
    for (const name of ['image_text', 'image_fused'] as const)
      expect(relativeError(floats(found[name]), golden[name]), name).toBeLessThan(1e-5);
  });

  it('map and score of the detector', async () => {
    const { tensors, two } = await inputs();
    const global = floats(tensors['in.global']);
    // Of four levels' class tokens the last one counts.
    const classes = [0, 1].flatMap((image) => [
      ...new Array<number>(3 * 8).fill(1),
      ...global.subarray(image * 8, (image + 1) * 8),
    ]);
    const taps = {
      classes: floatTensor([2, 4, 8], classes),
      accumulated: tensors['in.local'],
      gallery1: tensors['in.feature1'],
      gallery2: tensors['in.feature2'],
    };
    const state = {
      ...{ image: two, patches: two, scale: floatTensor([], [golden.scale]) },
      ...{ gallery1: rows(tensors['in.gallery1']), gallery2: rows(tensors['in.gallery2']) },
    };
    const options = {
      ...(defaultOptions(promptad.options) as PromptAdOptions),
      blurSigma: (SIGMA * 400) / SIDE,
    };
    const { map, score, classes: told } = await scoreTaps(runtime, promptad, state, options, taps, SIDE);
    expect(relativeError(map, floats(tensors['map40.blur4']))).toBeLessThan(1e-5);
    expect(relativeError(score, golden.image_fused)).toBeLessThan(1e-5);
    expect(told).toBeUndefined();
  });
});
