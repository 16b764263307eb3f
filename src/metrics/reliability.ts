import { assert } from '../base/errors';
import { assertFinite } from './order';

type Numbers = ArrayLike<number>;

/** What a classifier says of each item first of all. */
export interface TopProbabilities {
  /** The highest probability. */
  readonly confidence: Float64Array;
  /** Its class; the first of equals. */
  readonly predicted: Int32Array;
  /** 1 where that is the actual class, else 0. */
  readonly right: Uint8Array;
}

/**
 * @param probabilities [N·C], rows of items
 * @param labels [N], class indices
 * @throws internal when the lengths don't fit; run/not-finite
 */
export function topProbabilities(probabilities: Numbers, labels: Numbers): TopProbabilities {
  const classes = classesOf(probabilities, labels);
  const confidence = new Float64Array(labels.length);
  const predicted = new Int32Array(labels.length);
  for (let i = 0; i < labels.length; i++) {
    let best = 0;
    for (let c = 1; c < classes; c++)
      if (probabilities[i * classes + c] > probabilities[i * classes + best]) best = c;
    predicted[i] = best;
    confidence[i] = probabilities[i * classes + best];
  }
  return { confidence, predicted, right: Uint8Array.from(predicted, (c, i) => Number(c === labels[i])) };
}

function classesOf(values: Numbers, labels: Numbers): number {
  const classes = labels.length ? values.length / labels.length : 0;
  assert(Number.isInteger(classes), `${values.length} values for ${labels.length} labels`);
  assertFinite(values, 'values');
  for (let i = 0; i < labels.length; i++)
    assert(labels[i] >= 0 && labels[i] < classes, `item ${i} has class ${labels[i]} of ${classes}`);
  return classes;
}

/** Mean of −ln p(label) with p = softmax(logits / T). */
function meanNll(logits: Numbers, labels: Numbers, classes: number, temperature: number): number {
  let total = 0;
  for (let i = 0; i < labels.length; i++) {
    const row = i * classes;
    let top = logits[row];
    for (let c = 1; c < classes; c++) top = Math.max(top, logits[row + c]);
    let sum = 0;
    for (let c = 0; c < classes; c++) sum += Math.exp((logits[row + c] - top) / temperature);
    total += Math.log(sum) - (logits[row + labels[i]] - top) / temperature;
  }
  return total / labels.length;
}

/** What dividing all logits by one number does to their honesty. Plain data, stored with the fit. */
export interface TemperatureFit {
  readonly temperature: number;
  /** Mean negative log-likelihood in nats, at temperature 1 and at the fitted one. */
  readonly nllBefore: number;
  readonly nllAfter: number;
  /** How many held-out items it was fitted on. */
  readonly n: number;
}

const BOUNDS = [0.05, 20] as const;
const GOLDEN = (Math.sqrt(5) - 1) / 2;

/**
 * The temperature in 0.05 … 20 at which held-out logits give their labels the highest likelihood, by golden sections of
 * its logarithm: the likelihood has one peak. Separable items end at the lower bound, unless a prior holds them. Stays 1
 * where nothing is better.
 * @param logits [N·C], rows of items that the classifier was not fitted on; logarithms of probabilities do as well
 * @param prior weight of ln²(T)/2 beside the sum over items: how much a few items may say against a temperature of 1
 * @returns null of nothing
 * @throws internal when the lengths don't fit; run/not-finite
 * @source Guo et al., "On calibration of modern neural networks", 2017, 4.2
 */
export function fitTemperature(logits: Numbers, labels: Numbers, prior = 0): TemperatureFit | null {
  const classes = classesOf(logits, labels);
  if (!labels.length) return null;
  const nll = (log: number) => meanNll(logits, labels, classes, Math.exp(log));
  const cost = (log: number) => nll(log) + (prior * log ** 2) / 2 / labels.length;
  let [low, high] = BOUNDS.map(Math.log);
  let [left, right] = [high - GOLDEN * (high - low), low + GOLDEN * (high - low)];
  let [atLeft, atRight] = [cost(left), cost(right)];
  while (high - low > 1e-7) {
    if (atLeft <= atRight) {
      [high, right, atRight] = [right, left, atLeft];
      left = high - GOLDEN * (high - low);
      atLeft = cost(left);
    } else {
      [low, left, atLeft] = [left, right, atRight];
      right = low + GOLDEN * (high - low);
      atRight = cost(right);
    }
  }
  const nllBefore = nll(0);
  const best = [0, (low + high) / 2, ...BOUNDS.map(Math.log)].reduce((a, b) => (cost(b) < cost(a) ? b : a));
  return { temperature: Math.exp(best), nllBefore, nllAfter: nll(best), n: labels.length };
}

/**
 * Expected calibration error: how far the top probability is from the share that is right, averaged over the items in
 * bins (low, high] of equal width.
 * @returns null of nothing
 * @throws internal when the lengths don't fit; run/not-finite
 * @source Guo et al., 2017, equation 3
 */
export function calibrationError(probabilities: Numbers, labels: Numbers, bins = 15): number | null {
  const { confidence, right } = topProbabilities(probabilities, labels);
  if (!labels.length) return null;
  const surplus = new Float64Array(bins);
  confidence.forEach((p, i) => {
    surplus[Math.min(Math.max(Math.ceil(p * bins) - 1, 0), bins - 1)] += p - right[i];
  });
  return surplus.reduce((sum, difference) => sum + Math.abs(difference), 0) / labels.length;
}

/**
 * How many items have a top probability of at least `sure`, and how many of those are right.
 * @throws internal when the lengths don't fit; run/not-finite
 */
export function rightWhenSure(
  probabilities: Numbers,
  labels: Numbers,
  sure = 0.99,
): { readonly n: number; readonly right: number } {
  const { confidence, right } = topProbabilities(probabilities, labels);
  const kept = right.filter((_, i) => confidence[i] >= sure);
  return { n: kept.length, right: kept.filter(Boolean).length };
}
