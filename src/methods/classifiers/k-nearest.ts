import { add, div, gather, log, matMul, mul, reduceSum, sub, topK, transpose } from '../../graph/ops/index';
import type { Value } from '../../graph/value';
import type { Classifier } from '../classifier';
import { stackVectors } from '../kit/feature-cache';
import { flipsOption } from '../kit/head-classifier';
import { oneHot } from '../kit/one-hot';
import { PROTOTYPES, standardRows, standardVector } from '../kit/prototypes';
import type { PrototypeOptions } from '../kit/prototypes';

export type KNearestOptions = PrototypeOptions & { readonly neighbours: number };

/** Votes that every class has beforehand: no share is 0. */
const SMOOTHING = 0.1;

/** ‖x − b‖² of each row with each vector. @param x [B,D] @param bank [N,D] @returns [B,N] */
export function squaredDistances(x: Value, bank: Value): Value {
  const lengths = (rows: Value) => reduceSum(mul(rows, rows), [1], true);
  const products = matMul(x, transpose(bank, [1, 0]));
  return sub(add(lengths(x), transpose(lengths(bank), [1, 0])), mul(products, 2));
}

/**
 * Votes of the nearest vectors for each class.
 * @param x [B,D] @param bank [N,D] @param labels one-hot [N,C]
 * @returns [B,C]
 * @source methods.md 19.3
 */
export function votes(x: Value, bank: Value, labels: Value, neighbours: number): Value {
  const k = Math.min(neighbours, bank.shape[0]);
  return reduceSum(gather(labels, topK(squaredDistances(x, bank), k, 1, false).indices), [1]);
}

/** The class that most of the nearest labelled images have. */
export const knn: Classifier<KNearestOptions> = {
  title: 'k nearest neighbours',
  source: {
    authors: 'Cover, T. M., Hart, P. E.',
    title: 'Nearest Neighbor Pattern Classification',
    where: 'IEEE Transactions on Information Theory, 1967',
    reference:
      'Features standardised by the training images, Euclidean; of equal votes the class that comes first.',
  },
  about: {
    summary: 'The class that most of the most alike labelled images have: nothing is trained.',
    assumes: 'Images that look alike have the same class.',
    fails: 'For rare classes beside common ones: the common one has more images near everything.',
    cost: 'The backbone once for each image; every labelled image is kept.',
  },
  options: {
    neighbours: {
      kind: 'number',
      default: 3,
      min: 1,
      max: 50,
      integer: true,
      unit: 'images',
      label: 'Neighbours',
      help: 'How many of the nearest labelled images vote.',
    },
    flips: flipsOption,
  },
  ...PROTOTYPES,
  async *fit(context, o) {
    const { rows, classOf, standard } = yield* standardRows(context, o);
    const labels = oneHot(classOf, context.labels.classes.length);
    return { ...standard, bank: stackVectors(rows), labels };
  },
  classify(_graph, inputs, state, { neighbours }) {
    const found = votes(standardVector(inputs, state), state.bank, state.labels, neighbours);
    const total = neighbours + SMOOTHING * state.labels.shape[1];
    return { logits: log(div(add(found, SMOOTHING), total)) };
  },
};
