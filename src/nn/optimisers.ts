import { unreachable } from '../base/errors';
import { add, div, max, min, mul, reduceSum, slice, sqrt, sub } from '../graph/ops/index';
import { reshape } from '../graph/ops/layout';
import type { Value } from '../graph/value';

/** Settings by their published names; what is left out has PyTorch's default. @source methods.md 1.8 */
export type OptimiserSpec =
  | {
      readonly kind: 'adam' | 'adamw';
      readonly betas?: readonly [number, number];
      readonly epsilon?: number;
      /** L2 for Adam, decoupled for AdamW (whose default is 0.01). */
      readonly weightDecay?: number;
      readonly amsgrad?: boolean;
    }
  | {
      readonly kind: 'sgd';
      readonly momentum?: number;
      readonly nesterov?: boolean;
      readonly weightDecay?: number;
    }
  | {
      readonly kind: 'rmsprop';
      /** TensorFlow's form has ε inside the root; PyTorch's outside. */
      readonly form: 'tensorflow' | 'pytorch';
      readonly decay?: number;
      readonly epsilon?: number;
    };

/** What a step computes from: one flat vector of parameters and of gradients, and the optimiser's own vectors. */
export interface StepInputs {
  readonly parameters: Value;
  readonly gradient: Value;
  readonly slots: Readonly<Record<string, Value>>;
  /** `rates(spec, lr, step)` of this step, fed at every run. */
  readonly rates: Value;
}

export interface StepOutputs {
  readonly parameters: Value;
  readonly slots: Readonly<Record<string, Value>>;
}

/** Length of the vector that `rates` returns. */
export const RATE_COUNT = 3;

/** Names of the vectors an optimiser keeps, each as long as the parameters; all start at 0 but where `slotStart` says. */
export function slotNames(spec: OptimiserSpec): readonly string[] {
  switch (spec.kind) {
    case 'adam':
    case 'adamw':
      return spec.amsgrad ? ['m', 'v', 'vMax'] : ['m', 'v'];
    case 'sgd':
      return spec.momentum ? ['u'] : [];
    case 'rmsprop':
      return ['s'];
    default:
      return unreachable(spec);
  }
}

/** First value of every slot element: TensorFlow 1 starts its mean square at 1. */
export const slotStart = (spec: OptimiserSpec): number =>
  spec.kind === 'rmsprop' && spec.form === 'tensorflow' ? 1 : 0;

/**
 * Numbers of one step that the graph takes as input: the learning rate, and the bias corrections of Adam, computed
 * here because 1 − βᵗ loses digits in float32.
 * @param step counted from 1
 */
export function rates(spec: OptimiserSpec, learningRate: number, step: number): Float32Array {
  if (spec.kind === 'sgd' || spec.kind === 'rmsprop') return Float32Array.of(learningRate, 1, 1);
  const [beta1, beta2] = spec.betas ?? ADAM_BETAS;
  return Float32Array.of(learningRate, 1 / (1 - beta1 ** step), 1 / (1 - beta2 ** step));
}

const ADAM_BETAS = [0.9, 0.999] as const;

/** Emits one update. @source methods.md 1.8 */
export function optimiserStep(spec: OptimiserSpec, inputs: StepInputs): StepOutputs {
  switch (spec.kind) {
    case 'adam':
    case 'adamw':
      return adamStep(spec, inputs);
    case 'sgd':
      return sgdStep(spec, inputs);
    case 'rmsprop':
      return rmspropStep(spec, inputs);
    default:
      return unreachable(spec);
  }
}

const rate = (rates: Value, index: number): Value => reshape(slice(rates, 0, index, index + 1), []);

function adamStep(
  spec: Extract<OptimiserSpec, { kind: 'adam' | 'adamw' }>,
  { parameters, gradient, slots, rates: fed }: StepInputs,
): StepOutputs {
  const [beta1, beta2] = spec.betas ?? ADAM_BETAS;
  const epsilon = spec.epsilon ?? 1e-8;
  const decoupled = spec.kind === 'adamw';
  const weightDecay = spec.weightDecay ?? (decoupled ? 0.01 : 0);
  const [lr, correct1, correct2] = [0, 1, 2].map((index) => rate(fed, index));
  const g = weightDecay && !decoupled ? add(gradient, mul(parameters, weightDecay)) : gradient;
  const m = add(mul(slots.m, beta1), mul(g, 1 - beta1));
  const v = add(mul(slots.v, beta2), mul(mul(g, g), 1 - beta2));
  const vMax = spec.amsgrad ? max(slots.vMax, v) : undefined;
  const root = add(sqrt(mul(vMax ?? v, correct2)), epsilon);
  const start = weightDecay && decoupled ? mul(parameters, sub(1, mul(lr, weightDecay))) : parameters;
  return {
    parameters: sub(start, div(mul(m, mul(lr, correct1)), root)),
    slots: vMax ? { m, v, vMax } : { m, v },
  };
}

function sgdStep(
  { momentum = 0, nesterov = false, weightDecay = 0 }: Extract<OptimiserSpec, { kind: 'sgd' }>,
  { parameters, gradient, slots, rates: fed }: StepInputs,
): StepOutputs {
  const lr = rate(fed, 0);
  const g = weightDecay ? add(gradient, mul(parameters, weightDecay)) : gradient;
  if (!momentum) return { parameters: sub(parameters, mul(g, lr)), slots: {} };
  // PyTorch's first step takes u = g, which zeros as a start give.
  const u = add(mul(slots.u, momentum), g);
  const direction = nesterov ? add(g, mul(u, momentum)) : u;
  return { parameters: sub(parameters, mul(direction, lr)), slots: { u } };
}

function rmspropStep(
  spec: Extract<OptimiserSpec, { kind: 'rmsprop' }>,
  { parameters, gradient, slots, rates: fed }: StepInputs,
): StepOutputs {
  const tensorflow = spec.form === 'tensorflow';
  const decay = spec.decay ?? (tensorflow ? 0.9 : 0.99);
  const epsilon = spec.epsilon ?? (tensorflow ? 1e-10 : 1e-8);
  const s = add(mul(slots.s, decay), mul(mul(gradient, gradient), 1 - decay));
  const root = tensorflow ? sqrt(add(s, epsilon)) : add(sqrt(s), epsilon);
  return { parameters: sub(parameters, div(mul(gradient, rate(fed, 0)), root)), slots: { s } };
}

/** Scales a gradient so that its norm is at most `limit`: min(1, c/(‖g‖+1e-6)). */
export function clipByNorm(gradient: Value, limit: number): Value {
  const norm = sqrt(reduceSum(mul(gradient, gradient)));
  return mul(gradient, min(div(limit, add(norm, 1e-6)), 1));
}
