import { floatTensor } from '../../base/tensor';
import { mul } from '../../graph/ops/index';
import { cosines } from '../../nn/losses/metric';
import type { Classifier } from '../classifier';
import { flipsOption } from '../kit/head-classifier';
import { PROTOTYPES, standardRows, standardVector } from '../kit/prototypes';
import type { PrototypeOptions } from '../kit/prototypes';

/** Cosines lie close together: this makes logits of them, before a temperature is known. */
const SCALE = 16;

/** Mean vector of each class's rows. @returns [C,D] */
export function classMeans(rows: readonly Float32Array[], classOf: readonly number[], classes: number) {
  const width = rows[0].length;
  const sums = new Float64Array(classes * width);
  const counts = new Float64Array(classes);
  rows.forEach((row, i) => {
    counts[classOf[i]]++;
    row.forEach((value, k) => (sums[classOf[i] * width + k] += value));
  });
  const means = Float32Array.from(sums, (sum, at) => sum / Math.max(1, counts[Math.floor(at / width)]));
  return floatTensor([classes, width], means);
}

/** The class whose mean is the nearest by angle. */
export const nearestMean: Classifier<PrototypeOptions> = {
  title: 'Nearest mean',
  source: {
    authors: 'Rocchio, J.',
    title: 'Relevance Feedback in Information Retrieval',
    where: 'The SMART Retrieval System, 1971',
    reference: 'Features standardised by the training images; the cosine with each class mean.',
  },
  about: {
    summary:
      'The class whose average image is the most alike: nothing is trained. The safest first choice with few images.',
    recommended: true,
    assumes: 'Each class is one cluster in the features.',
    fails: 'On classes of several kinds, and between classes that differ in a few features only.',
    cost: 'The backbone once for each image.',
  },
  options: { flips: flipsOption },
  ...PROTOTYPES,
  async *fit(context, o) {
    const { rows, classOf, standard } = yield* standardRows(context, o);
    return { ...standard, means: classMeans(rows, classOf, context.labels.classes.length) };
  },
  classify: (_graph, inputs, state) => ({
    logits: mul(cosines(standardVector(inputs, state), state.means), SCALE),
  }),
};
