import { floatTensor } from '../../base/tensor';
import type { Shape, TensorData } from '../../base/tensor';
import {
  add,
  applySeparable,
  bilinearMatrix,
  div,
  layerNorm,
  matMul,
  min,
  mul,
  multiply,
  reduceMean,
  reduceSum,
  sigmoid,
  slice,
  softplus,
  sub,
} from '../../graph/ops/index';
import type { Matrix } from '../../graph/ops/index';
import type { Value } from '../../graph/value';
import type { Level } from '../../nn/backbones/backbone';
import { filledWith, uniformBy } from '../../nn/initialisers';
import type { Net } from '../../nn/net';
import type { OptimiserSpec } from '../../nn/optimisers';
import type { FitSize, Inputs } from '../contract';
import { packMaps, packedWidth, unpackMaps } from '../kit/packed-taps';
import type { StepSpec } from '../kit/training-graph';
import { plainLogits, sumOf } from './maps';
import { mapLevels } from './options';
import type { SemClipOptions } from './options';

/** The network's name in a state. */
export const TRANSFORMATION = 'transformation';

const NORM_EPSILON = 1e-5;
/** Probability that the logarithm of the focal loss is cut at. @source methods.md 16.7 */
const LEAST_PROBABILITY = 1e-5;
/** Input pixels in a pixel of the reduced loss, each way. */
const REDUCTION = 4;

/** What the layers and their training depend on. */
export type LayerOptions = Pick<SemClipOptions, 'start' | 'lossResolution' | 'focalCut' | 'multiLayer'>;

const startsAtProjection = ({ start }: Pick<SemClipOptions, 'start'>): boolean => start === 'projection';

/** What a transformation layer is given of one level, [B,T,w], and the encoder's own projection of it, [B,T,E]. */
interface LayerInputs {
  readonly tokens: Value;
  readonly patches: Value | undefined;
}

/** Every token to mean 0 and variance 1 over its channels. */
function standardised(tokens: Value): Value {
  const width = tokens.shape[2];
  const filled = (value: number) =>
    tokens.graph.constant(floatTensor([width], new Float32Array(width).fill(value)));
  return layerNorm(tokens, filled(1), filled(0), NORM_EPSILON);
}

function layerInputs({ taps }: Pick<Inputs, 'taps'>, level: Level, o: LayerOptions): LayerInputs {
  const tokens = slice(taps[`tokens${level}`]!, 1, 1);
  return startsAtProjection(o)
    ? { tokens: standardised(tokens), patches: taps[`patches${level}`]! }
    : { tokens, patches: undefined };
}

/**
 * A transformation layer: patches into the space of texts. With the encoder's projection beside it, it is what is
 * added to that, nothing at first.
 * @returns [B,T,E]
 * @source methods.md 16.4, equation 9
 */
export function transformed(net: Net, level: Level, embed: number, { tokens, patches }: LayerInputs): Value {
  const width = tokens.shape[2];
  const initial = patches ? filledWith(0) : uniformBy(width);
  const weight = net.parameter(`level${level}.weight`, [width, embed], initial);
  const own = add(matMul(tokens, weight), net.parameter(`level${level}.bias`, [embed], initial));
  return patches ? add(patches, own) : own;
}

/**
 * Patches of every level in the space of texts, [B,T,E] each.
 * @param net the fitted layers; without them patches are as the encoder projects them
 */
export function transformedLevels(net: Net | undefined, inputs: Inputs, o: LayerOptions): Value[] {
  const embed = inputs.taps.classes!.shape[2];
  return mapLevels(o).map((level) =>
    net ? transformed(net, level, embed, layerInputs(inputs, level, o)) : inputs.taps[`patches${level}`]!,
  );
}

/** What training needs of an image: [B, …]. */
export const denseFeatures = (inputs: Inputs, o: LayerOptions): Value =>
  packMaps(
    mapLevels(o).flatMap((level) => {
      const { tokens, patches } = layerInputs(inputs, level, o);
      return patches ? [tokens, patches] : [tokens];
    }),
  );

/** Shapes of the parts of `denseFeatures`, in their order. */
function denseShapes({ taps }: Pick<FitSize, 'taps'>, o: LayerOptions): Shape[] {
  return mapLevels(o).flatMap((level) => {
    const [tokens, width] = taps[`tokens${level}`]!;
    const patches = taps[`patches${level}`]!;
    return startsAtProjection(o) ? [[tokens - 1, width], patches] : [[tokens - 1, width]];
  });
}

/** Values of one image in `denseFeatures`. */
export const denseWidth = (size: Pick<FitSize, 'taps'>, o: LayerOptions): number =>
  packedWidth(denseShapes(size, o));

/** Side at which maps are held against masks in training. */
export const lossSide = (side: number, { lossResolution }: Pick<SemClipOptions, 'lossResolution'>): number =>
  lossResolution === 'full' || side % REDUCTION ? side : side / REDUCTION;

/** From patches to the side of the loss: enlarged by the corners as maps are, then the mean of what falls together. */
function toLossSide(logits: Value, side: number, lossAt: number): Value {
  const patches = logits.shape[2];
  const large = bilinearMatrix(patches, side, 'corners');
  const rows = lossAt === side ? large : multiply(meanMatrix(side, lossAt), large);
  return applySeparable(logits, rows, rows);
}

function meanMatrix(from: number, to: number): Matrix {
  const values = new Float64Array(to * from);
  const share = from / to;
  for (let i = 0; i < to; i++) values.fill(1 / share, i * (from + share), i * (from + share) + share);
  return { rows: to, columns: from, values };
}

/**
 * Focal loss (γ 2) over pixels and dice loss over images, of a level's map.
 * @param logits [B,1,h,w]: abnormal against normal
 * @param target [B,1,h,w]: 1 where abnormal
 * @param cut whether the logarithm is cut, where a pixel has no gradient any more
 * @source methods.md 16.7
 */
export function levelLoss(logits: Value, target: Value, cut = true): { focal: Value; dice: Value } {
  const against = mul(logits, sub(1, mul(target, 2)));
  const wrong = sigmoid(against);
  const surprise = cut ? min(softplus(against), -Math.log(LEAST_PROBABILITY)) : softplus(against);
  const abnormal = sigmoid(logits);
  const over = (value: Value) => reduceSum(value, [1, 2, 3]);
  const common = add(mul(over(mul(abnormal, target)), 2), 1);
  const both = add(add(over(abnormal), over(target)), 1);
  return {
    focal: reduceMean(mul(mul(wrong, wrong), surprise)),
    dice: sub(1, reduceMean(div(common, both))),
  };
}

/** One step of training: the losses of all levels' maps added up. */
export function transformationStep(
  size: Pick<FitSize, 'taps' | 'side'>,
  batch: number,
  o: LayerOptions,
  optimiser: OptimiserSpec = { kind: 'adam' },
): StepSpec {
  const shapes = denseShapes(size, o);
  const lossAt = lossSide(size.side, o);
  const embed = size.taps.classes![1];
  return {
    nets: { [TRANSFORMATION]: { optimiser } },
    build({ net, input }) {
      const layers = net(TRANSFORMATION);
      const parts = unpackMaps(input('packed', [batch, packedWidth(shapes)]), shapes);
      const two = input('two', [2, embed]);
      const target = input('target', [batch, 1, lossAt, lossAt]);
      const losses = mapLevels(o).map((level, i) => {
        const [tokens, patches] = startsAtProjection(o) ? parts.slice(2 * i, 2 * i + 2) : [parts[i]];
        const features = transformed(layers, level, embed, { tokens, patches });
        return levelLoss(toLossSide(plainLogits(features, two), size.side, lossAt), target, o.focalCut);
      });
      const focal = sumOf(losses.map((loss) => loss.focal));
      const dice = sumOf(losses.map((loss) => loss.dice));
      return { loss: add(focal, dice), terms: { focal, dice } };
    },
  };
}

/** Masks as a step is fed with them. @param masks [side·side] each, 0 or 1 */
export function stackMasks(masks: readonly Uint8Array[], side: number): TensorData {
  const out = new Float32Array(masks.length * side * side);
  masks.forEach((mask, i) => out.set(mask, i * side * side));
  return floatTensor([masks.length, 1, side, side], out);
}

/** Steps by the number of shots. @source methods.md 16.7 */
export const stepsFor = (shots: number): number => (shots <= 2 ? 400 : shots <= 5 ? 800 : 1000);

/** Full for the first half, then down to 0 along half a cosine. */
export const rateFactor = (iteration: number, iterations: number): number => {
  const share = Math.max((2 * iteration) / iterations - 1, 0);
  return (1 + Math.cos(Math.PI * share)) / 2;
};
