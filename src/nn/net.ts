import { assert } from '../base/errors';
import type { Rng } from '../base/rng';
import { floatTensor, sizeOf } from '../base/tensor';
import type { Shape, TensorData } from '../base/tensor';
import type { GraphBuilder } from '../graph/builder';
import {
  add,
  batchNormInference,
  batchNormTraining,
  concat,
  conv,
  div,
  mul,
  reshape,
  slice,
  sqrt,
  sub,
} from '../graph/ops/index';
import type { Value } from '../graph/value';
import { filledWith, usualStart } from './initialisers';
import type { Initialiser } from './initialisers';
import { convGeometry } from './layers';
import type { ConvNormOptions, NetLayers } from './layers';
import { pointwiseNorm } from './pointwise-norm';

/**
 * Where the description of a trainable network gets its parameters from. The same description is declared (for names
 * and shapes), trained, and used after training, by the implementation handed in.
 */
export interface Net extends NetLayers {
  parameter(name: string, shape: Shape, initial?: Initialiser): Value;
  /** Batch norm `${name}.weight`, `.bias`, `.running_mean`, `.running_var` over all axes but the second. */
  batchNorm(x: Value, name: string, initialScale?: Initialiser): Value;
  /**
   * The same batch norm as numbers, for callers that put it into the weights before it.
   * @param batch statistics of what is normalised, asked for in training alone
   */
  foldedNorm(name: string, channels: number, batch: () => Moments): FoldedNorm;
}

/** Statistics of a batch for each channel, [C] each; the variance is the biased one. */
export interface Moments {
  readonly mean: Value;
  readonly variance: Value;
  /** Values a channel has in the batch. */
  readonly count: number;
}

/** A batch norm as x·factor + shift, [C] each. */
export interface FoldedNorm {
  readonly factor: Value;
  readonly shift: Value;
}

/** How a network normalises. */
export interface NetSettings {
  readonly epsilon?: number;
  /** Share of the new batch in the running statistics. */
  readonly momentum?: number;
}

interface Slot {
  readonly name: string;
  readonly shape: Shape;
  readonly offset: number;
  readonly initial: Initialiser;
}

/** Named tensors laid out in one flat vector. */
export class FlatLayout {
  readonly #slots = new Map<string, Slot>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get slots(): readonly Slot[] {
    return [...this.#slots.values()];
  }

  claim(name: string, shape: Shape, initial: Initialiser): void {
    const known = this.#slots.get(name);
    assert(!known || known.shape.join() === shape.join(), `"${name}" is declared with two shapes`);
    if (known) return;
    this.#slots.set(name, { name, shape, offset: this.#size, initial });
    this.#size += sizeOf(shape);
  }

  /** First values; each tensor has a stream of its own, so that adding one changes no other. */
  start(rngOf: (name: string) => Rng): Float32Array {
    const vector = new Float32Array(this.#size);
    for (const { name, shape, offset, initial } of this.slots)
      vector.set(initial(rngOf(name), shape), offset);
    return vector;
  }

  /** The part of a flat value that a name stands for. */
  valueOf(vector: Value, name: string): Value {
    const slot = this.#slots.get(name);
    assert(slot, `"${name}" was not declared`);
    return reshape(this.partOf(vector, slot), slot.shape);
  }

  /** The same part, flat. */
  partOf(vector: Value, { offset, shape }: Pick<Slot, 'offset' | 'shape'>): Value {
    return slice(vector, 0, offset, offset + sizeOf(shape));
  }

  /** The named tensors of a flat vector, copied. */
  tensors(vector: Float32Array): Record<string, TensorData> {
    return Object.fromEntries(
      this.slots.map(({ name, shape, offset }) => [
        name,
        floatTensor(shape, vector.slice(offset, offset + sizeOf(shape))),
      ]),
    );
  }

  /** The flat vector of named tensors. @throws internal when one is missing */
  pack(tensors: Readonly<Record<string, TensorData>>): Float32Array {
    const vector = new Float32Array(this.#size);
    for (const { name, offset } of this.slots) {
      assert(tensors[name], `"${name}" is missing`);
      vector.set(tensors[name].data as Float32Array, offset);
    }
    return vector;
  }
}

const STATISTICS = [
  ['running_mean', 0],
  ['running_var', 1],
] as const;

/** Shared by the implementations below: a convolution without bias and the batch norm behind it. */
abstract class ConvNormNet implements Net {
  constructor(readonly graph: GraphBuilder) {}

  abstract parameter(name: string, shape: Shape, initial?: Initialiser): Value;
  abstract batchNorm(x: Value, name: string, initialScale?: Initialiser): Value;
  abstract foldedNorm(name: string, channels: number, batch: () => Moments): FoldedNorm;

  convNorm(x: Value, convName: string, norm: string, options: ConvNormOptions): Value {
    const { shape, options: geometry } = convGeometry(x, options);
    return this.graph.scope(convName, () =>
      this.batchNorm(conv(x, this.parameter(`${convName}.weight`, shape), undefined, geometry), norm),
    );
  }
}

interface NormValues {
  readonly scale: Value;
  readonly bias: Value;
  readonly mean: Value;
  readonly variance: Value;
}

function folded({ scale, bias, mean, variance }: NormValues, epsilon: number): FoldedNorm {
  const factor = div(scale, sqrt(add(variance, epsilon)));
  return { factor, shift: sub(bias, mul(mean, factor)) };
}

/** Runs a description for the names, shapes and first values of its tensors alone. */
export class DeclaringNet extends ConvNormNet {
  readonly parameters = new FlatLayout();
  readonly statistics = new FlatLayout();

  parameter(name: string, shape: Shape, initial: Initialiser = usualStart(name, shape)): Value {
    this.parameters.claim(name, shape, initial);
    return this.graph.placeholder('float32', shape);
  }

  batchNorm(x: Value, name: string, initialScale: Initialiser = filledWith(1)): Value {
    const channels = [x.shape[1]];
    this.parameter(`${name}.weight`, channels, initialScale);
    this.parameter(`${name}.bias`, channels, filledWith(0));
    for (const [part, value] of STATISTICS)
      this.statistics.claim(`${name}.${part}`, channels, filledWith(value));
    return x;
  }

  foldedNorm(name: string, channels: number): FoldedNorm {
    const values = this.graph.placeholder('float32', [1, channels]);
    this.batchNorm(values, name);
    const perChannel = reshape(values, [channels]);
    return { factor: perChannel, shift: perChannel };
  }
}

/** The declared layouts of a network. */
export type NetLayout = Pick<DeclaringNet, 'parameters' | 'statistics'>;

/** Inside a training graph: parameters and running statistics are parts of two flat vectors. */
export class FlatNet extends ConvNormNet {
  readonly #values = new Map<string, Value>();
  readonly #statistics = new Map<string, Value>();
  #moved = false;

  /** @param mode whether batch norms take the batch's statistics, and pass them on, or the running ones */
  constructor(
    graph: GraphBuilder,
    private readonly layout: NetLayout,
    private readonly vectors: { readonly parameters: Value; readonly statistics: Value | undefined },
    private readonly settings: NetSettings,
    private readonly mode: 'train' | 'evaluate',
  ) {
    super(graph);
  }

  parameter(name: string): Value {
    let value = this.#values.get(name);
    if (!value)
      this.#values.set(name, (value = this.layout.parameters.valueOf(this.vectors.parameters, name)));
    return value;
  }

  batchNorm(x: Value, name: string): Value {
    const scale = this.parameter(`${name}.weight`);
    const bias = this.parameter(`${name}.bias`);
    const { epsilon = 1e-5 } = this.settings;
    const [mean, variance] = STATISTICS.map(([part]) => this.#statistic(`${name}.${part}`));
    if (this.mode === 'evaluate') return batchNormInference(x, { scale, bias, mean, variance }, epsilon);
    const batch = batchNormTraining(x, scale, bias, epsilon);
    this.#move(name, batch.mean, batch.variance);
    return batch.y;
  }

  override convNorm(x: Value, convName: string, norm: string, options: ConvNormOptions): Value {
    const { channels, kernel, stride = 1, group = 1 } = options;
    const widening = kernel === 1 && stride === 1 && group === 1 && channels >= 2 * x.shape[1];
    if (!widening) return super.convNorm(x, convName, norm, options);
    return this.graph.scope(convName, () => {
      const { weight, bias } = pointwiseNorm(this, x, convName, norm, channels);
      return conv(x, weight, bias);
    });
  }

  foldedNorm(name: string, _channels: number, batch: () => Moments): FoldedNorm {
    const [scale, bias] = ['weight', 'bias'].map((part) => this.parameter(`${name}.${part}`));
    const [mean, variance] = STATISTICS.map(([part]) => this.#statistic(`${name}.${part}`));
    const { epsilon = 1e-5 } = this.settings;
    if (this.mode === 'evaluate') return folded({ scale, bias, mean, variance }, epsilon);
    const now = batch();
    this.#move(name, now.mean, mul(now.variance, now.count / Math.max(now.count - 1, 1)));
    return folded({ scale, bias, ...now }, epsilon);
  }

  /** @param variance the unbiased one */
  #move(name: string, mean: Value, variance: Value): void {
    const { momentum = 0.1 } = this.settings;
    const moved = (part: string, now: Value) =>
      this.#statistics.set(
        `${name}.${part}`,
        add(mul(this.#statistic(`${name}.${part}`), 1 - momentum), mul(now, momentum)),
      );
    moved('running_mean', mean);
    moved('running_var', variance);
    this.#moved = true;
  }

  /**
   * Every parameter in the order of the flat vector: what gradients are taken by. Flat, since a parameter that a
   * description reshapes once more is reshaped from its part of the vector, past its value of the declared shape.
   */
  get parameters(): Value[] {
    const { parameters } = this.layout;
    return parameters.slots.map((slot) => parameters.partOf(this.vectors.parameters, slot));
  }

  /** The running statistics after this pass as a flat vector; `undefined` when no batch norm moved them. */
  get nextStatistics(): Value | undefined {
    if (!this.#moved) return undefined;
    return concat(
      this.layout.statistics.slots.map(({ name }) => this.#statistic(name)),
      0,
    );
  }

  #statistic(name: string): Value {
    const moved = this.#statistics.get(name);
    if (moved) return moved;
    assert(this.vectors.statistics, `"${name}" has no statistics`);
    return this.layout.statistics.valueOf(this.vectors.statistics, name);
  }
}

/** After training: tensors by name, batch norms with their running statistics, folded into convolutions. */
export class FittedNet extends ConvNormNet {
  /** @param prefix of the network's names among the values */
  constructor(
    graph: GraphBuilder,
    private readonly values: Readonly<Record<string, Value>>,
    private readonly prefix: string,
    private readonly settings: NetSettings = {},
  ) {
    super(graph);
  }

  parameter(name: string): Value {
    const value = this.values[this.prefix + name];
    assert(value, `the state lacks "${this.prefix}${name}"`);
    return value;
  }

  batchNorm(x: Value, name: string): Value {
    const { scale, bias, mean, variance } = this.#norm(name);
    return batchNormInference(x, { scale, bias, mean, variance }, this.settings.epsilon ?? 1e-5);
  }

  override convNorm(x: Value, convName: string, norm: string, options: ConvNormOptions): Value {
    const { options: geometry } = convGeometry(x, options);
    const { factor, shift } = this.foldedNorm(norm);
    const weight = mul(this.parameter(`${convName}.weight`), reshape(factor, [-1, 1, 1, 1]));
    return this.graph.scope(convName, () => conv(x, weight, shift, geometry));
  }

  foldedNorm(name: string): FoldedNorm {
    return folded(this.#norm(name), this.settings.epsilon ?? 1e-5);
  }

  #norm(name: string): NormValues {
    const part = (last: string) => this.parameter(`${name}.${last}`);
    return {
      scale: part('weight'),
      bias: part('bias'),
      mean: part('running_mean'),
      variance: part('running_var'),
    };
  }
}
