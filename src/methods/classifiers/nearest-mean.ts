import { floatTensor } from '../../base/tensor';
import { l2Normalise, matMul, mul, transpose } from '../../graph/ops/index';
import type { Value } from '../../graph/value';
import type { Classifier } from '../classifier';
import { POOLED, flipsOption } from '../kit/head-classifier';
import { labelledRows, mirrorsOf } from '../kit/labelled-rows';
import { keptVectors, standardise, standardised } from '../kit/prototypes';
import type { Options } from '../options';

export type NearestMeanOptions = Options & { readonly flips: boolean };

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

/** Cosine of each row with each mean. @param x [B,D] @param means [C,D] @returns [B,C] @source methods.md 19.3 */
export const cosines = (x: Value, means: Value): Value =>
  matMul(l2Normalise(x, 1), transpose(l2Normalise(means, 1), [1, 0]));

/** The class whose mean is the nearest by angle. */
export const nearestMean: Classifier<NearestMeanOptions> = {
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
  needs: { taps: POOLED.taps },
  refits: () => true,
  passes: (o) => mirrorsOf(o.flips).length,
  memory: (size, o) => keptVectors(size, mirrorsOf(o.flips).length),
  async *fit(context, o) {
    const labelled = yield* labelledRows(context, (from) => POOLED.build(from), mirrorsOf(o.flips));
    const { rows, state } = standardised(labelled);
    return { ...state, means: classMeans(rows, labelled.classOf, context.labels.classes.length) };
  },
  classify: (_graph, inputs, state) => ({
    logits: mul(cosines(standardise(POOLED.build(inputs), state), state.means), SCALE),
  }),
};
