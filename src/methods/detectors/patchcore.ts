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
  gather,
  gatherElements,
  greater,
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
  stack,
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
    // Patches as read back, widened, and in blocks on the device; distances beside them are small.
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
    const penalty = heldOut && ownRows(origin, heldOut);
    const table = tableOf(bank);
    const nearest = stack(
      imagesOf(patches).map((own, b) => nearestDistances(own, table, penalty && slice(penalty, 0, b, b + 1))),
    );
    const strangest = concat(
      imagesOf(patches).map((own, b) => {
        const distances = slice(nearest, 0, b, b + 1);
        return matMul(firstWhere(distances, reduceMax(distances, [1], true)), own);
      }),
      0,
    );
    const [, , h, w] = taps.level2!.shape;
    const [batch, , height, width] = image.shape;
    return {
      map: enlargeAndBlur(reshape(nearest, [batch, 1, h, w]), height, width, o.blurSigma),
      score: reweighted(strangest, bank, table, Math.min(o.neighbours, bank.shape[0]), penalty),
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

/** [B,P,D] as B values [P,D]. */
const imagesOf = (patches: Value): Value[] =>
  Array.from({ length: patches.shape[0] }, (_, b) =>
    reshape(slice(patches, 0, b, b + 1), patches.shape.slice(1)),
  );

/** Rows to search: |q − m|² is |q|² + [−2q, 1] · [m, |m|²]. */
interface Table {
  /** Both sides are taken from it, which shortens the vectors and with them the rounding. */
  readonly mean: Value;
  /** m [D,M] */
  readonly rows: Value;
  /** |m|² [1,M] */
  readonly norms: Value;
}

function tableOf(bank: Value): Table {
  const mean = reduceMean(bank, [0], true);
  const rows = sub(bank, mean);
  return {
    mean,
    rows: transposeLast(rows),
    norms: transposeLast(reduceSum(mul(rows, rows), [1], true)),
  };
}

/** |q − m|² − |q|² of vectors [n,D]: [n,M], and |q|² [n,1]; an addend [1,M] goes to every row. */
function search(vectors: Value, { mean, rows, norms }: Table, addend?: Value) {
  const queries = sub(vectors, mean);
  const ones = expand(graphOf(vectors).constant(1), [vectors.shape[0], 1]);
  const table = concat([rows, addend ? add(norms, addend) : norms], 0);
  return {
    products: matMul(concat([mul(queries, -2), ones], 1), table),
    lengths: reduceSum(mul(queries, queries), [1], true),
  };
}

/** Distance of each patch [P,D] to its nearest row: [P]. */
function nearestDistances(patches: Value, table: Table, penalty: Value | undefined): Value {
  const { products, lengths } = search(patches, table, penalty);
  return sqrt(max(reshape(add(reduceMin(products, [1], true), lengths), [-1]), 0));
}

/** Squared distances of vectors [B,D] to every row, each with penalties of its own: [B,M]. */
function squaredDistances(vectors: Value, table: Table, penalty: Value | undefined): Value {
  const { products, lengths } = search(vectors, table);
  const squared = add(products, lengths);
  return penalty ? add(squared, penalty) : squared;
}

/**
 * The strangest patch's distance, less where the rows around its nearest one are as far from it.
 * @param strangest [B,D]
 * @param penalty [B,M] added to squared distances
 * @returns [B]
 * @source methods.md 5.4
 */
function reweighted(
  strangest: Value,
  bank: Value,
  table: Table,
  neighbours: number,
  penalty: Value | undefined,
): Value {
  const batch = strangest.shape[0];
  const squared = squaredDistances(strangest, table, penalty);
  const first = firstWhere(squared, reduceMin(squared, [1], true));
  const closest = matMul(first, bank);
  // Exact differences from here on: the products leave a small rest where two vectors are equal.
  const own = lengthsOf(sub(strangest, closest), penalty && reduceSum(mul(first, penalty), [1]));
  if (neighbours === 1) return own;
  const around = topK(squaredDistances(closest, table, penalty), neighbours, 1, false).indices;
  const near = lengthsOf(sub(gather(bank, around), reshape(strangest, [batch, 1, -1])));
  const left = penalty && gatherElements(penalty, around, 1);
  // 1 − the nearest row's entry of a softmax, shifted so that nothing overflows; rows left out take no part in it.
  const logits = left ? sub(near, left) : near;
  const top = reduceMax(logits, [1]);
  const sum = reduceSum(exp(sub(logits, reshape(top, [batch, 1]))), [1]);
  const weight = sub(1, div(exp(sub(own, top)), sum));
  // A single row has nothing to be weighed against.
  const others = left && reduceSum(toFloat(equal(left, 0)), [1]);
  return mul(others ? where(greater(others, 1), weight, 1) : weight, own);
}

/** Lengths along the last axis; an addend goes to their squares. */
function lengthsOf(vectors: Value, addend?: Value): Value {
  const squared = reduceSum(mul(vectors, vectors), [vectors.rank - 1]);
  return sqrt(addend ? add(squared, addend) : squared);
}

/**
 * 1 at the first of each row's elements that has the wanted value, 0 elsewhere: picks rows by a product, without
 * integer arithmetic, which the GPU has not.
 * @param values [B,N]
 * @param wanted [B,1]
 */
function firstWhere(values: Value, wanted: Value): Value {
  const count = values.shape[1];
  const places = Float32Array.from({ length: count }, (_, i) => i);
  const position = graphOf(values).constant(floatTensor([1, count], places));
  const first = reduceMin(where(equal(values, wanted), position, count), [1], true);
  return toFloat(equal(position, first));
}
