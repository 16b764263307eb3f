import { floatTensor, floats } from '../../base/tensor';
import type { TensorData } from '../../base/tensor';
import { add, linear, mul, relu, softmax, sub } from '../../graph/ops/index';
import type { Value } from '../../graph/value';
import { filledWith, kaimingNormal, normal } from '../../nn/initialisers';
import { crossEntropy } from '../../nn/losses/long-tail';
import { FittedNet } from '../../nn/net';
import type { Net } from '../../nn/net';
import type { FitProgress, FitWorld, MethodState, StateValues } from '../contract';
import { stackVectors } from './feature-cache';
import { fitByGradient } from './gradient-fit';
import { oneHot } from './one-hot';
import { standardise, standardised } from './standardise';
import type { StepSpec } from './training-graph';

/** The network's name in a state. */
export const HEAD = 'head';

const RATE = 1e-3;
/** Added to the logit of a class without images: its share becomes 0. */
const NEVER = -1e9;

/** A layer between inputs and logits, with a ReLU. */
export interface Hidden {
  readonly units: number;
  /** While training: 0 for what is left out of this step, 1/(1 − share) for the rest. [B,units] */
  readonly keep?: Value;
}

/**
 * Logits of classes; those without images are never chosen.
 * @param x standardised, [B,D]
 * @param present 1 for classes with images, else 0: [C]
 * @returns [B,C]
 * @source methods.md 17.2, equation 21; with a hidden layer 19.3
 */
export function headLogits(net: Net, x: Value, present: Value, hidden?: Hidden): Value {
  const [classes] = present.shape;
  const inner = hidden ? hiddenLayer(net, x, hidden) : x;
  const weight = net.parameter('weight', [classes, inner.shape[1]], normal(0.01));
  const logits = linear(inner, weight, net.parameter('bias', [classes], filledWith(0)));
  return add(logits, mul(sub(1, present), NEVER));
}

function hiddenLayer(net: Net, x: Value, { units, keep }: Hidden): Value {
  const weight = net.parameter('hidden.weight', [units, x.shape[1]], kaimingNormal);
  const inner = relu(linear(x, weight, net.parameter('hidden.bias', [units], filledWith(0))));
  return keep ? mul(inner, keep) : inner;
}

/** How a head is trained. */
export interface HeadTraining {
  readonly steps: number;
  /** Units of a hidden layer, none when left out; a share of them is left out of every step. */
  readonly hidden?: { readonly units: number; readonly dropout: number };
  /** Divides the logits of the fitted head; they stay as trained when left out. */
  readonly temperature?: number;
}

/**
 * One step of training on all images at once: cross entropy, every parameter decayed.
 * @param images rows that are fed
 */
export function headStep(
  images: number,
  width: number,
  classes: number,
  hidden?: HeadTraining['hidden'],
): StepSpec {
  return {
    nets: { [HEAD]: { optimiser: { kind: 'adamw', weightDecay: 1e-4 } } },
    build({ net, input }) {
      const x = input('x', [images, width]);
      const layer = hidden && { units: hidden.units, keep: input('keep', [images, hidden.units]) };
      const logits = headLogits(net(HEAD), x, input('present', [classes]), layer);
      return { loss: crossEntropy(logits, input('labels', [images, classes])) };
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
 * Learns the classes from labelled rows.
 * @returns `head.weight` [C,D], `head.bias` [C], `head.mean` and `head.std` [D], `head.present` [C]; with a hidden layer
 * `head.hidden.weight` [units,D] and `.bias`, and `head.weight` [C,units]
 * @throws fit/diverged
 */
export async function* fitHead(
  context: FitWorld,
  { rows, classOf }: LabelledRows,
  classes: number,
  { steps, hidden, temperature }: HeadTraining,
): AsyncGenerator<FitProgress, MethodState> {
  const { rows: standard, standard: by } = standardised(rows);
  const width = rows[0].length;
  const present = floatTensor(
    [classes],
    Float32Array.from({ length: classes }, (_, c) => Number(classOf.includes(c))),
  );
  const kept = {
    x: context.upload(stackVectors(standard)),
    labels: context.upload(oneHot(classOf, classes)),
  };
  try {
    const state = yield* fitByGradient(context, {
      key: HEAD,
      phase: 'training of the class head',
      steps: { classify: headStep(rows.length, width, classes, hidden) },
      iterations: steps,
      rate: () => RATE,
      feeds: (_step, iteration) => ({
        ...kept,
        present,
        ...(hidden && { keep: dropout(context, iteration, rows.length, hidden) }),
      }),
    });
    return {
      ...state,
      ...(temperature && dividedOutput(state, temperature)),
      'head.mean': by.mean,
      'head.std': by.std,
      'head.present': present,
    };
  } finally {
    kept.x.dispose();
    kept.labels.dispose();
  }
}

/** The last layer, its logits divided. */
const dividedOutput = (state: MethodState, by: number): MethodState =>
  Object.fromEntries(
    [`${HEAD}.weight`, `${HEAD}.bias`].map((name) => [
      name,
      floatTensor(
        state[name].shape,
        floats(state[name]).map((value) => value / by),
      ),
    ]),
  );

/** Which units of a hidden layer a step keeps. @returns [rows,units] */
function dropout(
  context: Pick<FitWorld, 'rng'>,
  iteration: number,
  rows: number,
  { units, dropout: share }: NonNullable<HeadTraining['hidden']>,
): TensorData {
  const rng = context.rng(`dropout.${iteration}`);
  const kept = 1 / (1 - share);
  return floatTensor(
    [rows, units],
    Float32Array.from({ length: rows * units }, () => (rng.uniform() < share ? 0 : kept)),
  );
}

/** Logits of raw rows by a fitted head. @param x [B,D] @returns [B,C] */
export function fittedLogits(state: StateValues, x: Value): Value {
  const standard = standardise(x, { mean: state[`${HEAD}.mean`], std: state[`${HEAD}.std`] });
  const units = state[`${HEAD}.hidden.bias`]?.shape[0];
  const net = new FittedNet(x.graph, state, `${HEAD}.`);
  return headLogits(net, standard, state[`${HEAD}.present`], units ? { units } : undefined);
}

/** Shares of classes by the head. @param x raw rows [B,D] @returns [B,C] @source methods.md 17.2, equation 22 */
export const headShares = (state: StateValues, x: Value): Value => softmax(fittedLogits(state, x));
