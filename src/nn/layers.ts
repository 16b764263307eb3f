import type { Shape } from '../base/tensor';
import type { GraphBuilder } from '../graph/builder';
import { conv } from '../graph/ops/index';
import type { Value } from '../graph/value';
import type { FrozenWeights } from './frozen-weights';

/** A convolution without bias followed by a batch norm, as convolutional networks are made of. */
export interface ConvNormOptions {
  readonly channels: number;
  readonly kernel: number;
  readonly stride?: 1 | 2;
  readonly group?: number;
  /** TensorFlow's "SAME" padding; symmetric (kernel−1)/2 otherwise. */
  readonly same?: boolean;
  /** With stride 2, odd sides without padding: no window reaches over the border. */
  readonly inside?: boolean;
}

/**
 * Where a network's description gets its parameters from. The same description is declared (for its tensor names),
 * run frozen, or trained, by the implementation handed in.
 */
export interface NetLayers {
  readonly graph: GraphBuilder;
  /** One parameter tensor by its published name. */
  parameter(name: string, shape: Shape): Value;
  /** Convolution `${conv}.weight` and batch norm `${norm}.*`; the activation is the caller's. */
  convNorm(x: Value, conv: string, norm: string, options: ConvNormOptions): Value;
}

/** Whether windows of stride 2 that lie inside see all of a side. */
export const hasInside = (side: number, kernel: number): boolean => side % 2 === 1 && side >= kernel;

/** Rows and columns a convolution pads: [top, left, bottom, right]. @source methods.md 23.2 for "SAME" */
export function convPads(
  [height, width]: readonly number[],
  { kernel, stride = 1, same = false, inside = false }: ConvNormOptions,
): [number, number, number, number] {
  if (!same) {
    const border = (side: number) =>
      inside && stride === 2 && hasInside(side, kernel) ? 0 : (kernel - 1) / 2;
    const [rows, columns] = [border(height), border(width)];
    return [rows, columns, rows, columns];
  }
  const total = (side: number) => Math.max((Math.ceil(side / stride) - 1) * stride + kernel - side, 0);
  const [rows, columns] = [total(height), total(width)];
  const [top, left] = [Math.floor(rows / 2), Math.floor(columns / 2)];
  return [top, left, rows - top, columns - left];
}

/** Shape of a convolution's weight, and its geometry, for an input. */
export function convGeometry(x: Value, options: ConvNormOptions) {
  const { channels, kernel, stride = 1, group = 1 } = options;
  return {
    shape: [channels, x.shape[1] / group, kernel, kernel],
    options: {
      strides: [stride, stride] as const,
      pads: convPads(x.shape.slice(2), options),
      group,
    },
  };
}

/** Frozen: parameters are weights of the graph, batch norms are folded into their convolutions. */
export class FrozenLayers implements NetLayers {
  constructor(
    readonly graph: GraphBuilder,
    private readonly weights: FrozenWeights,
    private readonly epsilon: number,
    /** Keeps the names of two networks in one graph apart. */
    private readonly prefix = '',
  ) {}

  parameter(name: string, shape: Shape): Value {
    return this.graph.weight(this.prefix + name, this.weights.get(name, shape));
  }

  convNorm(x: Value, convName: string, norm: string, options: ConvNormOptions): Value {
    const { shape, options: geometry } = convGeometry(x, options);
    const { weight, bias } = this.weights.folded(convName, norm, shape, this.epsilon);
    return this.graph.scope(convName, () =>
      conv(
        x,
        this.graph.weight(`${this.prefix}${convName}.weight`, weight),
        this.graph.weight(`${this.prefix}${convName}.bias`, bias),
        geometry,
      ),
    );
  }
}

/** Runs a description for the names and shapes of its tensors alone. */
export class DeclaringLayers implements NetLayers {
  readonly shapes = new Map<string, Shape>();

  constructor(readonly graph: GraphBuilder) {}

  parameter(name: string, shape: Shape): Value {
    this.shapes.set(name, shape);
    return this.graph.placeholder('float32', shape);
  }

  convNorm(x: Value, convName: string, norm: string, options: ConvNormOptions): Value {
    const { shape, options: geometry } = convGeometry(x, options);
    const weight = this.parameter(`${convName}.weight`, shape);
    for (const part of ['weight', 'bias', 'running_mean', 'running_var'])
      this.shapes.set(`${norm}.${part}`, [shape[0]]);
    return conv(x, weight, undefined, geometry);
  }
}
