import { floatTensor, floats, intTensor } from '../../base/tensor';
import type { Shape } from '../../base/tensor';
import { graphOf } from '../../graph/builder';
import {
  add,
  cast,
  concat,
  div,
  enlargeAndBlur,
  equal,
  exp,
  expand,
  gatherElements,
  matMul,
  max,
  mul,
  reduceMax,
  reduceMean,
  reduceMin,
  reduceSum,
  reshape,
  slice,
  sqrt,
  sub,
  toFloat,
  topK,
  transposeLast,
  where,
} from '../../graph/ops/index';
import type { Value } from '../../graph/value';
import type { Detector, FitContext, FitProgress, FitSize, MethodState } from '../contract';
import { greedyCoreset } from '../kit/coreset';
import { project } from '../kit/projection';
import { localFeatures, toPatches } from '../kit/patch-embedding';

export type PatchCoreOptions = {
  readonly coresetShare: number;
  readonly maxPatches: number;
  readonly neighbours: number;
  readonly blurSigma: number;
};

/** Patch vectors of one image: count and width. */
function patchesPerImage({ taps }: FitSize): { count: number; width: number } {
  const [c2, h, w] = taps.level2 as Shape;
  const [c3] = taps.level3 as Shape;
  return { count: h * w, width: c2 + c3 };
}

/** How many patches of each image take part, so that all together stay under the limit. */
function keptPerImage(size: FitSize, o: PatchCoreOptions): number {
  const { count } = patchesPerImage(size);
  return Math.max(1, Math.min(count, Math.floor(o.maxPatches / size.goodImages)));
}

const bankRows = (patches: number, o: PatchCoreOptions): number =>
  Math.max(1, Math.floor((patches * o.coresetShare) / 100));

/** Nearest stored patch of good images, for each patch. */
export const patchcore: Detector<PatchCoreOptions> = {
  title: 'PatchCore',
  source: {
    authors: 'Roth, Pemula, Zepeda, Schölkopf, Brox, Gehler',
    title: 'Towards Total Recall in Industrial Anomaly Detection',
    where: 'CVPR 2022',
    reference:
      'anomalib: squashed input, concatenated levels 2 and 3, sparse projection, one random start that is part of ' +
      'the coreset, reweighted image score; the map is enlarged bilinearly as in the official code.',
  },
  about: {
    recommended: true,
    summary: 'Compares each patch with a memory of good patches. The safest first choice.',
    assumes: 'Good images show every good local pattern at least once; position does not matter.',
    fails:
      'A defect that is made of good patches in the wrong place goes unseen, and a good pattern missing from the ' +
      'good images is reported. Defects hidden among the good images become good.',
    cost: 'One pass over the good images, then a selection that grows with the square of their number.',
  },
  options: {
    coresetShare: {
      kind: 'number',
      default: 10,
      min: 0.1,
      max: 100,
      integer: false,
      unit: '%',
      label: 'Coreset share',
      help: 'Share of good patches kept in the memory bank. More is slower and a little finer.',
    },
    maxPatches: {
      kind: 'number',
      default: 100_000,
      min: 1_000,
      max: 400_000,
      integer: true,
      unit: 'patches',
      label: 'Patches at most',
      help: 'With more good patches than this, a random part of each image is used.',
    },
    neighbours: {
      kind: 'number',
      default: 9,
      min: 1,
      max: 50,
      integer: true,
      unit: '',
      label: 'Neighbours',
      help: 'Bank patches that weigh the image score; 1 takes the plain maximum.',
    },
    blurSigma: {
      kind: 'number',
      default: 4,
      min: 0,
      max: 16,
      integer: false,
      unit: 'px',
      label: 'Map smoothing',
      help: 'Gaussian smoothing of the map, in pixels of the model input. The score is not smoothed.',
    },
  },
  needs: { taps: ['level2', 'level3'], leastGoodImages: 1, defects: 'none' },
  leavesOut: true,

  memory(size, o) {
    const { width } = patchesPerImage(size);
    const patches = keptPerImage(size, o) * size.goodImages;
    const stateBytes = bankRows(patches, o) * (width + 1) * 4;
    // Patches as read back, widened, and the same on the device; distances beside them are small.
    return { fitBytes: patches * width * 4 * 3 + stateBytes, stateBytes };
  },

  async *fit(context, o) {
    const { count, width } = patchesPerImage(context);
    const kept = keptPerImage(context, o);
    const patches = yield* collectPatches(context, count, width, kept);
    const total = kept * context.goodImages;
    const wanted = bankRows(total, o);
    const start = context.rng('coreset start').integer(total);
    const points = await project(context, { values: patches, count: total, width });
    const selection = greedyCoreset(context, points, wanted, start);
    let step = await selection.next();
    while (!step.done) {
      yield { phase: 'coreset', done: step.value, total: wanted, unit: 'picks' };
      step = await selection.next();
    }
    return bankOf(patches, width, step.value.index, kept);
  },

  score(_graph, { taps, image, heldOut }, { bank, origin }, o) {
    const patches = toPatches(localFeatures([taps.level2!, taps.level3!]));
    const [batch, count] = patches.shape;
    const penalty = heldOut && ownRows(origin, heldOut);
    const perImage = Array.from({ length: batch }, (_, b) =>
      scoreImage(
        reshape(slice(patches, 0, b, b + 1), [count, -1]),
        bank,
        Math.min(o.neighbours, bank.shape[0]),
        penalty && slice(penalty, 0, b, b + 1),
      ),
    );
    const [, , h, w] = taps.level2!.shape;
    const distances = concat(
      perImage.map(({ nearest }) => reshape(nearest, [1, 1, h, w])),
      0,
    );
    const [, , height, width] = image.shape;
    return {
      map: enlargeAndBlur(distances, height, width, o.blurSigma),
      score: concat(
        perImage.map(({ score }) => score),
        0,
      ),
    };
  },
};

async function* collectPatches(
  context: FitContext,
  count: number,
  width: number,
  kept: number,
): AsyncGenerator<FitProgress, Float32Array> {
  const patches = new Float32Array(kept * context.goodImages * width);
  const rng = context.rng('subsample');
  const embedded = context.embed('patches', ({ taps }) =>
    toPatches(localFeatures([taps.level2!, taps.level3!])),
  );
  for await (const { first, count: images, values } of embedded) {
    const found = floats(values);
    for (let i = 0; i < images; i++) {
      const from = i * count * width;
      const to = (first + i) * kept * width;
      if (kept === count) patches.set(found.subarray(from, from + count * width), to);
      else
        rng.choose(count, kept).forEach((patch, row) => {
          const at = from + patch * width;
          patches.set(found.subarray(at, at + width), to + row * width);
        });
    }
    yield { phase: 'features', done: first + images, total: context.goodImages, unit: 'images' };
  }
  return patches;
}

/** @returns bank [M,D] and the good image that each row came from [M] */
function bankOf(patches: Float32Array, width: number, index: Int32Array, perImage: number): MethodState {
  const bank = new Float32Array(index.length * width);
  index.forEach((patch, row) => bank.set(patches.subarray(patch * width, (patch + 1) * width), row * width));
  return {
    bank: floatTensor([index.length, width], bank),
    origin: intTensor(
      [index.length],
      index.map((patch) => Math.floor(patch / perImage)),
    ),
  };
}

/** Beyond any squared distance, and still far from overflow. */
const FAR = 1e12;

/** FAR where a bank row came from the image that is held out: [B,M]. */
const ownRows = (origin: Value, heldOut: Value): Value =>
  mul(toFloat(equal(cast(reshape(origin, [1, -1])), reshape(heldOut, [-1, 1]))), FAR);

/**
 * @param patches [P,D]
 * @param bank [M,D]
 * @param penalty [1,M] added to squared distances
 * @returns distance of each patch to its nearest row [P], and the reweighted score [1]
 * @source methods.md 5.4
 */
function scoreImage(
  patches: Value,
  bank: Value,
  neighbours: number,
  penalty: Value | undefined,
): { nearest: Value; score: Value } {
  const nearest = nearestDistances(patches, bank, penalty);
  const strangest = rowWhere(patches, nearest, reduceMax(nearest));
  // Exact differences for this one patch: the product above leaves a small rest where two vectors are equal.
  const toBank = distancesTo(strangest, bank, penalty);
  const distance = reduceMin(toBank);
  if (neighbours === 1) return { nearest, score: reshape(distance, [1]) };
  const closest = rowWhere(bank, toBank, distance);
  const around = topK(distancesTo(closest, bank, penalty), neighbours, 0, false).indices;
  const near = gatherElements(toBank, around, 0);
  // 1 − the nearest row's entry of a softmax, shifted so that nothing overflows.
  const top = reduceMax(near);
  const entry = div(exp(sub(distance, top)), reduceSum(exp(sub(near, top))));
  return { nearest, score: reshape(mul(sub(1, entry), distance), [1]) };
}

/**
 * min over m of |q − m|, by |q|² + (|m|² − 2 q·m) with the bracket as one product of widened vectors. Both sides are
 * taken from the bank's mean, which shortens the vectors and with them the rounding.
 */
function nearestDistances(patches: Value, bank: Value, penalty: Value | undefined): Value {
  const mean = reduceMean(bank, [0], true);
  const rows = sub(bank, mean);
  const norms = reduceSum(mul(rows, rows), [1], true);
  const addends = penalty ? add(norms, reshape(penalty, [-1, 1])) : norms;
  const queries = sub(patches, mean);
  const ones = expand(graphOf(patches).constant(1), [patches.shape[0], 1]);
  const products = matMul(concat([mul(queries, -2), ones], 1), transposeLast(concat([rows, addends], 1)));
  return sqrt(max(add(reduceMin(products, [1]), reduceSum(mul(queries, queries), [1])), 0));
}

/** Distances from one vector [1,D] to every bank row: [M]. */
function distancesTo(vector: Value, bank: Value, penalty: Value | undefined): Value {
  const difference = sub(bank, vector);
  const squared = reduceSum(mul(difference, difference), [1]);
  return sqrt(penalty ? add(squared, reshape(penalty, [-1])) : squared);
}

/**
 * The row [1,D] of a matrix whose value is the wanted one, the first of several: without integer arithmetic, which
 * the GPU has not.
 * @param values [N], one for each row
 */
function rowWhere(matrix: Value, values: Value, wanted: Value): Value {
  const count = values.shape[0];
  const position = graphOf(values).constant(
    floatTensor(
      [count],
      Float32Array.from({ length: count }, (_, i) => i),
    ),
  );
  const first = reduceMin(where(equal(values, wanted), position, count));
  return matMul(reshape(toFloat(equal(position, first)), [1, count]), matrix);
}
