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
import { GridGaussians, squaredLengths } from '../kit/gaussians';
import { cellsOf, sampleSize, whiteningSize } from '../kit/nested-grids';
import type { Grid } from '../kit/nested-grids';
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

const widthOf = (size: FitSize, o: PadimOptions): number =>
  Math.min(
    o.channels,
    channelCounts(size).reduce((a, b) => a + b),
  );

type Channels = Readonly<Partial<Record<TapRole, TensorData | Value>>>;

/** A grid and the levels whose drawn channels are on it. */
interface Layer extends Grid {
  readonly levels: readonly TapRole[];
}

/**
 * Each level on a grid of its own, coarsest first, where the sides are multiples of each other; where they aren't it
 * goes to the finest grid by nearest neighbour, as the references bring all of them. Levels without a drawn channel
 * are left out.
 * @param taps shapes [..., rows, columns]
 */
function layersOf(taps: FitSize['taps'], channels: Channels): Layer[] {
  const layers: Layer[] = [];
  for (const level of LEVELS) {
    const width = channels[level]?.shape[0];
    if (!width) continue;
    const [rows, columns] = (taps[level] as Shape).slice(-2);
    const [top] = layers;
    const nests = !top || (top.rows % rows === 0 && top.columns % columns === 0);
    if (nests && !(top?.rows === rows && top.columns === columns))
      layers.unshift({ rows, columns, width, levels: [level] });
    else {
      const at = nests ? 0 : layers.length - 1;
      layers[at] = { ...layers[at], width: layers[at].width + width, levels: [...layers[at].levels, level] };
    }
  }
  return layers;
}

/** All levels on the first one's grid. */
function oneLayer(taps: FitSize['taps'], channels: Channels): Layer[] {
  const [rows, columns] = (taps.level1 as Shape).slice(-2);
  const levels = LEVELS.filter((level) => channels[level]);
  const width = levels.reduce((sum, level) => sum + channels[level]!.shape[0], 0);
  return [{ rows, columns, width, levels }];
}

/** How vectors lie, and what has a Gaussian: each place of nested grids, or one place of which positions are samples. */
function planOf(taps: FitSize['taps'], channels: Channels, o: PadimOptions) {
  if (o.gaussian === 'position') {
    const layers = layersOf(taps, channels);
    return { layers, grids: layers as readonly Grid[], samplesPerImage: 1 };
  }
  const layers = oneLayer(taps, channels);
  const grids = [{ rows: 1, columns: 1, width: layers[0].width }];
  return { layers, grids, samplesPerImage: cellsOf(layers[0]) };
}

/** Samples held at once. */
const groupSize = (grids: readonly Grid[], samples: number): number =>
  Math.max(2, Math.min(samples, Math.floor(GROUP_BYTES / (sampleSize(grids) * 4))));

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
    // Which channels will be drawn isn't known; of each level about its share.
    const counts = channelCounts(size);
    const share = widthOf(size, o) / counts.reduce((a, b) => a + b);
    const drawn = LEVELS.map((level, i) => [level, { shape: [Math.ceil(counts[i] * share)] }]);
    const { grids, samplesPerImage } = planOf(size.taps, Object.fromEntries(drawn) as Channels, o);
    const samples = size.goodImages * samplesPerImage;
    const group = groupSize(grids, samples);
    const stateBytes = whiteningSize(grids) * 4;
    return {
      fitBytes: group * sampleSize(grids) * 4 + (samples > group ? 2 : 1) * stateBytes,
      stateBytes,
    };
  },

  async *fit(context, o) {
    const channels = drawChannels(context, widthOf(context, o));
    const { layers, grids, samplesPerImage } = planOf(context.taps, channels, o);
    const gaussians = new GridGaussians(
      context,
      grids,
      groupSize(grids, context.goodImages * samplesPerImage),
    );
    const embedded = context.embed('vectors', (inputs) =>
      concat(
        vectorsOf(inputs, layers, channels).map((vectors) => reshape(vectors, [vectors.shape[0], -1])),
        1,
      ),
    );
    for await (const { first, count, values } of embedded) {
      await gaussians.add(floats(values));
      yield { phase: 'features', done: first + count, total: context.goodImages, unit: 'images' };
    }
    const finishing = gaussians.finish(REGULARISER);
    const total = cellsOf(grids[grids.length - 1]);
    let step = await finishing.next();
    while (!step.done) {
      yield { phase: 'covariances', done: step.value, total, unit: 'positions' };
      step = await finishing.next();
    }
    return { ...step.value, ...channels };
  },

  score(_graph, inputs, state, o) {
    const { layers, grids } = planOf(shapesOf(inputs), state, o);
    const vectors = vectorsOf(inputs, layers, state);
    const [batch] = vectors[0].shape;
    const shared = o.gaussian === 'shared';
    // One Gaussian: every position is a row of the same product.
    const rows = shared ? vectors.map((x) => reshape(x, [-1, 1, x.shape[2]])) : vectors;
    const squared = reshape(squaredLengths(rows, grids, state), [batch, -1]);
    const known = inputs.heldOut && !shared;
    const width = grids.reduce((sum, grid) => sum + grid.width, 0);
    const held = known ? leftOut(squared, state.count, width) : squared;
    const finest = layers[layers.length - 1];
    const distance = reshape(sqrt(max(held, 0)), [batch, 1, finest.rows, finest.columns]);
    const [, , h, w] = inputs.taps.level1!.shape;
    const [, , side] = inputs.image.shape;
    const map = enlargeAndBlur(enlargeNearest(distance, h, w), side, side, o.blurSigma);
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

const shapesOf = ({ taps }: Inputs): FitSize['taps'] =>
  Object.fromEntries(LEVELS.map((level) => [level, taps[level]!.shape]));

/** Drawn channels as vectors of each layer's cells, [B, cells, width]. */
function vectorsOf({ taps }: Inputs, layers: readonly Layer[], channels: Channels): Value[] {
  return layers.map(({ levels, rows, columns }) => {
    const maps = levels.map((level) => {
      const drawn = channels[level]!;
      const index = 'graph' in drawn ? drawn : taps[level]!.graph.constant(drawn);
      return enlargeNearest(gather(taps[level]!, index, 1), rows, columns);
    });
    return toPatches(concat(maps, 1));
  });
}

function enlargeNearest(x: Value, height: number, width: number): Value {
  const factor = height / x.shape[2];
  return Number.isInteger(factor) && x.shape[3] * factor === width
    ? repeatPixels(x, factor)
    : resizeNearest(x, height, width);
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
