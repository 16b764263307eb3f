import { expect, it } from 'vitest';
import { floatTensor, floats } from '../../../src/base/tensor';
import type { TensorData } from '../../../src/base/tensor';
import { gradients } from '../../../src/graph/autodiff';
import { add, div, mul } from '../../../src/graph/ops/index';
import type { Value } from '../../../src/graph/value';
import {
  crossEntropy,
  effectiveWeights,
  focalLoss,
  inverseCounts,
  ldamLoss,
  ldamMargins,
  logPriors,
  minedCategories,
  mutualDistillation,
  perClass,
  restricted,
  smoothedCrossEntropy,
  studentLoss,
  weightedCrossEntropy,
} from '../../../src/nn/losses/long-tail';
import {
  classPairs,
  cosineLogits,
  cosines,
  decorrelationLoss,
  membership,
  subCentreCounts,
  subCentreLoss,
  subCentreSimilarity,
  supervisedContrastive,
  tripletLoss,
} from '../../../src/nn/losses/metric';
import { describeGolden, goldenJson, goldenTensors, relativeError } from '../../support/golden';
import { evaluate, openNodeRuntime } from '../../support/node-runtime';

type Losses = Record<string, number>;

const CLASSES = 7;
const EXPERTS = 3;

const oneHot = (labels: TensorData): TensorData =>
  floatTensor(
    [labels.data.length, CLASSES],
    Array.from(labels.data, Number).flatMap((own) =>
      Array.from({ length: CLASSES }, (_, c) => Number(c === own)),
    ),
  );

describeGolden(['longtail.json', 'longtail.safetensors'], 'losses of long-tailed sets', () => {
  const json = goldenJson<Losses>('longtail.json');
  const runtime = openNodeRuntime();

  /** Every input of the file as a value: float tensors, labels one-hot, the classes' numbers, experts' logits apart. */
  async function feedsOf(): Promise<{
    golden: Record<string, TensorData>;
    feeds: Record<string, TensorData>;
  }> {
    const golden = await goldenTensors('longtail.safetensors');
    const counts = [...floats(golden.counts)];
    const logits = floats(golden.logits);
    const size = logits.length / EXPERTS;
    const [, width] = golden.u.shape;
    const experts = Array.from({ length: EXPERTS }, (_, e): [string, TensorData] => [
      `logits${e}`,
      floatTensor([size / CLASSES, CLASSES], logits.slice(e * size, (e + 1) * size)),
    ]);
    const feeds = {
      ...Object.fromEntries(experts),
      labels: oneHot(golden.labels),
      pairLabels: oneHot(golden['triplet.labels']),
      prior: perClass(logPriors(counts)),
      inverse: perClass(logPriors(inverseCounts(counts))),
      weights: perClass(effectiveWeights(counts)),
      margins: perClass(ldamMargins(counts)),
      cosine: golden['ldam.cosine'],
      u: golden.u,
      weight: golden['cosine.weight'],
      centres: golden.subcentres,
      firsts: floatTensor([CLASSES, width], floats(golden.subcentres).slice(0, CLASSES * width)),
      student: golden.student,
      agnostic: golden.agnostic,
    };
    return { golden, feeds };
  }

  const inverseLogits = (logits: Value, v: Record<string, Value>): Value =>
    add(logits, add(v.prior, mul(v.inverse, -2)));
  const mined = (v: Record<string, Value>): Value => minedCategories(ensemble(v), v.labels, 3);
  const ensemble = (v: Record<string, Value>): Value =>
    div([v.logits1, v.logits2].reduce(add, v.logits0), EXPERTS);
  const balanced = (v: Record<string, Value>): Value[] =>
    [v.logits0, v.logits1, v.logits2].map((logits) => add(logits, v.prior));
  const similarity = (v: Record<string, Value>, centres: Value, counts: readonly number[]): Value =>
    subCentreSimilarity(cosines(v.u, centres), centres.graph.constant(membership(counts)));

  const LOSSES: Record<
    string,
    {
      loss: (v: Record<string, Value>, counts: readonly number[]) => Value;
      by: readonly string[];
      as?: string;
    }
  > = {
    ce_plain: { loss: (v) => crossEntropy(v.logits0, v.labels), by: ['logits0'], as: 'logits' },
    ce_balanced: { loss: (v) => crossEntropy(balanced(v)[0], v.labels), by: ['logits0'], as: 'logits' },
    ce_inverse_tau2: {
      loss: (v) => crossEntropy(inverseLogits(v.logits0, v), v.labels),
      by: ['logits0'],
      as: 'logits',
    },
    sade_sum_of_experts: {
      loss: (v) =>
        [v.logits0, balanced(v)[1], inverseLogits(v.logits2, v)]
          .map((logits) => crossEntropy(logits, v.labels))
          .reduce((sum, loss) => add(sum, loss)),
      by: ['logits0', 'logits1', 'logits2'],
    },
    hcm_balanced: {
      loss: (v) => crossEntropy(restricted(balanced(v)[0], mined(v)), v.labels),
      by: ['logits0'],
      as: 'logits',
    },
    mutual_full: { loss: (v) => mutualDistillation(balanced(v)), by: ['logits0', 'logits1', 'logits2'] },
    mutual_hcm: {
      loss: (v) => mutualDistillation(balanced(v).map((logits) => restricted(logits, mined(v)))),
      by: ['logits0', 'logits1', 'logits2'],
    },
    ldam_s30: { loss: (v) => ldamLoss(v.cosine, v.labels, v.margins), by: ['cosine'] },
    ce_class_balanced: {
      loss: (v) => weightedCrossEntropy(v.logits0, v.labels, v.weights),
      by: ['logits0'],
      as: 'logits',
    },
    focal_multiclass_gamma2: { loss: (v) => focalLoss(v.logits0, v.labels), by: ['logits0'], as: 'logits' },
    'ce_label_smoothing_0.1': {
      loss: (v) => smoothedCrossEntropy(v.logits0, v.labels),
      by: ['logits0'],
      as: 'logits',
    },
    cosine_classifier_s16: {
      loss: (v) => crossEntropy(cosineLogits(v.u, v.weight), v.labels),
      by: ['u', 'weight'],
    },
    subcentre: {
      loss: (v, counts) => subCentreLoss(similarity(v, v.centres, subCentreCounts(counts)), v.labels),
      by: ['u', 'centres'],
    },
    subcentre_K1: {
      loss: (v) => subCentreLoss(similarity(v, v.firsts, new Array<number>(CLASSES).fill(1)), v.labels),
      by: ['u', 'firsts'],
    },
    'triplet_batch_hard_margin0.3': { loss: (v) => tripletLoss(v.u, classPairs(v.pairLabels)), by: ['u'] },
    'supervised_contrastive_0.1': {
      loss: (v) => supervisedContrastive(v.u, classPairs(v.pairLabels)),
      by: ['u'],
    },
    decorrelation: { loss: (v) => decorrelationLoss(v.u, v.agnostic), by: ['u', 'agnostic'] },
    'student_T2_lambda0.7': {
      loss: (v) => studentLoss(ensemble(v), v.student, add(v.student, v.prior), v.labels),
      by: ['student'],
    },
  };

  it('numbers of the classes', async () => {
    const { golden, feeds } = await feedsOf();
    const shares = (name: string) => floats(feeds[name]).map(Math.exp);
    expect(relativeError(shares('prior'), floats(golden.prior))).toBeLessThan(1e-5);
    expect(relativeError(shares('inverse'), floats(golden['prior.inverse']))).toBeLessThan(1e-5);
    expect(relativeError(floats(feeds.margins), floats(golden['ldam.margin']))).toBeLessThan(1e-5);
    const weights = floats(golden['class_balanced_weights_beta0.9999']);
    expect(relativeError(floats(feeds.weights), weights)).toBeLessThan(1e-5);
    expect(subCentreCounts([...floats(golden.counts)])).toEqual(json.subcentres_per_class);
  });

  it('hard categories', async () => {
    const { golden, feeds } = await feedsOf();
    const found = await evaluate(runtime, feeds, (v) => ({ mined: mined(v) }));
    expect([...floats(found.mined)]).toEqual(Array.from(golden['hcm.selected'].data, Number));
  });

  it.each(Object.keys(LOSSES))('%s: loss and gradients', async (name) => {
    const { golden, feeds } = await feedsOf();
    const { loss: build, by, as } = LOSSES[name];
    const found = await evaluate(runtime, feeds, (v) => {
      const loss = build(v, [...floats(golden.counts)]);
      const slopes = gradients(
        loss,
        by.map((input) => v[input]),
      );
      return { loss, ...Object.fromEntries(by.map((input, i) => [`d.${input}`, slopes[i]])) };
    });
    expect(floats(found.loss)[0] / json[name]).toBeCloseTo(1, 5);
    for (const input of by) {
      const expected = floats(golden[`${name}.grad.${as ?? (input === 'firsts' ? 'centres' : input)}`]);
      expect([input, relativeError(floats(found[`d.${input}`]), expected) < 1e-3]).toEqual([input, true]);
    }
  });

  it('similarity with sub-centres', async () => {
    const { golden, feeds } = await feedsOf();
    const counts = subCentreCounts([...floats(golden.counts)]);
    const { found } = await evaluate(runtime, feeds, (v) => ({ found: similarity(v, v.centres, counts) }));
    expect(relativeError(floats(found), floats(golden['subcentre.similarity']))).toBeLessThan(1e-5);
  });
});
