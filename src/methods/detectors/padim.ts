import { floats, intTensor } from '../../base/tensor';
import type { Shape, TensorData } from '../../base/tensor';
import {
  concat,
  div,
  enlargeAndBlur,
  gather,
  greater,
  max,
  mul,
  reduceMax,
  repeatPixels,
  reshape,
  resizeNearest,
  sqrt,
  sub,
  where,
} from '../../graph/ops/index';
import type { Value } from '../../graph/value';
import type { TapRole } from '../../nn/backbones/backbone';
import type { Detector, FitContext, FitSize, Inputs } from '../contract';
import { PositionMoments, cutPositions, squaredLengths } from '../kit/gaussians';
import { toPatches } from '../kit/patch-embedding';

export type PadimOptions = {
  readonly channels: number;
  readonly gaussian: string;
  readonly blurSigma: number;
};

const LEVELS = ['level1', 'level2', 'level3'] as const satisfies readonly TapRole[];

/** What is added to the covariance's diagonal. @source Defard et al. 2020, section III-B */
const REGULARISER = 0.01;
/** Vectors of good images held at once; more images are folded in groups. */
const GROUP_BYTES = 128 * 2 ** 20;

const channelCounts = ({ taps }: FitSize): number[] => LEVELS.map((level) => (taps[level] as Shape)[0]);
const positionsOf = ({ taps }: FitSize): number => (taps.level1 as Shape)[1] * (taps.level1 as Shape)[2];

const widthOf = (size: FitSize, o: PadimOptions): number =>
  Math.min(
    o.channels,
    channelCounts(size).reduce((a, b) => a + b),
  );

/** Images whose vectors are held at once; a shared Gaussian takes each position as a sample of its own. */
const groupImages = (size: FitSize, width: number): number =>
  Math.max(2, Math.min(size.goodImages, Math.floor(GROUP_BYTES / (positionsOf(size) * width * 4))));

/** A Gaussian of features at each position. */
export const padim: Detector<PadimOptions> = {
  title: 'PaDiM',
  source: {
    authors: 'Defard, Setkov, Loesch, Audigier',
    title: 'PaDiM: a Patch Distribution Modeling Framework for Anomaly Detection and Localization',
    where: 'ICPR Workshops 2020',
    reference:
      'anomalib and xiahaifeng1995: levels 1 to 3, nearest enlarging, random channels, 0.01 on the diagonal; ' +
      'without the rescaling by test-set extremes.',
  },
  about: {
    summary: 'Learns what is normal at each place. For images that always show the same view.',
    assumes: 'All images show the same pattern at the same position. If not, choose one Gaussian for all.',
    fails:
      'Views that are shifted against each other make every Gaussian broad, and defects drown. ' +
      'Under about 30 good images the spread is poorly known.',
    cost: 'One pass over the good images. Memory grows with the square of the channels, not with the images.',
  },
  options: {
    channels: {
      kind: 'number',
      default: 100,
      min: 4,
      max: 550,
      integer: true,
      unit: 'channels',
      label: 'Channels',
      help: 'Feature channels drawn at random. Memory and time grow with the square.',
    },
    gaussian: {
      kind: 'choice',
      default: 'position',
      choices: [
        { value: 'position', label: 'one for each position' },
        { value: 'shared', label: 'one for all positions' },
      ],
      label: 'Gaussian',
      help: 'One for all positions suits images that are shifted against each other.',
    },
    blurSigma: {
      kind: 'number',
      default: 4,
      min: 0,
      max: 16,
      integer: false,
      unit: 'px',
      label: 'Map smoothing',
      help: 'Gaussian smoothing of the map, in pixels of the model input; the score is its maximum.',
    },
  },
  needs: { taps: LEVELS, leastGoodImages: 2, defects: 'none' },
  leavesOut: true,

  memory(size, o) {
    const width = widthOf(size, o);
    const positions = positionsOf(size);
    const shared = o.gaussian === 'shared';
    const stateBytes = (shared ? 1 : positions) * (width * width + width) * 4;
    const group = groupImages(size, width) * positions * width * 4;
    return {
      fitBytes: group + (size.goodImages > groupImages(size, width) ? 3 : 1) * stateBytes,
      stateBytes,
    };
  },

  async *fit(context, o) {
    const width = widthOf(context, o);
    const channels = drawChannels(context, width);
    const positions = positionsOf(context);
    const shared = o.gaussian === 'shared';
    const group = groupImages(context, width);
    const moments = shared
      ? new PositionMoments(context, cutPositions(1, width), width, group * positions)
      : new PositionMoments(context, cutPositions(positions, width), width, group);
    const embedded = context.embed('vectors', (inputs) => vectorsOf(inputs, (level) => channels[level]));
    for await (const { first, count, values } of embedded) {
      const found = floats(values);
      const size = shared ? width : positions * width;
      for (let at = 0; at < found.length; at += size) await moments.add(found.subarray(at, at + size));
      yield { phase: 'features', done: first + count, total: context.goodImages, unit: 'images' };
    }
    const whitening = moments.finish(REGULARISER);
    let step = await whitening.next();
    while (!step.done) {
      yield { phase: 'covariances', done: step.value, total: shared ? 1 : positions, unit: 'positions' };
      step = await whitening.next();
    }
    return { ...step.value, ...channels };
  },

  score(_graph, inputs, state, o) {
    const vectors = vectorsOf(inputs, (level) => state[level]);
    const parts = Object.keys(state)
      .filter((name) => name.startsWith('whitening.'))
      .map((_, i) => state[`whitening.${i}`]);
    const squared = lengthsOf(vectors, state.mean, parts);
    const known = inputs.heldOut && o.gaussian === 'position';
    const held = known ? leftOut(squared, state.count, vectors.shape[2]) : squared;
    const { image } = inputs;
    const [batch, , height, width] = image.shape;
    const [, , h, w] = inputs.taps.level1!.shape;
    const distance = reshape(sqrt(max(held, 0)), [batch, 1, h, w]);
    const map = enlargeAndBlur(distance, height, width, o.blurSigma);
    return { map, score: reduceMax(map, [1, 2, 3]) };
  },
};

/** Channels of each level that take part, int32, ascending; a level without any is left out. */
function drawChannels(context: FitContext, width: number): Record<string, TensorData> {
  const counts = channelCounts(context);
  const drawn = context.rng('channels').choose(
    counts.reduce((a, b) => a + b),
    width,
  );
  const channels: Record<string, TensorData> = {};
  let first = 0;
  LEVELS.forEach((level, i) => {
    const own = drawn.filter((channel) => channel >= first && channel < first + counts[i]);
    if (own.length)
      channels[level] = intTensor(
        [own.length],
        own.map((channel) => channel - first),
      );
    first += counts[i];
  });
  return channels;
}

/**
 * Drawn channels of all levels at the size of the first: [B,P,D].
 * @param channelsOf int32 indices of a level, as data or as a value of the graph
 */
function vectorsOf({ taps }: Inputs, channelsOf: (level: TapRole) => Value | TensorData | undefined): Value {
  const [height, width] = taps.level1!.shape.slice(2);
  const levels = LEVELS.flatMap((level) => {
    const channels = channelsOf(level);
    if (!channels) return [];
    const index = 'graph' in channels ? channels : taps[level]!.graph.constant(channels);
    return [enlargeNearest(gather(taps[level]!, index, 1), height, width)];
  });
  return toPatches(concat(levels, 1));
}

function enlargeNearest(x: Value, height: number, width: number): Value {
  const factor = height / x.shape[2];
  return Number.isInteger(factor) && x.shape[3] * factor === width
    ? repeatPixels(x, factor)
    : resizeNearest(x, height, width);
}

/** Squared Mahalanobis lengths [B,P], with one Gaussian for each position or one for all. */
function lengthsOf(vectors: Value, mean: Value, parts: readonly Value[]): Value {
  const [batch, positions, width] = vectors.shape;
  if (mean.shape[0] === positions) return squaredLengths(vectors, mean, parts);
  // One Gaussian: every position is a row of the same product.
  const rows = reshape(vectors, [batch * positions, 1, width]);
  return reshape(squaredLengths(rows, mean, parts), [batch, positions]);
}

/**
 * Squared lengths as they would be had the image not been among the fitted ones, in closed form: taking a sample out
 * changes mean and covariance by one outer product (Sherman and Morrison). With n samples and r = (n−1)/(n−2),
 * q' = (n/(n−1))² · q / (r·(1 − n/(n−1)²·q)). The regulariser is scaled by r along with the covariance; where it
 * alone fills the missing directions (n ≤ width) that is undone. Tested against fits without the image.
 */
function leftOut(squared: Value, n: Value, width: number): Value {
  const others = sub(n, 1);
  const share = div(n, mul(others, others));
  const rest = max(sub(1, mul(squared, share)), SMALLEST_REST);
  const r = div(others, max(sub(n, 2), 1));
  const growth = mul(mul(n, n), div(1, mul(others, others)));
  return mul(div(squared, rest), where(greater(n, width), div(growth, r), growth));
}

/** 1 − share·q is 0 in exact arithmetic when the image alone spans a direction and there is no regulariser. */
const SMALLEST_REST = 1e-6;
