import { expect, it } from 'vitest';
import { floats } from '../../../src/base/tensor';
import { reduceMean, reshape, sigmoid } from '../../../src/graph/ops/index';
import type { Value } from '../../../src/graph/value';
import {
  discriminate,
  discriminatorLoss,
  generatorLoss,
  latentScore,
  redraw,
} from '../../../src/methods/detectors/ganomaly';
import type { GanomalyForm } from '../../../src/methods/detectors/ganomaly';
import { runNets } from '../../support/flat-nets';
import type { NetPart } from '../../support/flat-nets';
import { describeGolden, digestError, goldenJson, goldenTensors, relativeError } from '../../support/golden';
import type { Digest } from '../../support/golden';
import { openNodeRuntime } from '../../support/node-runtime';

interface Pass {
  reconstruction: Digest;
  latent: number[];
  latent_again: number[];
  p_real: number[];
  p_fake: number[];
  L_con: number;
  L_enc_squared: number;
  L_adv_feature: number;
  L_G: number;
  score: number[];
}

interface Golden {
  ganomaly: {
    train: Pass;
    eval: Pass;
    grad_L_G: Record<string, Digest>;
    grad_L_D: Record<string, Digest>;
    L_D: number;
    running_after_first_forward: Record<string, Digest>;
    side: number;
    filters: number;
    latent: number;
    parameters_one_encoder: Record<string, number>;
  };
}

describeGolden(['generative.json', 'ganomaly.safetensors'], 'GANomaly', () => {
  const golden = goldenJson<Golden>('generative.json').ganomaly;
  const runtime = openNodeRuntime();
  const form: GanomalyForm = { tile: golden.side, filters: golden.filters, latent: golden.latent };
  const parts = (mode: NetPart['mode']) => ({
    generator: { prefix: 'ganomaly.', mode },
    discriminator: { prefix: 'ganomaly.discriminator.', mode },
  });

  const images = async () => {
    const { images } = await goldenTensors('ganomaly.safetensors');
    return { images };
  };

  it.each(['train', 'eval'] as const)('pictures, codes and losses, %s', async (pass) => {
    const wanted = golden[pass];
    const { outputs } = await runNets(
      runtime,
      parts(pass === 'train' ? 'train' : 'evaluate'),
      await images(),
      (net, value) => {
        const x = value('images');
        const { z, drawn, again } = redraw(net('generator'), x, form);
        const probability = (of: Value) => sigmoid(discriminate(net('discriminator'), of, form).logit);
        const { loss, terms } = generatorLoss(net('generator'), net('discriminator'), x, form);
        return {
          outputs: {
            drawn,
            z,
            again,
            real: probability(x),
            fake: probability(drawn),
            score: latentScore(z, again),
            losses: reshape(loss, [1]),
            ...terms,
          },
        };
      },
    );
    expect(digestError(outputs.drawn, wanted.reconstruction)).toBeLessThan(1e-4);
    expect(relativeError(outputs.z, wanted.latent)).toBeLessThan(1e-4);
    expect(relativeError(outputs.again, wanted.latent_again)).toBeLessThan(1e-4);
    expect(relativeError(outputs.real, wanted.p_real)).toBeLessThan(1e-4);
    expect(relativeError(outputs.fake, wanted.p_fake)).toBeLessThan(1e-4);
    expect(relativeError(outputs.score, wanted.score)).toBeLessThan(1e-4);
    expect(relativeError(outputs.losses, [wanted.L_G])).toBeLessThan(1e-4);
    expect(relativeError(outputs.contextual, [wanted.L_con])).toBeLessThan(1e-4);
    expect(relativeError(outputs.latent, [wanted.L_enc_squared])).toBeLessThan(1e-4);
    expect(relativeError(outputs.adversarial, [wanted.L_adv_feature])).toBeLessThan(1e-4);
  });

  it('gradients of the generator, running statistics', async () => {
    const found = await runNets(runtime, parts('train'), await images(), (net, value) => {
      const { loss } = generatorLoss(net('generator'), net('discriminator'), value('images'), form);
      return { outputs: { loss }, losses: { L_G: { loss, by: ['generator'] } } };
    });
    expect(Object.keys(found.gradients.L_G)).toHaveLength(Object.keys(golden.grad_L_G).length);
    for (const [name, digest] of Object.entries(golden.grad_L_G))
      expect(digestError(found.gradients.L_G[`ganomaly.${name}`], digest), name).toBeLessThan(1e-3);
    for (const [name, digest] of Object.entries(golden.running_after_first_forward))
      expect(digestError(found.statistics[`ganomaly.${name}`], digest), name).toBeLessThan(1e-4);
    const tensors = await goldenTensors('ganomaly.safetensors');
    for (const name of ['decoder.out.weight', 'encoder1.conv0.weight'])
      expect(
        relativeError(found.gradients.L_G[`ganomaly.${name}`], floats(tensors[`grad.L_G.${name}`])),
      ).toBeLessThan(1e-3);
  });

  it('gradients of the discriminator', async () => {
    const tensors = await goldenTensors('ganomaly.safetensors');
    const feeds = { images: tensors.images, drawn: tensors['train.reconstruction'] };
    const found = await runNets(runtime, parts('train'), feeds, (net, value) => {
      const loss = discriminatorLoss(net('discriminator'), value('images'), value('drawn'), form);
      return { outputs: { loss: reduceMean(loss) }, losses: { L_D: { loss, by: ['discriminator'] } } };
    });
    expect(relativeError(found.outputs.loss, [golden.L_D])).toBeLessThan(1e-4);
    expect(Object.keys(found.gradients.L_D)).toHaveLength(Object.keys(golden.grad_L_D).length);
    for (const [name, digest] of Object.entries(golden.grad_L_D))
      expect(digestError(found.gradients.L_D[`ganomaly.${name}`], digest), name).toBeLessThan(1e-3);
  });
});
