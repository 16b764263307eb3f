import type { GraphBuilder } from '../../graph/builder';
import type { Value } from '../../graph/value';
import { DeclaringLayers } from '../layers';
import type { ConvNormOptions, NetLayers } from '../layers';
import type { Shape } from '../../base/tensor';
import { emitTaps, expectedTensors, layerOf } from './backbone';
import type { Backbone, LevelRole } from './backbone';

/** Layers above a level from one source; those below stand for nothing, they only give the level its shape. */
class UpperLayers implements NetLayers {
  readonly graph: GraphBuilder;
  readonly #below: DeclaringLayers;

  constructor(
    private readonly upper: NetLayers,
    private readonly own: ReadonlySet<string>,
  ) {
    this.graph = upper.graph;
    this.#below = new DeclaringLayers(upper.graph);
  }

  parameter(name: string, shape: Shape): Value {
    return (this.own.has(name) ? this.upper : this.#below).parameter(name, shape);
  }

  convNorm(x: Value, conv: string, norm: string, options: ConvNormOptions): Value {
    const layers = this.own.has(`${conv}.weight`) ? this.upper : this.#below;
    return layers.convNorm(x, conv, norm, options);
  }
}

/**
 * A backbone's layers between two levels alone, on features of the lower one.
 * @param x features of level `from`, [B,C,h,w]
 * @param side of the images that they are of
 * @returns features of level `to`; undefined where those are not made of the lower level's: a transformer's are made of
 * tokens
 */
export function upperPart(
  backbone: Backbone,
  layers: NetLayers,
  x: Value,
  side: number,
  from: LevelRole,
  to: LevelRole,
): Value | undefined {
  const { graph } = layers;
  const below = expectedTensors(backbone, [layerOf(backbone, from)]);
  const all = expectedTensors(backbone, [layerOf(backbone, to)]);
  const own = new Set([...all.keys()].filter((name) => !below.has(name)));
  const image = graph.placeholder('float32', [x.shape[0], 1, side, side]);
  const start = graph.nodes.length;
  const taps = emitTaps(backbone, new UpperLayers(layers, own), image, [from, to]);
  const written = graph.nodes.slice(start);
  const known = new Map<Value, Value>([[taps[from]!, x]]);
  for (const { op, inputs, outputs, attributes, scope } of written) {
    if (!inputs.some((input) => known.has(input))) continue;
    const again = graph.scope(scope, () =>
      graph.emit(
        op,
        inputs.map((input) => known.get(input) ?? input),
        attributes,
      ),
    );
    outputs.forEach((output, i) => known.set(output, again[i]));
  }
  return known.get(taps[to]!);
}
