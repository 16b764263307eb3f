import { floatTensor } from '../../base/tensor';
import type { TensorData } from '../../base/tensor';
import {
  add,
  concat,
  div,
  linear,
  logSoftmax,
  mul,
  neg,
  reduceMean,
  reduceSum,
  reshape,
  slice,
  softmax,
  sub,
} from '../../graph/ops/index';
import type { Value } from '../../graph/value';
import { filledWith, normal } from '../../nn/initialisers';
import type { Net } from '../../nn/net';
import type { FitContext, FitProgress, Inputs, MethodState } from '../contract';
import { fitByGradient } from '../kit/gradient-fit';
import type { StepSpec } from '../kit/training-graph';
import { headLevels } from './options';
import type { SemClipOptions } from './options';

/** The network's name in a state. */
export const HEAD = 'head';

const LEAST_DEVIATION = 1e-3;
const RATE = 1e-3;
/** Added to the logit of a class without images: its share becomes 0. */
const NEVER = -1e9;

/** Raw class tokens of the levels, one after another. @returns [B,n·w] @source methods.md 17.2, equation 20 */
export function headInputs({ taps }: Inputs, o: SemClipOptions): Value {
  const rows = headLevels(o).map((level) => {
    const token = slice(taps[`tokens${level}`]!, 1, 0, 1);
    return reshape(token, [token.shape[0], token.shape[2]]);
  });
  return concat(rows, 1);
}

/** Mean and population deviation of every input over the images, at least 0.001. @source methods.md 17.3 */
export function standardisation(rows: readonly Float32Array[]): { mean: TensorData; std: TensorData } {
  const width = rows[0].length;
  const mean = new Float64Array(width);
  for (const row of rows) row.forEach((value, k) => (mean[k] += value / rows.length));
  const variance = new Float64Array(width);
  for (const row of rows) row.forEach((value, k) => (variance[k] += (value - mean[k]) ** 2 / rows.length));
  return {
    mean: floatTensor([width], Float32Array.from(mean)),
    std: floatTensor(
      [width],
      Float32Array.from(variance, (value) => Math.max(Math.sqrt(value), LEAST_DEVIATION)),
    ),
  };
}

/**
 * Logits of classes; those without images are never chosen.
 * @param x standardised, [B,D]
 * @param present 1 for classes with images, else 0: [C]
 * @returns [B,C]
 * @source methods.md 17.2, equation 21
 */
export function headLogits(net: Net, x: Value, present: Value): Value {
  const [classes] = present.shape;
  const weight = net.parameter('weight', [classes, x.shape[1]], normal(0.01));
  const logits = linear(x, weight, net.parameter('bias', [classes], filledWith(0)));
  return add(logits, mul(sub(1, present), NEVER));
}

/**
 * One step of training on all images at once: cross entropy, every parameter decayed.
 * @param images rows that are fed
 */
export function headStep(images: number, width: number, classes: number): StepSpec {
  return {
    nets: { [HEAD]: { optimiser: { kind: 'adamw', weightDecay: 1e-4 } } },
    build({ net, input }) {
      const logits = headLogits(net(HEAD), input('x', [images, width]), input('present', [classes]));
      const chosen = mul(logSoftmax(logits), input('labels', [images, classes]));
      return { loss: neg(reduceMean(reduceSum(chosen, [1]))) };
    },
  };
}

/** Labelled rows that a head is learnt from. */
export interface LabelledRows {
  readonly rows: readonly Float32Array[];
  /** Class of each. */
  readonly classOf: readonly number[];
}

/**
 * Learns the classes from labelled class tokens.
 * @returns `head.weight` [C,D], `head.bias` [C], `head.mean` and `head.std` [D], `head.present` [C]
 * @throws fit/diverged
 */
export async function* fitHead(
  context: FitContext,
  { rows, classOf }: LabelledRows,
  classes: number,
  steps: number,
): AsyncGenerator<FitProgress, MethodState> {
  const { mean, std } = standardisation(rows);
  const width = rows[0].length;
  const [means, deviations] = [mean.data as Float32Array, std.data as Float32Array];
  const x = new Float32Array(rows.length * width);
  rows.forEach((row, i) =>
    row.forEach((value, k) => (x[i * width + k] = (value - means[k]) / deviations[k])),
  );
  const labels = new Float32Array(rows.length * classes);
  classOf.forEach((own, i) => (labels[i * classes + own] = 1));
  const present = floatTensor(
    [classes],
    Float32Array.from({ length: classes }, (_, c) => Number(classOf.includes(c))),
  );
  const kept = {
    x: context.upload(floatTensor([rows.length, width], x)),
    labels: context.upload(floatTensor([rows.length, classes], labels)),
  };
  try {
    const state = yield* fitByGradient(context, {
      key: HEAD,
      phase: 'training of the class head',
      steps: { classify: headStep(rows.length, width, classes) },
      iterations: steps,
      rate: () => RATE,
      feeds: () => ({ ...kept, present }),
    });
    return { ...state, 'head.mean': mean, 'head.std': std, 'head.present': present };
  } finally {
    kept.x.dispose();
    kept.labels.dispose();
  }
}

/** Shares of classes by the head. @param x raw class tokens [B,D] @returns [B,C] @source equation 22 */
export function headShares(net: Net, x: Value, state: Readonly<Record<string, Value>>): Value {
  const standardised = div(sub(x, state['head.mean']), state['head.std']);
  return softmax(headLogits(net, standardised, state['head.present']));
}
