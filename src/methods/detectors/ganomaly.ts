import {
  abs,
  add,
  convTranspose,
  conv,
  enlargeAndBlur,
  gemm,
  leakyRelu,
  mul,
  neg,
  reduceMax,
  reduceMean,
  relu,
  reshape,
  resizeBilinear,
  softplus,
  sub,
  tanh,
} from '../../graph/ops/index';
import type { GraphBuilder } from '../../graph/builder';
import type { Value } from '../../graph/value';
import { normal } from '../../nn/initialisers';
import { FittedNet } from '../../nn/net';
import type { Net } from '../../nn/net';
import type { OptimiserSpec } from '../../nn/optimisers';
import type { Feeds } from '../../runtime/program';
import type { Detector, StateValues } from '../contract';
import { cacheBytes, cacheFeatures } from '../kit/feature-cache';
import { fitByGradient } from '../kit/gradient-fit';
import { splitGood } from '../kit/held-out';
import { squaredDifference } from '../kit/squared-difference';
import {
  FLIPS_OPTION,
  TileSampler,
  cutTiles,
  fromSigned,
  stitchTiles,
  tilingOf,
  toSigned,
} from '../kit/tiles';
import { netBytes, trainingBytes } from '../kit/training-graph';
import type { StepSpec } from '../kit/training-graph';
import { batchOption, blurOption, rateOption, stepsOption } from '../kit/training-options';

export type GanomalyOptions = {
  readonly form: string;
  readonly steps: number;
  readonly batch: number;
  readonly learningRate: number;
  readonly flips: boolean;
  readonly blurSigma: number;
};

/** What the networks are made for. */
export interface GanomalyForm {
  /** Side of the square that is encoded: a power of two from 16 up. */
  readonly tile: number;
  readonly filters: number;
  readonly latent: number;
}

const LATENT = 100;
const REDUCED = { tile: 64, filters: 32 };
/** 47,981,312 parameters an encoder at a side of 256. */
const FULL_FILTERS = 64;
const SLOPE = 0.2;
/** Side at which the encoder ends and the decoder begins. */
const CORE = 4;
/** Adversarial, contextual and latent loss against one another. @source methods.md 3.3 */
const WEIGHTS = { adversarial: 1, contextual: 50, latent: 1 };
const ADAM: OptimiserSpec = { kind: 'adam', betas: [0.5, 0.999] };

/** Iterations between two looks at held-out tiles, batches of one look, and looks without a new best that end training. */
const LOOK_EVERY = 25;
const LOOK_BATCHES = 4;
const PATIENCE = 6;

/** DCGAN's first values. */
const CONV_START = normal(0.02);
const NORM_START = normal(0.02, 1);

/** Halvings (doublings) between the outermost layer and the core. */
const layersOf = (side: number): number => Math.log2(side / CORE) - 1;

/** The part of a square [B,1,S,S] that the discriminator compares: [B,C,4,4]. */
function trunk(net: Net, x: Value, filters: number, prefix: string): Value {
  let y = x;
  for (let layer = 0; layer <= layersOf(x.shape[2]); layer++) {
    const shape = [filters * 2 ** layer, y.shape[1], 4, 4];
    const weight = net.parameter(`${prefix}conv${layer}.weight`, shape, CONV_START);
    y = conv(y, weight, undefined, { strides: [2, 2], pads: [1, 1, 1, 1] });
    // The first layer has no norm.
    if (layer) y = net.batchNorm(y, `${prefix}bn${layer}`, NORM_START);
    y = leakyRelu(y, SLOPE);
  }
  return y;
}

/** The last convolution of an encoder, which sees all of its input at once: [B,C,4,4] to [B,out]. */
function head(net: Net, features: Value, out: number, prefix: string): Value {
  const [batch, channels] = features.shape;
  const weight = net.parameter(`${prefix}out.weight`, [out, channels, CORE, CORE], CONV_START);
  return gemm(reshape(features, [batch, -1]), reshape(weight, [out, -1]), undefined, false, true);
}

const encode = (net: Net, x: Value, { filters, latent }: GanomalyForm, prefix: string): Value =>
  head(net, trunk(net, x, filters, prefix), latent, prefix);

/** [B,nz] to [B,1,S,S] in −1 … 1. */
function decode(net: Net, z: Value, { tile, filters, latent }: GanomalyForm): Value {
  const layers = layersOf(tile);
  const widest = filters * 2 ** layers;
  const first = net.parameter('decoder.conv0.weight', [latent, widest, CORE, CORE], CONV_START);
  let y = reshape(gemm(z, reshape(first, [latent, -1])), [z.shape[0], widest, CORE, CORE]);
  for (let layer = 0; layer <= layers; layer++) {
    y = relu(net.batchNorm(y, `decoder.bn${layer}`, NORM_START));
    const last = layer === layers;
    const shape = [widest / 2 ** layer, last ? 1 : widest / 2 ** (layer + 1), 4, 4];
    const weight = net.parameter(`decoder.${last ? 'out' : `conv${layer + 1}`}.weight`, shape, CONV_START);
    y = convTranspose(y, weight, undefined, { strides: [2, 2], pads: [1, 1, 1, 1] });
  }
  return tanh(y);
}

/** Code, picture, and the code of the picture. @param x [B,1,S,S] in −1 … 1 @source methods.md 3.2 */
export function redraw(net: Net, x: Value, form: GanomalyForm): { z: Value; drawn: Value; again: Value } {
  const z = encode(net, x, form, 'encoder1.');
  const drawn = decode(net, z, form);
  return { z, drawn, again: encode(net, drawn, form, 'encoder2.') };
}

/** Features [B,C,4,4] and logit [B,1]: high for a picture that looks real. */
export function discriminate(
  net: Net,
  x: Value,
  { filters }: GanomalyForm,
): { features: Value; logit: Value } {
  const features = trunk(net, x, filters, '');
  return { features, logit: head(net, features, 1, '') };
}

/** mean (z − ẑ)² of every square: [B]. @source methods.md 3.4 */
export const latentScore = (z: Value, again: Value): Value => reduceMean(squaredDifference(z, again), [1]);

/** L_adv + 50 L_con + L_enc, adversarial by feature matching. @source methods.md 3.3 */
export function generatorLoss(net: Net, judge: Net, x: Value, form: GanomalyForm) {
  const { z, drawn, again } = redraw(net, x, form);
  const wanted = discriminate(judge, x, form).features;
  const adversarial = reduceMean(squaredDifference(discriminate(judge, drawn, form).features, wanted));
  const contextual = reduceMean(abs(sub(x, drawn)));
  const latent = reduceMean(latentScore(z, again));
  const loss = add(
    add(mul(adversarial, WEIGHTS.adversarial), mul(contextual, WEIGHTS.contextual)),
    mul(latent, WEIGHTS.latent),
  );
  return { loss, drawn, terms: { adversarial, contextual, latent } };
}

/** ½(BCE(D(x),1) + BCE(D(x̂),0)), from logits. */
export function discriminatorLoss(judge: Net, x: Value, drawn: Value, form: GanomalyForm): Value {
  const real = reduceMean(softplus(neg(discriminate(judge, x, form).logit)));
  const fake = reduceMean(softplus(discriminate(judge, drawn, form).logit));
  return mul(add(real, fake), 0.5);
}

/** Largest power of two that is not above a number. */
const powerOfTwo = (side: number): number => 2 ** Math.floor(Math.log2(side));

/** Networks and tiles for images of a side. */
function planOf(side: number, form: string) {
  const square = powerOfTwo(side);
  const full = form === 'full';
  const tile = full ? square : Math.min(REDUCED.tile, square);
  return {
    full,
    form: { tile, filters: full ? FULL_FILTERS : REDUCED.filters, latent: LATENT },
    tiling: tilingOf(full ? square : side, tile, tile / 2),
  };
}

type Plan = ReturnType<typeof planOf>;

/** The image at the side that the tiles are cut from. */
const resized = (image: Value, { tiling: { side } }: Plan): Value => resizeBilinear(image, side, side);

function stepsOf({ form }: Plan, batch: number): Record<'generator' | 'discriminator', StepSpec> {
  const shape = [batch, 1, form.tile, form.tile];
  return {
    generator: {
      nets: { generator: { optimiser: ADAM }, discriminator: {} },
      build({ net, input }) {
        const x = toSigned(input('real', shape));
        const { loss, drawn, terms } = generatorLoss(net('generator'), net('discriminator'), x, form);
        return { loss, terms, carried: { drawn } };
      },
    },
    discriminator: {
      nets: { discriminator: { optimiser: ADAM } },
      build({ net, input }) {
        const x = toSigned(input('real', shape));
        return { loss: discriminatorLoss(net('discriminator'), x, input('fake', shape), form) };
      },
    },
  };
}

/** Every tile of images in −1 … 1, and what the networks make of it. */
function redrawTiles(graph: GraphBuilder, image: Value, state: StateValues, { form, tiling }: Plan) {
  const x = toSigned(cutTiles(image, tiling));
  return { x, ...redraw(new FittedNet(graph, state, 'generator.'), x, form) };
}

/** Squares that don't come out of a generator and back with the code they went in with are strange. */
export const ganomaly: Detector<GanomalyOptions> = {
  title: 'GANomaly',
  source: {
    authors: 'Akcay, Atapour-Abarghouei, Breckon',
    title: 'GANomaly: Semi-Supervised Anomaly Detection via Adversarial Training',
    where: 'ACCV 2018',
    reference:
      "samet-akcay's code with the paper's losses: feature matching, squared difference of the codes, first padding 1, " +
      'values from −1 to 1. Tiles, the strangest for the image, where the reduced form can’t take it whole. Left out: ' +
      'scores rescaled over the test set, and starting the discriminator anew when its loss vanishes.',
  },
  about: {
    summary: 'Redraws tiles through a narrow code; a tile whose picture has another code is strange.',
    assumes: 'Good tiles are alike enough to be told by a hundred numbers; a defect changes the code.',
    fails:
      'Patterns at any phase don’t fit into the code: unusual good tiles stand out as much as defects, and small ' +
      'defects hardly move the code. The map, |x − x̂| smoothed, is an addition; the paper scores whole images only.',
    cost: 'Some hundred steps of four small networks, whatever the number of images. The full form takes gigabytes.',
  },
  options: {
    form: {
      kind: 'choice',
      default: 'reduced',
      choices: [
        { value: 'reduced', label: 'reduced: tiles of 64 px, 32 filters' },
        { value: 'full', label: 'full: whole image, 64 filters' },
      ],
      label: 'Form',
      help: 'Full shrinks the image to a power of two and needs gigabytes: 48 million parameters a network at 256 px.',
    },
    steps: stepsOption(600),
    batch: {
      ...batchOption(16),
      unit: 'tiles',
      help: 'Random tiles in one step, or images in the full form.',
    },
    learningRate: rateOption(2e-4),
    flips: FLIPS_OPTION,
    blurSigma: blurOption(4),
  },
  needs: { taps: [], leastGoodImages: 1, defects: 'none' },
  leavesOut: false,

  memory({ side, goodImages }, o) {
    const plan = planOf(side, o.form);
    const steps = Object.values(stepsOf(plan, o.batch));
    return {
      fitBytes: cacheBytes(goodImages, plan.tiling.side ** 2) + trainingBytes(steps),
      stateBytes: netBytes(steps),
    };
  },

  async *fit(context, o) {
    const { trained, heldOut } = splitGood(context.goodImages, context);
    const plan = planOf(context.side, o.form);
    const { tile, filters } = plan.form;
    context.remark(
      plan.full
        ? `Full form: whole images at ${tile} px, ${filters} filters.`
        : `Reduced form: tiles of ${tile} px, ${filters} filters.`,
    );
    const cache = yield* cacheFeatures(context, 'pixels', ({ image }) => resized(image, plan));
    const tiles = new TileSampler(context, cache, trained, { batch: o.batch, tile });
    const unseen = new TileSampler(context, cache, heldOut, { batch: o.batch, tile });
    return yield* fitByGradient(context, {
      key: 'networks',
      steps: stepsOf(plan, o.batch),
      iterations: o.steps,
      rate: () => o.learningRate,
      feeds: async (step, iteration, _turn, { drawn }): Promise<Feeds> => {
        const real = await tiles.at(`tiles.${iteration}`, o.flips);
        return step === 'generator' ? { real } : { real, fake: drawn };
      },
      heldOut: {
        images: heldOut,
        step: 'generator',
        every: LOOK_EVERY,
        patience: PATIENCE,
        feeds: async () => (await unseen.looks(LOOK_BATCHES)).map((real) => ({ real })),
      },
      divergence: 'one of the two networks ran away from the other; a lower learning rate is steadier',
    });
  },

  score(graph, { image }, state, o) {
    const [batch, , height, width] = image.shape;
    const plan = planOf(height, o.form);
    const { x, z, drawn, again } = redrawTiles(graph, resized(image, plan), state, plan);
    const residual = mul(abs(sub(x, drawn)), 0.5);
    const map = plan.full
      ? enlargeAndBlur(residual, height, width, o.blurSigma)
      : stitchTiles(residual, plan.tiling, 'flat', o.blurSigma);
    return { map, score: reduceMax(reshape(latentScore(z, again), [batch, -1]), [1]) };
  },

  reconstruct(graph, { image }, state, o) {
    const [, , height, width] = image.shape;
    const plan = planOf(height, o.form);
    const { drawn } = redrawTiles(graph, resized(image, plan), state, plan);
    return resizeBilinear(fromSigned(stitchTiles(drawn, plan.tiling, 'raised cosine')), height, width);
  },
};
