import { floatTensor } from '../../src/base/tensor';
import type { Shape, TensorData } from '../../src/base/tensor';
import type { GraphBuilder } from '../../src/graph/builder';
import type { NetVectors } from '../../src/methods/kit/trainer';
import type { NetLayouts } from '../../src/methods/kit/training-graph';
import type { ClipConfig } from '../../src/nn/clip/config';
import { filledWith, normal, uniformFanIn } from '../../src/nn/initialisers';
import type { Initialiser } from '../../src/nn/initialisers';
import type { NetLayers } from '../../src/nn/layers';
import { FlatNet } from '../../src/nn/net';
import type { Net } from '../../src/nn/net';
import type { Feeds } from '../../src/runtime/program';

/** Parameters of the encoder in two networks: weight decay is for matrices, not for norms, biases and the temperature. */
export const PARTS = ['matrices', 'vectors'] as const;
export type PartName = (typeof PARTS)[number];

const partOf = (shape: Shape): PartName => (shape.length > 1 ? 'matrices' : 'vectors');

/** The encoder's layers out of its two networks. */
export function encoderLayers(net: (part: PartName) => Net, config: ClipConfig): NetLayers {
  const matrices = net('matrices');
  return {
    graph: matrices.graph,
    parameter: (name, shape) => net(partOf(shape)).parameter(name, shape, startOf(name, config)),
    convNorm: (...all) => matrices.convNorm(...all),
  };
}

/** First values as open_clip draws them. */
function startOf(name: string, { vision, text }: ClipConfig): Initialiser {
  const { width, layers } = name.startsWith('visual.') ? vision : text;
  const base = width ** -0.5;
  switch (name) {
    case 'logit_scale':
      return filledWith(Math.log(1 / 0.07));
    case 'visual.conv1.weight':
      return uniformFanIn;
    case 'visual.positional_embedding':
    case 'token_embedding.weight':
      return normal(0.02);
    case 'positional_embedding':
      return normal(0.01);
    case 'visual.class_embedding':
    case 'visual.proj':
    case 'text_projection':
      return normal(base);
  }
  if (name.endsWith('in_proj_weight')) return normal(base);
  if (name.endsWith('c_fc.weight')) return normal((2 * width) ** -0.5);
  if (/(out_proj|c_proj)\.weight$/.test(name)) return normal(base * (2 * layers) ** -0.5);
  return filledWith(/ln_\w+\.weight$/.test(name) ? 1 : 0);
}

/** The encoder in a graph that is fed with its parameters, as `NetVectors` has them, through `vectorFeeds`. */
export function fedLayers(graph: GraphBuilder, layouts: NetLayouts, config: ClipConfig): NetLayers {
  const nets = Object.fromEntries(
    PARTS.map((part) => {
      const parameters = graph.input(part, [layouts[part].parameters.size]);
      return [part, new FlatNet(graph, layouts[part], { parameters, statistics: undefined }, {}, 'evaluate')];
    }),
  );
  return encoderLayers((part) => nets[part], config);
}

export const vectorFeeds = (vectors: NetVectors): Feeds =>
  Object.fromEntries(
    PARTS.map((part) => [part, floatTensor([vectors[part].parameters.length], vectors[part].parameters)]),
  );

/** Tensors by open_clip's names. */
export const namedTensors = (layouts: NetLayouts, vectors: NetVectors): Record<string, TensorData> =>
  Object.assign(
    {},
    ...PARTS.map((part) => layouts[part].parameters.tensors(vectors[part].parameters)),
  ) as Record<string, TensorData>;
