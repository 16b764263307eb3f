import { expect, it } from 'vitest';
import { floatTensor, floats } from '../../../src/base/tensor';
import type { TensorData } from '../../../src/base/tensor';
import { add, concat, mul, reduceMax, sigmoid } from '../../../src/graph/ops/index';
import {
  adapt,
  enlargedFeatures,
  focal4,
  heads,
  lossParts,
} from '../../../src/methods/detectors/supersimplenet';
import { enlargeAndBlurMirrored } from '../../../src/methods/kit/mirrored-blur';
import { FittedNet } from '../../../src/nn/net';
import { runNets } from '../../support/flat-nets';
import { describeGolden, digestError, goldenJson, goldenTensors, relativeError } from '../../support/golden';
import type { Digest } from '../../support/golden';
import { evaluate, openNodeRuntime } from '../../support/node-runtime';
import { weight } from '../../support/procedural';

interface Case {
  loss: number;
  trunc_l1: number;
  focal_map: number;
  focal_score: number;
  logits: number[];
  map: Digest;
  grad: Record<string, Digest>;
}

interface Golden {
  keys: [string, number[]][];
  eval_score_sigmoid: number[];
  'focal_gamma4_p_0.9_0.2': number;
}

const CASES = ['on', 'off'].flatMap((stop) =>
  ['raw', 'adapted'].map((input) => ({ name: `stop_grad=${stop},classifier_input=${input}`, stop, input })),
);

/** Convolutions before batch norms, whose biases the method leaves out. */
const NO_BIAS = ['segdec.seg_head.0.bias', 'segdec.cls_conv.0.bias'];

describeGolden(['detectors.json', 'supersimplenet.safetensors'], 'SuperSimpleNet', () => {
  const { supersimplenet } = goldenJson<{ supersimplenet: Golden & Record<string, Case> }>('detectors.json');
  const golden: Golden = supersimplenet;
  const runtime = openNodeRuntime();
  const published = Object.fromEntries(golden.keys.map(([key, shape]) => [key, weight(key, shape)]));
  /** The bias that shifts a running mean. */
  const biasOf = (mean: string) => floats(published[mean.replace('.1.running_mean', '.0.bias')]);

  it('features by both ways of enlarging', async () => {
    const tensors = await goldenTensors('supersimplenet.safetensors');
    const feeds = { level2: tensors['in.level2'], level3: tensors['in.level3'] };
    const found = await evaluate(runtime, feeds, ({ level2, level3 }) => ({
      half: enlargedFeatures([level2, level3]),
      corners: enlargedFeatures([level2, level3], 'corners'),
    }));
    expect(relativeError(floats(found.half), floats(tensors.features))).toBeLessThan(1e-5);
    expect(relativeError(floats(found.corners), floats(tensors['features.align_corners']))).toBeLessThan(
      1e-5,
    );
  });

  it.each(CASES)('$name: loss, its parts, outputs, gradients', async ({ name, stop, input }) => {
    const tensors = await goldenTensors('supersimplenet.safetensors');
    const expected = supersimplenet[name];
    const feeds = {
      x: tensors.features,
      noise: tensors['in.noise'],
      mask: tensors['in.mask'],
    };
    const parts = {
      adaptor: { prefix: 'adaptor.', mode: 'train' },
      segdec: { prefix: 'segdec.', mode: 'train' },
    } as const;
    const found = await runNets(runtime, parts, feeds, (net, value) => {
      const noise = mul(value('noise'), value('mask'));
      const twice = (x: ReturnType<typeof value>) => add(concat([x, x], 0), noise);
      const adapted = twice(adapt(net('adaptor'), value('x')));
      const seen = input === 'raw' ? twice(value('x')) : adapted;
      const out = heads(net('segdec'), adapted, seen, stop === 'on');
      const pieces = lossParts(out, value('mask'));
      const loss = Object.values(pieces).reduce((sum, piece) => add(sum, piece));
      return {
        outputs: { ...out, ...pieces, loss, any: reduceMax(value('mask'), [1, 2, 3]) },
        losses: { loss: { loss, by: ['adaptor', 'segdec'] } },
      };
    });
    const { outputs } = found;
    expect([...outputs.any]).toEqual([...floats(tensors['in.label'])]);
    expect(outputs.loss[0] / expected.loss).toBeCloseTo(1, 5);
    expect(outputs.truncated[0] / expected.trunc_l1).toBeCloseTo(1, 5);
    expect(outputs.focalMap[0] / expected.focal_map).toBeCloseTo(1, 4);
    expect(outputs.focalScore[0] / expected.focal_score).toBeCloseTo(1, 4);
    expect(relativeError(outputs.logit, expected.logits)).toBeLessThan(1e-4);
    expect(digestError(outputs.map, expected.map)).toBeLessThan(1e-4);
    for (const [key, digest] of Object.entries(expected.grad)) {
      // Batch norm takes away what a bias before it adds: published gradients of 1e-16.
      if (NO_BIAS.includes(key)) expect(digest.absmax).toBeLessThan(1e-10);
      else if (digest.absmax < 1e-10)
        expect(Math.max(...found.gradients.loss[key].map(Math.abs))).toBeLessThan(1e-5);
      else expect([key, digestError(found.gradients.loss[key], digest) < 1e-3]).toEqual([key, true]);
    }
    if (stop === 'off' || input === 'adapted') return;
    expect(relativeError(outputs.logit, floats(tensors['train.logit']))).toBeLessThan(1e-4);
    expect(relativeError(outputs.map, floats(tensors['train.map']))).toBeLessThan(1e-4);
    for (const key of Object.keys(tensors).filter((known) => known.startsWith('grad.'))) {
      const own = found.gradients.loss[key.slice('grad.'.length)];
      if (key !== 'grad.adaptor.projection.bias')
        expect([key, relativeError(own, floats(tensors[key])) < 1e-3]).toEqual([key, true]);
    }
    const variance = 'segdec.cls_conv.1.running_var';
    expect(relativeError(found.statistics[variance], floats(tensors[`train.${variance}`]))).toBeLessThan(
      1e-4,
    );
    const mean = 'segdec.cls_conv.1.running_mean';
    const moved = found.statistics[mean].map((value, i) => value + 0.1 * biasOf(mean)[i]);
    expect(relativeError(moved, floats(tensors[`train.${mean}`]))).toBeLessThan(1e-4);
  });

  it('after training: map, enlarged and smoothed, score', async () => {
    const tensors = await goldenTensors('supersimplenet.safetensors');
    const own = Object.entries(published).map(([key, tensor]): [string, TensorData] => {
      if (!key.endsWith('running_mean')) return [key, tensor];
      const bias = biasOf(key);
      return [
        key,
        floatTensor(
          tensor.shape,
          floats(tensor).map((value, i) => value - bias[i]),
        ),
      ];
    });
    const feeds = { ...Object.fromEntries(own), x: tensors.features };
    const found = await evaluate(runtime, feeds, (values, graph) => {
      const adapted = adapt(new FittedNet(graph, values, 'adaptor.'), values.x);
      const { map, logit } = heads(new FittedNet(graph, values, 'segdec.'), adapted, values.x, false);
      return { map, logit, score: sigmoid(logit), large: sigmoid(enlargeAndBlurMirrored(map, 64, 64, 4)) };
    });
    expect(relativeError(floats(found.map), floats(tensors['eval.map']))).toBeLessThan(1e-4);
    expect(relativeError(floats(found.logit), floats(tensors['eval.logit']))).toBeLessThan(1e-4);
    expect(relativeError(floats(found.score), golden.eval_score_sigmoid)).toBeLessThan(1e-4);
    const large = floats(tensors['eval.map64.blur25taps_not_repeated.sigmoid']);
    expect(relativeError(floats(found.large), large)).toBeLessThan(1e-5);
  });

  it('focal loss of two pixels', async () => {
    const feeds = {
      logits: floatTensor(
        [2],
        [0.9, 0.2].map((p) => Math.log(p / (1 - p))),
      ),
      target: floatTensor([2], [1, 0]),
    };
    const found = await evaluate(runtime, feeds, ({ logits, target }) => ({ loss: focal4(logits, target) }));
    expect(floats(found.loss)[0] / golden['focal_gamma4_p_0.9_0.2']).toBeCloseTo(1, 5);
  });
});
