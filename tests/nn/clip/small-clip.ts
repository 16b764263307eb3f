/** A CLIP of a few thousand random parameters. */
import { Rng } from '../../../src/base/rng';
import type { TensorData } from '../../../src/base/tensor';
import type { GraphBuilder } from '../../../src/graph/builder';
import type { ClipConfig } from '../../../src/nn/clip/config';
import { clipTensors } from '../../../src/nn/clip/recognise';
import { FrozenWeights } from '../../../src/nn/frozen-weights';
import { FrozenLayers } from '../../../src/nn/layers';
import { float } from '../../graph/samples';

const TRUNK = { width: 16, layers: 4, heads: 2, mlp: 32 };

export const SMALL: ClipConfig = {
  embed: 8,
  input: 'pixels',
  imageSide: 16,
  patch: 4,
  vision: TRUNK,
  text: { ...TRUNK, layers: 2, context: 77, vocabulary: 10 },
  activation: 'gelu',
  stages: [1, 2, 3, 4],
};

export function randomLayers(graph: GraphBuilder, config: ClipConfig): FrozenLayers {
  const tensors = new Map<string, TensorData>(
    [...clipTensors(config)].map(([name, shape]) => [name, float(new Rng(1, name), shape, -0.5, 1)]),
  );
  return new FrozenLayers(graph, new FrozenWeights(tensors), 0);
}
