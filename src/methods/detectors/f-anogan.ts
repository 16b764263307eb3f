import type { Rng } from '../../base/rng';
import { floatTensor } from '../../base/tensor';
import type { GraphBuilder } from '../../graph/builder';
import {
  abs,
  add,
  averagePool,
  concat,
  conv,
  linear,
  mul,
  neg,
  reduceMax,
  reduceMean,
  relu,
  repeatPixels,
  reshape,
  slice,
  sub,
  tanh,
} from '../../graph/ops/index';
import type { Value } from '../../graph/value';
import { convThenHalve, doubleThenConv } from '../../nn/folded-kernels';
import { imageNorm } from '../../nn/image-norm';
import { filledWith, heNormal, xavierNormal } from '../../nn/initialisers';
import { FittedNet } from '../../nn/net';
import type { Net } from '../../nn/net';
import type { OptimiserSpec } from '../../nn/optimisers';
import { cosine } from '../../nn/schedules';
import type { Feeds } from '../../runtime/program';
import type { Detector, StateValues } from '../contract';
import { cacheBytes, cacheFeatures } from '../kit/feature-cache';
import { fitByGradient } from '../kit/gradient-fit';
import { splitGood } from '../kit/held-out';
import { slopePenalty } from '../kit/slope-penalty';
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

export type FAnoganOptions = {
  readonly form: string;
  readonly steps: number;
  readonly encoderSteps: number;
  readonly batch: number;
  readonly learningRate: number;
  readonly encoderRate: number;
  readonly flips: boolean;
  readonly blurSigma: number;
};

/** What the networks are made for. */
export interface FAnoganForm {
  /** Side of the square that is encoded: a multiple of 16. */
  readonly tile: number;
  /** Filters of the outermost layer. */
  readonly filters: number;
  readonly latent: number;
}

const TILE = 64;
const STRIDE = 32;

/** The published size, and smaller ones: the smallest levels off within minutes on two cores. */
const FORMS = {
  small: { title: 'Small', filters: 16, latent: 64 },
  reduced: { title: 'Reduced', filters: 32, latent: 64 },
  full: { title: 'Full', filters: 64, latent: 128 },
} as const;

/** Five steps of the critic to one of the generator. */
const CYCLE = [...new Array<string>(5).fill('critic'), 'generator'];
const ADAM: OptimiserSpec = { kind: 'adam', betas: [0, 0.9] };
const RMSPROP: OptimiserSpec = { kind: 'rmsprop', form: 'tensorflow' };

/** Iterations between two looks at held-out tiles, batches of one look, and looks without a new best that end training. */
const LOOK_EVERY = 25;
const LOOK_BATCHES = 4;
const PATIENCE = 8;

/** Channels behind each block of critic and encoder, in filters; the generator's the other way round. */
const WIDTHS = [2, 4, 8, 8];
const PENALTY = 10;

/** A norm by its name: over the batch in generator and encoder, over the image in the critic. */
type Norm = (net: Net, x: Value, name: string) => Value;

const batchNorm: Norm = (net, x, name) => net.batchNorm(x, name);

const SAME = { pads: [1, 1, 1, 1] } as const;

const convWeight = (net: Net, name: string, out: number, from: number): Value =>
  net.parameter(`${name}.weight`, [out, from, 3, 3], heNormal);
const bias = (net: Net, name: string, size: number): Value =>
  net.parameter(`${name}.bias`, [size], filledWith(0));
const shortcutWeight = (net: Net, name: string, out: number, from: number): Value =>
  net.parameter(`${name}.shortcut.weight`, [out, from, 1, 1], xavierNormal);

/** Norm, ReLU, 3×3, norm, ReLU, 3×3, 2×2 mean; beside it 2×2 mean and 1×1. [B,C,h,w] to [B,out,h/2,w/2] */
function downBlock(net: Net, norm: Norm, x: Value, name: string, out: number): Value {
  const from = x.shape[1];
  const first = relu(norm(net, x, `${name}.norm1`));
  const inner = conv(first, convWeight(net, `${name}.conv1`, from, from), undefined, SAME);
  const second = relu(norm(net, inner, `${name}.norm2`));
  const weight = convWeight(net, `${name}.conv2`, out, from);
  const main = convThenHalve(second, weight, bias(net, `${name}.conv2`, out));
  const pooled = averagePool(x, { kernel: [2, 2] });
  return add(main, conv(pooled, shortcutWeight(net, name, out, from), bias(net, `${name}.shortcut`, out)));
}

/** Norm, ReLU, doubling, 3×3, norm, ReLU, 3×3; beside it 1×1 and doubling. [B,C,h,w] to [B,out,2h,2w] */
function upBlock(net: Net, x: Value, name: string, out: number): Value {
  const from = x.shape[1];
  const first = relu(net.batchNorm(x, `${name}.norm1`));
  const inner = doubleThenConv(first, convWeight(net, `${name}.conv1`, out, from));
  const second = relu(net.batchNorm(inner, `${name}.norm2`));
  const main = conv(
    second,
    convWeight(net, `${name}.conv2`, out, out),
    bias(net, `${name}.conv2`, out),
    SAME,
  );
  const side = conv(x, shortcutWeight(net, name, out, from), bias(net, `${name}.shortcut`, out));
  return add(main, repeatPixels(side, 2));
}

/** f(x): all that critic and encoder have before their last layer. [B,1,T,T] to [B,features], channels first */
function trunk(net: Net, norm: Norm, x: Value, filters: number): Value {
  const weight = net.parameter('conv0.weight', [filters, x.shape[1], 3, 3], xavierNormal);
  const first = conv(x, weight, bias(net, 'conv0', filters), SAME);
  const last = WIDTHS.reduce((y, width, i) => downBlock(net, norm, y, `block${i}`, width * filters), first);
  return reshape(last, [x.shape[0], -1]);
}

const lastLayer = (net: Net, features: Value, out: number): Value =>
  linear(
    features,
    net.parameter('out.weight', [out, features.shape[1]], xavierNormal),
    bias(net, 'out', out),
  );

/** Features f(x) [B,F] and the critic's value [B,1]: high for what looks real. @param x in −1 … 1 */
export function criticise(net: Net, x: Value, { filters }: FAnoganForm): { features: Value; value: Value } {
  const features = trunk(net, imageNorm, x, filters);
  return { features, value: lastLayer(net, features, 1) };
}

/** [B,1,T,T] in −1 … 1 to the code that the generator draws it from, [B,z]. */
export const encode = (net: Net, x: Value, { filters, latent }: FAnoganForm): Value =>
  lastLayer(net, trunk(net, batchNorm, x, filters), latent);

/** [B,z] to [B,1,T,T] in −1 … 1. */
export function generate(net: Net, z: Value, { tile, filters, latent }: FAnoganForm): Value {
  const core = tile / 2 ** WIDTHS.length;
  const widths = [...WIDTHS].reverse();
  const units = widths[0] * filters * core * core;
  const start = linear(z, net.parameter('in.weight', [units, latent], xavierNormal), bias(net, 'in', units));
  const last = [...widths.slice(1), 1].reduce(
    (y, width, i) => upBlock(net, y, `block${i}`, width * filters),
    reshape(start, [z.shape[0], widths[0] * filters, core, core]),
  );
  const drawn = relu(net.batchNorm(last, 'norm'));
  const weight = net.parameter('out.weight', [1, filters, 3, 3], xavierNormal);
  return tanh(conv(drawn, weight, bias(net, 'out', 1), SAME));
}

/** mean D(fake) − mean D(real): falls as the critic learns, and its opposite is the Wasserstein estimate. */
function criticGap(net: Net, real: Value, fake: Value, form: FAnoganForm): Value {
  const [batch] = real.shape;
  const { value } = criticise(net, concat([fake, real], 0), form);
  return sub(reduceMean(slice(value, 0, 0, batch)), reduceMean(slice(value, 0, batch, 2 * batch)));
}

/** L_D = mean D(fake) − mean D(real) + λ·penalty between them. @param epsilon [B,1,1,1] @source methods.md 2.3 */
export function criticLoss(net: Net, real: Value, fake: Value, epsilon: Value, form: FAnoganForm) {
  const between = add(fake, mul(epsilon, sub(real, fake)));
  const gap = criticGap(net, real, fake, form);
  const penalty = reduceMean(slopePenalty(criticise(net, between, form).value, between));
  return { loss: add(gap, mul(penalty, PENALTY)), terms: { wasserstein: neg(gap), penalty } };
}

/**
 * A = mean (x − x̂)² + mean (f(x) − f(x̂))² of every square, [B]: what the encoder is trained by and images are scored
 * with, κ = 1. @source methods.md 2.4
 */
export function unlikeness(critic: Net, x: Value, drawn: Value, form: FAnoganForm) {
  const residual = reduceMean(squaredDifference(x, drawn), [1, 2, 3]);
  const features = (of: Value) => criticise(critic, of, form).features;
  const feature = reduceMean(squaredDifference(features(x), features(drawn)), [1]);
  return { residual, feature, score: add(residual, feature) };
}

/** What encoder and generator make of squares, and how unlike them it is. @param x in −1 … 1 */
export function redraw(encoder: Net, generator: Net, critic: Net, x: Value, form: FAnoganForm) {
  const drawn = generate(generator, encode(encoder, x, form), form);
  return { drawn, ...unlikeness(critic, x, drawn, form) };
}

const formOf = (name: string): FAnoganForm & { readonly title: string } => ({
  tile: TILE,
  ...(FORMS[name as keyof typeof FORMS] ?? FORMS.small),
});

type StageOne = 'critic' | 'generator';

/** Critic and generator against each other. */
function adversarialSteps(form: FAnoganForm, batch: number): Record<StageOne, StepSpec> {
  const shape = [batch, 1, form.tile, form.tile];
  return {
    critic: {
      nets: { critic: { optimiser: ADAM }, generator: {} },
      build({ net, input }) {
        const fake = generate(net('generator'), input('z', [batch, form.latent]), form);
        const real = toSigned(input('real', shape));
        return criticLoss(net('critic'), real, fake, input('epsilon', [batch, 1, 1, 1]), form);
      },
    },
    generator: {
      nets: { generator: { optimiser: ADAM }, critic: {} },
      build({ net, input }) {
        const drawn = generate(net('generator'), input('z', [batch, form.latent]), form);
        return { loss: neg(reduceMean(criticise(net('critic'), drawn, form).value)) };
      },
    },
  };
}

/** The encoder by "izi_f": picture and features of what the generator draws from its code. */
const encoderStep = (form: FAnoganForm, batch: number): StepSpec => ({
  nets: { encoder: { optimiser: RMSPROP }, generator: { frozen: true }, critic: { frozen: true } },
  build({ net, input }) {
    const x = toSigned(input('real', [batch, 1, form.tile, form.tile]));
    const { residual, feature, score } = redraw(net('encoder'), net('generator'), net('critic'), x, form);
    return {
      loss: reduceMean(score),
      terms: { residual: reduceMean(residual), feature: reduceMean(feature) },
    };
  },
});

/** Every tile of images 0 … 1, and what the networks make of it. */
function redrawTiles(graph: GraphBuilder, image: Value, state: StateValues, name: string) {
  const form = formOf(name);
  const tiling = tilingOf(image.shape[2], TILE, STRIDE);
  const x = toSigned(cutTiles(image, tiling));
  const net = (of: string) => new FittedNet(graph, state, `${of}.`);
  return { x, tiling, ...redraw(net('encoder'), net('generator'), net('critic'), x, form) };
}

/** Random numbers of one step. */
const noise = (rng: Rng, batch: number, latent: number): Feeds => ({
  z: floatTensor(
    [batch, latent],
    Float32Array.from({ length: batch * latent }, () => rng.normal()),
  ),
  epsilon: floatTensor(
    [batch, 1, 1, 1],
    Float32Array.from({ length: batch }, () => rng.uniform()),
  ),
});

/** A generator of good tiles and an encoder into it; what they can't draw again is strange. */
export const fAnogan: Detector<FAnoganOptions> = {
  title: 'f-AnoGAN',
  source: {
    authors: 'Schlegl, Seeböck, Waldstein, Langs, Schmidt-Erfurth',
    title: 'f-AnoGAN: Fast unsupervised anomaly detection with generative adversarial networks',
    where: 'Medical Image Analysis 2019',
    reference:
      "tSchlegl's code: residual networks and first values of WGAN-GP, encoder by izi_f with κ = 1. Running " +
      'statistics at inspection, where that code may keep the batch’s. Short schedule at higher learning rates, the ' +
      'encoder’s falling; the published one has steady 1e-4 and 5e-5 and tens of thousands of steps of batch 64.',
  },
  about: {
    summary: 'Redraws tiles with a generator that knows good tiles alone; what it can’t redraw is strange.',
    assumes: 'Good tiles are alike enough for a small generator to draw any of them.',
    fails:
      'Lines at any place don’t fit into a short code: pictures come out plausible but shifted, and good edges stand ' +
      'out as much as defects. Published scores on SEM images are near chance; so are short schedules.',
    cost:
      'Six steps for each one of the generator, one through a derivative of a derivative. The small form levels off in ' +
      'minutes; the others want a graphics card and thousands of steps.',
  },
  options: {
    form: {
      kind: 'choice',
      default: 'small',
      choices: [
        { value: 'small', label: 'small: 16 filters, codes of 64' },
        { value: 'reduced', label: 'reduced: 32 filters, codes of 64' },
        { value: 'full', label: 'full: 64 filters, codes of 128' },
      ],
      label: 'Form',
      help: 'Full is the published size. Each next form takes about four to eight times as long a step.',
    },
    steps: {
      ...stepsOption(120),
      label: 'Generator steps',
      help: 'Each goes with five steps of the critic. The published schedule has tens of thousands.',
    },
    // Held-out loss of the encoders of two generators after 800 steps: 0.283 and 0.0105 at a steady rate, 0.209 and 0.0078 so.
    encoderSteps: {
      ...stepsOption(800),
      label: 'Encoder steps at most',
      help: 'The learning rate falls along half a cosine over them. Held-out good images may end them earlier.',
    },
    batch: { ...batchOption(16), unit: 'tiles', help: 'Random tiles in one step.' },
    learningRate: {
      ...rateOption(5e-4),
      label: 'Learning rate of generator and critic',
      help: '1e-4 for the published schedule. Halve it when the loss jumps or stops being a number.',
    },
    encoderRate: {
      ...rateOption(5e-4),
      label: 'Learning rate of the encoder',
      help: '5e-5 for the published schedule.',
    },
    flips: FLIPS_OPTION,
    blurSigma: blurOption(2),
  },
  needs: { taps: [], leastGoodImages: 1, defects: 'none' },
  leavesOut: false,

  memory({ side, goodImages }, o) {
    const form = formOf(o.form);
    const first = Object.values(adversarialSteps(form, o.batch));
    const second = [encoderStep(form, o.batch)];
    const training = Math.max(trainingBytes(first), trainingBytes(second) + netBytes(first));
    return { fitBytes: cacheBytes(goodImages, side ** 2) + training, stateBytes: netBytes(second) };
  },

  async *fit(context, o) {
    const { trained, heldOut } = splitGood(context.goodImages, context);
    const form = formOf(o.form);
    const { title, tile, filters, latent } = form;
    context.remark(`${title} form: tiles of ${tile} px, ${filters} filters, codes of ${latent}.`);
    const cache = yield* cacheFeatures(context, 'pixels', ({ image }) => image);
    const tiles = new TileSampler(context, cache, trained, { batch: o.batch, tile });
    const unseen = new TileSampler(context, cache, heldOut, { batch: o.batch, tile });
    const start = yield* fitByGradient(context, {
      key: 'generator',
      phase: 'generator',
      partial: true,
      divergence: 'the critic ran away from the generator; a lower learning rate is steadier',
      steps: adversarialSteps(form, o.batch),
      cycle: CYCLE,
      iterations: o.steps,
      rate: () => o.learningRate,
      feeds: async (step, iteration, turn): Promise<Feeds> => ({
        ...noise(context.rng(`noise.${iteration}.${turn}`), o.batch, latent),
        ...(step === 'critic' && { real: await tiles.at(`tiles.${iteration}.${turn}`, o.flips) }),
      }),
    });
    // What is asked for is the cost of the steps above.
    if (context.trial) return {};
    const encoderRate = cosine(o.encoderRate, o.encoderSteps);
    return yield* fitByGradient(context, {
      key: 'encoder',
      phase: 'encoder',
      steps: { encoder: encoderStep(form, o.batch) },
      iterations: o.encoderSteps,
      start,
      rate: (_net, iteration) => encoderRate(iteration),
      feeds: async (_step, iteration): Promise<Feeds> => ({
        real: await tiles.at(`encoder tiles.${iteration}`, o.flips),
      }),
      heldOut: {
        images: heldOut,
        step: 'encoder',
        every: LOOK_EVERY,
        patience: PATIENCE,
        feeds: async () => (await unseen.looks(LOOK_BATCHES)).map((real) => ({ real })),
      },
    });
  },

  score(graph, { image }, state, o) {
    const { x, drawn, score, tiling } = redrawTiles(graph, image, state, o.form);
    const residual = mul(abs(sub(x, drawn)), 0.5);
    return {
      map: stitchTiles(residual, tiling, 'raised cosine', o.blurSigma),
      score: reduceMax(reshape(score, [image.shape[0], -1]), [1]),
    };
  },

  reconstruct(graph, { image }, state, o) {
    const { drawn, tiling } = redrawTiles(graph, image, state, o.form);
    return fromSigned(stitchTiles(drawn, tiling, 'raised cosine'));
  },
};
