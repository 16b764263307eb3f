import { AppError } from '../../base/errors';
import { floatTensor, floats } from '../../base/tensor';
import type { TensorData } from '../../base/tensor';
import { GraphBuilder } from '../../graph/builder';
import {
  abs,
  add,
  clip,
  concat,
  conv,
  div,
  gaussianBlur,
  log,
  max,
  maxPool,
  mul,
  reduceMax,
  reduceMean,
  reduceSum,
  relu,
  resizeBilinear,
  sigmoid,
  sub,
  tanh,
} from '../../graph/ops/index';
import type { Value } from '../../graph/value';
import { quantile } from '../../metrics/statistics';
import { filledWith } from '../../nn/initialisers';
import { FittedNet } from '../../nn/net';
import type { Net } from '../../nn/net';
import type { Detector, FitContext, FitProgress, FitSize, Inputs, MethodState } from '../contract';
import { cacheBytes, cacheFeatures } from '../kit/feature-cache';
import type { FeatureCache } from '../kit/feature-cache';
import { fitByGradient } from '../kit/gradient-fit';
import { splitGood } from '../kit/held-out';
import { BatchSampler, ofBatches } from '../kit/sampling';
import { ssim } from '../kit/ssim';
import { withDefect } from '../kit/synthetic-defects';
import { netBytes, trainingBytes } from '../kit/training-graph';
import type { StepSpec } from '../kit/training-graph';
import { batchOption, blurOption, rateOption, stepsOption } from '../kit/training-options';

export type InpaintingOptions = {
  readonly form: string;
  readonly steps: number;
  readonly batch: number;
  readonly learningRate: number;
  readonly blurSigma: number;
};

/** Channels of the five scales. @source methods.md 4.2 */
const WIDTHS = { reduced: [16, 32, 64, 128, 128], full: [32, 64, 128, 256, 256] } as const;
/** Images halve four times. */
const MULTIPLE = 16;
/** Side of the crops that are trained on. */
const CROP = 128;
/** Weights of repair and of structural similarity. */
const REPAIR = 5;
const SIMILARITY = 1;
/** Share of good pixels whose residual counts as full. */
const RESIDUAL_QUANTILE = 0.995;
const MOST_RESIDUALS = 400_000;
const LOOK_EVERY = 50;
const PATIENCE = 6;
const LEAST_PROBABILITY = 1e-7;

const widthsOf = (form: string): readonly number[] => (form === 'full' ? WIDTHS.full : WIDTHS.reduced);
const signed = (image: Value): Value => sub(mul(image, 2), 1);

/**
 * One U-Net with two heads.
 * @param x [B,1,H,W] in −1 … 1, sides multiples of 16
 * @returns logit of "defect" and the repaired image, −1 … 1, both [B,1,H,W]
 */
export function repairNet(net: Net, x: Value, widths: readonly number[]): { logit: Value; repaired: Value } {
  const pair = (from: Value, name: string, channels: number) =>
    [1, 2].reduce(
      (y, part) => relu(net.convNorm(y, `${name}.conv${part}`, `${name}.bn${part}`, { channels, kernel: 3 })),
      from,
    );
  const skips: Value[] = [];
  let y = x;
  widths.forEach((channels, scale) => {
    if (scale) y = maxPool(y, { kernel: [2, 2], strides: [2, 2] });
    y = pair(y, `down${scale}`, channels);
    skips.push(y);
  });
  for (let scale = widths.length - 2; scale >= 0; scale--) {
    const skip = skips[scale];
    const larger = resizeBilinear(y, skip.shape[2], skip.shape[3]);
    y = pair(concat([larger, skip], 1), `up${scale}`, widths[scale]);
  }
  const head = (name: string, kernel: 1 | 3) => {
    const weight = net.parameter(`${name}.weight`, [1, widths[0], kernel, kernel]);
    const bias = net.parameter(`${name}.bias`, [1], filledWith(0));
    const side = (kernel - 1) / 2;
    return conv(y, weight, bias, { pads: [side, side, side, side] });
  };
  return { logit: head('defect', 1), repaired: tanh(head('repair', 3)) };
}

/**
 * Losses of section 4.2: focal (γ 2) and dice of the defect's place, the repair inside and outside, similarity.
 * @param p probability of "defect"
 * @param mask 0 or 1
 */
export function repairLosses(p: Value, repaired: Value, image: Value, mask: Value) {
  const certain = clip(p, LEAST_PROBABILITY, 1 - LEAST_PROBABILITY);
  const right = add(mul(mask, certain), mul(sub(1, mask), sub(1, certain)));
  const wrong = sub(1, right);
  const focal = mul(reduceMean(mul(mul(wrong, wrong), log(right))), -1);
  const ofImage = (x: Value) => reduceSum(x, [1, 2, 3]);
  const overlap = add(mul(ofImage(mul(p, mask)), 2), 1);
  const dice = sub(1, reduceMean(div(overlap, add(add(ofImage(p), ofImage(mask)), 1))));
  const difference = abs(sub(repaired, image));
  // A batch without a defect has nothing inside.
  const inside = div(reduceMean(mul(mask, difference)), max(reduceMean(mask), LEAST_PROBABILITY));
  const outside = reduceMean(mul(sub(1, mask), difference));
  const similarity = ssim(repaired, image, 2);
  const repair = mul(add(inside, outside), REPAIR);
  const total = add(add(focal, dice), add(repair, mul(sub(1, similarity), SIMILARITY)));
  return { total, focal, dice, inside, outside, similarity };
}

/** ½·p + ½·clip(|x − x̂|/τ, 0, 1), smoothed. @source methods.md 4.2 */
export const repairMap = (p: Value, repaired: Value, image: Value, tau: Value, sigma: number): Value =>
  gaussianBlur(add(mul(p, 0.5), mul(clip(div(abs(sub(image, repaired)), tau), 0, 1), 0.5)), sigma);

function stepOf(batch: number, side: number, form: string): StepSpec {
  return {
    nets: { repair: { optimiser: { kind: 'adam' } } },
    build({ net, input }) {
      const shape = [batch, 1, side, side];
      const image = signed(input('image', shape));
      const { logit, repaired } = repairNet(net('repair'), signed(input('defective', shape)), widthsOf(form));
      const { total, dice, inside } = repairLosses(sigmoid(logit), repaired, image, input('mask', shape));
      return { loss: total, terms: { dice, inside } };
    },
  };
}

const cropSide = ({ side }: Pick<FitSize, 'side'>): number => Math.min(CROP, side);

/** @throws fit/option for sides that don't halve four times */
function requireSide({ side }: FitSize): void {
  if (side % MULTIPLE)
    throw new AppError(
      'fit/option',
      `IAD + Inpainting halves the image four times; ${side} px is no multiple of 16`,
      {
        hint: 'Choose an input side that is a multiple of 16.',
      },
    );
}

/** A network that finds defects pasted on good images and paints them over. */
export const inpainting: Detector<InpaintingOptions> = {
  title: 'IAD + Inpainting',
  source: {
    authors: 'Huang, Kong, et al.',
    title: 'Joint Anomaly Detection and Inpainting for Microscopy Images via Deep Self-Supervised Learning',
    where: 'ICIP 2021',
    reference:
      'Our construction: network and losses were not published. One U-Net with two heads, trained on five kinds of ' +
      'synthetic defects; without the adversarial term and without cleaning of a mixed training set.',
  },
  about: {
    summary: 'Learns to find and paint over defects pasted on good images. Shows its repaired picture.',
    assumes: 'Real defects look a little like the pasted ones: blobs, copied patches, scars, spots, bridges.',
    fails:
      'Defects unlike any pasted one. Small details of good images that it cannot redraw look strange; so do ' +
      'changes of brightness.',
    cost: 'A thousand steps through a U-Net on crops of 128 px; inspecting takes one pass.',
  },
  options: {
    form: {
      kind: 'choice',
      default: 'reduced',
      choices: [
        { value: 'reduced', label: 'reduced, 16 to 128 channels' },
        { value: 'full', label: 'full, 32 to 256 channels' },
      ],
      label: 'Form',
      help: 'The full network has four times the parameters and takes about four times as long.',
    },
    steps: stepsOption(800),
    batch: batchOption(4),
    learningRate: rateOption(1e-3),
    blurSigma: blurOption(4),
  },
  needs: { taps: [], leastGoodImages: 2, defects: 'none' },
  leavesOut: false,

  memory(size, o) {
    const step = stepOf(Math.min(o.batch, size.goodImages), cropSide(size), o.form);
    return {
      fitBytes: cacheBytes(size.goodImages, size.side ** 2) + trainingBytes([step]),
      stateBytes: netBytes([step]),
    };
  },

  async *fit(context, o) {
    requireSide(context);
    context.remark(
      o.form === 'full'
        ? 'Full form: 32 to 256 channels.'
        : 'Reduced form: 16 to 128 channels, crops of 128 px.',
    );
    const { trained, heldOut } = splitGood(context.goodImages, context);
    const cache = yield* cacheFeatures(context, 'pixels', ({ image }) => image);
    const sampler = new BatchSampler(context, trained, o.batch);
    const side = cropSide(context);
    const draw = (images: Int32Array, stream: string) =>
      drawBatch(context, cache, images, trained, side, stream);
    const state = yield* fitByGradient(context, {
      key: 'repair',
      steps: { repair: stepOf(sampler.batch, side, o.form) },
      iterations: o.steps,
      rate: () => o.learningRate,
      feeds: (_step, iteration) => draw(sampler.at(iteration), `defects.${iteration}`),
      heldOut: {
        images: heldOut,
        step: 'repair',
        every: LOOK_EVERY,
        patience: PATIENCE,
        feeds: () => ofBatches(heldOut, sampler.batch, (batch, i) => draw(batch, `held-out defects.${i}`)),
      },
    });
    if (context.trial) return state;
    const tau = yield* usualResidual(context, cache, trained, state, o);
    return { ...state, tau };
  },

  score(graph, { image }, state, o) {
    const x = signed(image);
    const { logit, repaired } = repairNet(new FittedNet(graph, state, 'repair.'), x, widthsOf(o.form));
    const map = repairMap(sigmoid(logit), repaired, x, state.tau, o.blurSigma);
    return { map, score: reduceMax(map, [1, 2, 3]) };
  },

  reconstruct: (graph, inputs, state, o) => redrawn(graph, inputs, state, o),
};

/** The repaired picture, 0 … 1. */
function redrawn(
  graph: GraphBuilder,
  { image }: Pick<Inputs, 'image'>,
  state: Readonly<Record<string, Value>>,
  o: InpaintingOptions,
): Value {
  const { repaired } = repairNet(new FittedNet(graph, state, 'repair.'), signed(image), widthsOf(o.form));
  return mul(add(repaired, 1), 0.5);
}

/** Crops of some images with defects pasted on them, all drawn from one named stream. */
async function drawBatch(
  context: FitContext,
  cache: FeatureCache,
  images: Int32Array,
  donors: Int32Array,
  crop: number,
  stream: string,
): Promise<Record<'image' | 'defective' | 'mask', TensorData>> {
  const rng = context.rng(stream);
  const shape = [images.length, 1, crop, crop];
  const [image, defective, mask] = [0, 1, 2].map(() => new Float32Array(images.length * crop * crop));
  for (const [i, index] of images.entries()) {
    const own = cropOf(await cache.of(index), context.side, crop, rng);
    const donor = cropOf(await cache.of(rng.pick(Array.from(donors))), context.side, crop, rng);
    const pasted = withDefect(own, donor, crop, rng);
    image.set(own, i * crop * crop);
    defective.set(pasted.image, i * crop * crop);
    mask.set(pasted.mask, i * crop * crop);
  }
  return {
    image: floatTensor(shape, image),
    defective: floatTensor(shape, defective),
    mask: floatTensor(shape, mask),
  };
}

function cropOf(
  image: Float32Array,
  side: number,
  crop: number,
  rng: ReturnType<FitContext['rng']>,
): Float32Array {
  const [left, top] = [rng.integer(side - crop + 1), rng.integer(side - crop + 1)];
  const out = new Float32Array(crop * crop);
  for (let y = 0; y < crop; y++) {
    const from = (top + y) * side + left;
    out.set(image.subarray(from, from + crop), y * crop);
  }
  return out;
}

/** τ: the residual that all but the strangest half percent of good pixels stay under, [1]. */
async function* usualResidual(
  context: FitContext,
  cache: FeatureCache,
  images: Int32Array,
  state: MethodState,
  o: InpaintingOptions,
): AsyncGenerator<FitProgress, TensorData> {
  const { side } = context;
  const graph = new GraphBuilder();
  const image = graph.input('image', [1, 1, side, side]);
  const values = Object.fromEntries(
    Object.entries(state).map(([name, tensor]): [string, Value] => [name, graph.weight(name, tensor)]),
  );
  // In −1 … 1, as the map's.
  graph.output('residual', mul(abs(sub(redrawn(graph, { image }, values, o), image)), 2));
  const program = await context.compile(graph.build());
  const stride = Math.max(1, Math.ceil((images.length * side * side) / MOST_RESIDUALS));
  const residuals: number[] = [];
  for (const [i, index] of images.entries()) {
    const found = await program.run({ image: floatTensor(image.shape, await cache.of(index)) });
    const own = floats(found.values.residual);
    for (let p = i % stride; p < own.length; p += stride) residuals.push(own[p]);
    yield { phase: 'residuals', done: i + 1, total: images.length, unit: 'images', usable: true };
  }
  return floatTensor([1], [Math.max(quantile(residuals, RESIDUAL_QUANTILE)!, 1e-3)]);
}
