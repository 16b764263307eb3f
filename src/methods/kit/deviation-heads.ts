import {
  abs,
  add,
  clip,
  conv,
  div,
  enlargeAndBlur,
  globalAveragePool,
  linear,
  max,
  mul,
  reduceMean,
  reduceMin,
  reduceSum,
  relu,
  reshape,
  resizeBilinear,
  slice,
  sub,
  topK,
} from '../../graph/ops/index';
import type { Value } from '../../graph/value';
import { uniformBy, uniformFanIn } from '../../nn/initialisers';
import type { Net } from '../../nn/net';

/** Width of the holistic head, and the share of positions that the others take the mean of. @source methods.md 14.2 */
const HOLISTIC_WIDTH = 256;
const TOP_SHARE = 0.1;
/** Standard deviations that an anomaly is to be away from the normal scores. @source methods.md 14.3 */
const MARGIN = 5;
/** Share of a gradient map that its normalisation cuts off. @source methods.md 14.5 */
const CUT_SHARE = 0.01;
/** Keeps a map without any gradient from dividing by zero. */
const TINY = 1e-30;

/** Every head gives a score for each image, [B]. */
export interface Scores {
  readonly holistic: Value;
  readonly seen: Value;
  readonly pseudo: Value;
  readonly composite: Value;
}

/** Scores of one scale, and the scores of its positions, three heads together: [B,1,h,w]. */
interface ScaleScores extends Scores {
  readonly positions: Value;
}

function dense(net: Net, x: Value, name: string, width: number): Value {
  const inputs = x.shape[1];
  const weight = net.parameter(`${name}.weight`, [width, inputs], uniformFanIn);
  return linear(x, weight, net.parameter(`${name}.bias`, [width], uniformBy(inputs)));
}

/** |1×1 convolution|, [B,1,h,w]. */
function positionScores(net: Net, x: Value, name: string): Value {
  const channels = x.shape[1];
  const weight = net.parameter(`${name}.weight`, [1, channels, 1, 1], uniformFanIn);
  return abs(conv(x, weight, net.parameter(`${name}.bias`, [1], uniformBy(channels))));
}

/** Mean of the tenth of the positions that score highest; at least one. */
function topMean(positions: Value): Value {
  const flat = reshape(positions, [positions.shape[0], -1]);
  const k = Math.max(1, Math.floor(TOP_SHARE * flat.shape[1]));
  return reduceMean(topK(flat, k).values, [1]);
}

/**
 * The four heads on one scale; both scales share their parameters.
 * @param x [B,C,h,w]
 * @param reference mean features of good images, [1,C,h,w] or one for each image
 * @param width of the holistic head
 * @source methods.md 14.2
 */
export function scaleScores(net: Net, x: Value, reference: Value, width = HOLISTIC_WIDTH): ScaleScores {
  const [batch, channels] = x.shape;
  const hidden = relu(dense(net, globalAveragePool(x), 'holistic.fc1', width));
  const holistic = reshape(abs(dense(net, hidden, 'holistic.fc2', 1)), [batch]);
  const weight = net.parameter('composite.conv1.weight', [channels, channels, 3, 3], uniformFanIn);
  const residual = conv(sub(reference, x), weight, undefined, { pads: [1, 1, 1, 1] });
  const maps = {
    seen: positionScores(net, x, 'seen.conv'),
    pseudo: positionScores(net, x, 'pseudo.conv'),
    composite: positionScores(net, relu(net.batchNorm(residual, 'composite.bn')), 'composite.conv2'),
  };
  return {
    holistic,
    seen: topMean(maps.seen),
    pseudo: topMean(maps.pseudo),
    composite: topMean(maps.composite),
    positions: add(add(maps.seen, maps.pseudo), maps.composite),
  };
}

/** Means over the scales. */
export function meanScores(scales: readonly Scores[]): Scores {
  const of = (head: keyof Scores) =>
    mul(
      scales.map((scale) => scale[head]).reduce((sum, score) => add(sum, score)),
      1 / scales.length,
    );
  return {
    holistic: of('holistic'),
    seen: of('seen'),
    pseudo: of('pseudo'),
    composite: of('composite'),
  };
}

/** How anomalous an image is: high for good ones is the holistic head's alone. [B] @source methods.md 14.4 */
export const anomalyScore = ({ holistic, seen, pseudo, composite }: Scores): Value =>
  add(add(sub(seen, holistic), pseudo), composite);

/**
 * Mean deviation loss of the images that count. Normal scores have mean 0 and deviation 1: the limit of the published
 * code's random ones.
 * @param score [B]
 * @param target 1 for images that are to score high, else 0: [B]
 * @param counts 1 for images that count, else 0: [B]
 * @source methods.md 14.3
 */
export function deviationLoss(score: Value, target: Value, counts: Value): Value {
  const low = mul(sub(1, target), abs(score));
  const high = mul(target, relu(sub(MARGIN, score)));
  return div(reduceSum(mul(add(low, high), counts)), max(reduceSum(counts), 1));
}

/**
 * Losses of the heads: the seen one is not taught by pseudo anomalies, the pseudo one not by known ones.
 * @param kinds 1 in the column of an image's kind: good, known anomaly, pseudo anomaly; [B,3]
 * @source methods.md 14.3
 */
export function headLosses({ holistic, seen, pseudo, composite }: Scores, kinds: Value): Scores {
  const [good, known, made] = [0, 1, 2].map((kind) => reshape(slice(kinds, 1, kind, kind + 1), [-1]));
  const anomalous = sub(1, good);
  const all = add(good, anomalous);
  return {
    holistic: deviationLoss(holistic, good, all),
    seen: deviationLoss(seen, anomalous, sub(1, made)),
    pseudo: deviationLoss(pseudo, anomalous, sub(1, known)),
    composite: deviationLoss(composite, anomalous, all),
  };
}

/**
 * Map of the positions' scores: each scale enlarged and smoothed, then their mean.
 * @param positions [B,1,h,w] each
 * @returns [B,1,side,side]
 * @source methods.md 14.5
 */
export function positionMap(positions: readonly Value[], side: number, sigma: number): Value {
  const maps = positions.map((map) => enlargeAndBlur(map, side, side, sigma));
  return mul(
    maps.reduce((sum, map) => add(sum, map)),
    1 / maps.length,
  );
}

/**
 * DevNet's map: how much the score depends on each place, from its least to its 99th percentile as 0 … 1.
 * @param gradients of the score by what it is computed from, [B,C,h,w] each; the first tells the resolution
 * @returns [B,1,side,side]
 * @source methods.md 14.5
 */
export function gradientMap(gradients: readonly Value[], side: number, sigma: number): Value {
  const [batch, , height, width] = gradients[0].shape;
  const places = gradients
    .map((gradient) => resizeBilinear(reduceSum(abs(gradient), [1], true), height, width))
    .reduce((sum, map) => add(sum, map));
  const flat = reshape(places, [batch, -1]);
  const low = reduceMin(flat, [1], true);
  const range = sub(highPercentile(flat, CUT_SHARE), low);
  const shares = clip(div(sub(flat, low), max(range, TINY)), 0, 1);
  return enlargeAndBlur(reshape(shares, [batch, 1, height, width]), side, side, sigma);
}

/** The value that a share of each row lies above, by linear interpolation: [B,n] to [B,1]. */
function highPercentile(rows: Value, share: number): Value {
  const position = share * (rows.shape[1] - 1);
  const below = Math.floor(position);
  const { values } = topK(rows, Math.min(below + 2, rows.shape[1]));
  const at = (index: number) => slice(values, 1, index, index + 1);
  const next = Math.min(below + 1, values.shape[1] - 1);
  return add(mul(at(below), 1 - (position - below)), mul(at(next), position - below));
}
