import { expect, it } from 'vitest';
import { floatTensor, floats } from '../../../src/base/tensor';
import { gradients, tangent } from '../../../src/graph/autodiff';
import {
  add,
  l2Normalise,
  mul,
  neg,
  reduceMean,
  reduceSum,
  reshape,
  stopGradient,
  sub,
} from '../../../src/graph/ops/index';
import type { Value } from '../../../src/graph/value';
import { criticLoss, criticise, encode, generate, redraw } from '../../../src/methods/detectors/f-anogan';
import type { FAnoganForm } from '../../../src/methods/detectors/f-anogan';
import { slopePenalty } from '../../../src/methods/kit/slope-penalty';
import { runNets } from '../../support/flat-nets';
import type { NetPart } from '../../support/flat-nets';
import { describeGolden, digestError, goldenJson, goldenTensors, relativeError } from '../../support/golden';
import type { Digest } from '../../support/golden';
import { openNodeRuntime } from '../../support/node-runtime';

interface EncoderPass {
  z: number[];
  residual: number;
  feature: number;
  L_E: number;
  reconstruction: Digest;
  A_per_image: number[];
}

interface Golden {
  f_anogan: {
    generator_train: Digest;
    generator_eval: Digest;
    critic: {
      D_real: number[];
      D_fake: number[];
      gradient_norm: number[];
      gradient_penalty: number;
      L_D: number;
      feature_real: Digest;
      grad_L_D: Record<string, Digest>;
      grad_penalty_only: Record<string, Digest>;
    };
    generator: { L_G: number; grad_L_G: Record<string, Digest> };
    encoder_train: EncoderPass;
    encoder_eval: EncoderPass;
    grad_L_E: Record<string, Digest>;
    DIM: number;
    z: number;
  };
}

type Gradients = Readonly<Record<string, Float32Array>>;

describeGolden(['generative.json', 'f-anogan.safetensors'], 'f-AnoGAN', () => {
  const golden = goldenJson<Golden>('generative.json').f_anogan;
  const runtime = openNodeRuntime();
  const form: FAnoganForm = { tile: 64, filters: golden.DIM, latent: golden.z };
  const parts = (mode: NetPart['mode'], generator = mode) => ({
    generator: { prefix: 'fanogan.generator.', mode: generator },
    critic: { prefix: 'fanogan.critic.', mode },
    encoder: { prefix: 'fanogan.encoder.', mode },
  });

  const inputs = async () => {
    const tensors = await goldenTensors('f-anogan.safetensors');
    const epsilon = floatTensor([3, 1, 1, 1], floats(tensors.epsilon));
    return { tensors, real: tensors.images, fake: tensors['generator.train'], z: tensors.z, epsilon };
  };

  function expectGradients(found: Gradients, wanted: Readonly<Record<string, Digest>>): void {
    expect(Object.keys(found).length).toBe(Object.keys(wanted).length);
    for (const [name, digest] of Object.entries(wanted)) {
      const own = found[`fanogan.${name}`];
      // Of the last bias: 1 − 1 in the one, nothing at all in the other.
      if (digest.absmax < 1e-12) expect(Math.max(...own.map(Math.abs)), name).toBeLessThan(1e-6);
      else expect(digestError(own, digest), name).toBeLessThan(1e-3);
    }
  }

  it.each(['train', 'evaluate'] as const)('the generator, %s', async (mode) => {
    const { z, fake } = await inputs();
    const { outputs } = await runNets(runtime, parts(mode), { z }, (net, value) => ({
      outputs: { drawn: generate(net('generator'), value('z'), form) },
    }));
    const digest = mode === 'train' ? golden.generator_train : golden.generator_eval;
    expect(digestError(outputs.drawn, digest)).toBeLessThan(1e-4);
    if (mode === 'train') expect(relativeError(outputs.drawn, floats(fake))).toBeLessThan(1e-4);
  });

  it('the critic, its loss and the gradients, double backward in them', async () => {
    const { tensors, real, fake, epsilon } = await inputs();
    const { critic } = golden;
    const found = await runNets(runtime, parts('train'), { real, fake, epsilon }, (net, value) => {
      const own = net('critic');
      const seen = criticise(own, value('real'), form);
      const { loss, terms } = criticLoss(own, value('real'), value('fake'), value('epsilon'), form);
      const between = add(value('fake'), mul(value('epsilon'), sub(value('real'), value('fake'))));
      const judged = criticise(own, between, form).value;
      const [slope] = gradients(reduceSum(judged), [between]);
      const alone = reduceMean(slopePenalty(judged, between));
      return {
        outputs: {
          valueReal: seen.value,
          features: seen.features,
          valueFake: criticise(own, value('fake'), form).value,
          slope,
          loss: reshape(loss, [1]),
          ...terms,
        },
        losses: { L_D: { loss, by: ['critic'] }, penalty: { loss: alone, by: ['critic'] } },
      };
    });
    expect(relativeError(found.outputs.valueReal, critic.D_real)).toBeLessThan(1e-4);
    expect(relativeError(found.outputs.valueFake, critic.D_fake)).toBeLessThan(1e-4);
    expect(digestError(found.outputs.features, critic.feature_real)).toBeLessThan(1e-4);
    expect(relativeError(found.outputs.slope, floats(tensors['critic.input_gradient']))).toBeLessThan(1e-3);
    expect(relativeError(found.outputs.loss, [critic.L_D])).toBeLessThan(1e-4);
    expect(relativeError(found.outputs.penalty, [critic.gradient_penalty])).toBeLessThan(1e-4);
    expectGradients(found.gradients.L_D, critic.grad_L_D);
    expectGradients(found.gradients.penalty, critic.grad_penalty_only);
  });

  it('the derivative along the gradient is its norm, by the tangent pass as by the product', async () => {
    const { real, fake, epsilon } = await inputs();
    const { outputs } = await runNets(runtime, parts('train'), { real, fake, epsilon }, (net, value) => {
      const between = add(value('fake'), mul(value('epsilon'), sub(value('real'), value('fake'))));
      const { value: judged } = criticise(net('critic'), between, form);
      const [slope] = gradients(reduceSum(judged), [between]);
      const rows = (x: Value) => reshape(x, [3, -1]);
      const direction = reshape(stopGradient(l2Normalise(rows(slope))), between.shape);
      return {
        outputs: {
          tangent: tangent(judged, between, direction),
          product: reduceSum(mul(rows(slope), rows(direction)), [1]),
        },
      };
    });
    expect(relativeError(outputs.tangent, golden.critic.gradient_norm)).toBeLessThan(1e-4);
    expect(relativeError(outputs.product, golden.critic.gradient_norm)).toBeLessThan(1e-4);
  });

  it('the generator against the critic', async () => {
    const { z } = await inputs();
    const found = await runNets(runtime, parts('train'), { z }, (net, value) => {
      const drawn = generate(net('generator'), value('z'), form);
      const loss = neg(reduceMean(criticise(net('critic'), drawn, form).value));
      return { outputs: { loss: reshape(loss, [1]) }, losses: { L_G: { loss, by: ['generator'] } } };
    });
    expect(relativeError(found.outputs.loss, [golden.generator.L_G])).toBeLessThan(1e-4);
    expectGradients(found.gradients.L_G, golden.generator.grad_L_G);
  });

  it.each(['train', 'evaluate'] as const)('the encoder by izi_f, %s', async (mode) => {
    const { real } = await inputs();
    const wanted = mode === 'train' ? golden.encoder_train : golden.encoder_eval;
    const found = await runNets(runtime, parts(mode, 'evaluate'), { real }, (net, value) => {
      const x = value('real');
      const { drawn, residual, feature, score } = redraw(
        net('encoder'),
        net('generator'),
        net('critic'),
        x,
        form,
      );
      return {
        outputs: {
          z: encode(net('encoder'), x, form),
          drawn,
          residual: reshape(reduceMean(residual), [1]),
          feature: reshape(reduceMean(feature), [1]),
          score,
        },
        losses: { L_E: { loss: reduceMean(score), by: ['encoder'] } },
      };
    });
    expect(relativeError(found.outputs.z, wanted.z)).toBeLessThan(1e-4);
    expect(digestError(found.outputs.drawn, wanted.reconstruction)).toBeLessThan(1e-4);
    expect(relativeError(found.outputs.residual, [wanted.residual])).toBeLessThan(1e-4);
    expect(relativeError(found.outputs.feature, [wanted.feature])).toBeLessThan(1e-4);
    expect(relativeError(found.outputs.score, wanted.A_per_image)).toBeLessThan(1e-4);
    if (mode === 'train') expectGradients(found.gradients.L_E, golden.grad_L_E);
  });
});
