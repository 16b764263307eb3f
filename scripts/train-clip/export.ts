import { assert } from '../../src/base/errors';
import { halvesToFloats } from '../../src/base/float16';
import { floatTensor, floats, intTensor, sizeOf } from '../../src/base/tensor';
import type { TensorData } from '../../src/base/tensor';
import { shapesOf } from '../../src/engine/backbones';
import { GraphBuilder } from '../../src/graph/builder';
import type { NetVectors } from '../../src/methods/kit/trainer';
import type { NetLayouts } from '../../src/methods/kit/training-graph';
import { STEM_CHANNELS } from '../../src/nn/clip/config';
import type { ClipConfig } from '../../src/nn/clip/config';
import { readClip, recogniseClip } from '../../src/nn/clip/recognise';
import { TextTower } from '../../src/nn/clip/text';
import { FrozenWeights } from '../../src/nn/frozen-weights';
import { FrozenLayers } from '../../src/nn/layers';
import type { NetLayers } from '../../src/nn/layers';
import type { Feeds } from '../../src/runtime/program';
import type { Runtime } from '../../src/runtime/runtime';
import { bytesAsSource } from '../../src/weights/byte-source';
import { Safetensors, encodeSafetensors } from '../../src/weights/safetensors';
import { standardise } from './batches';
import { GROUPS } from './captions';
import type { Captions } from './captions';
import { fedLayers, vectorFeeds } from './encoder';
import { textCosines } from './judge';
import type { ChannelStatistics, StemRecord } from './stems';

/**
 * Tensors that take the stem as it is: what standardises its channels goes into the first convolution, and what that
 * shifts into the positions of the patches.
 */
export function foldStatistics(
  tensors: Readonly<Record<string, TensorData>>,
  { mean, deviation }: ChannelStatistics,
): Record<string, TensorData> {
  const [conv, positions] = [tensors['visual.conv1.weight'], tensors['visual.positional_embedding']];
  const [width, channels] = conv.shape;
  const weight = floats(conv).map((value, i) => value / deviation[i % channels]);
  const shift = Array.from({ length: width }, (_, row) =>
    mean.reduce((sum, own, c) => sum + own * weight[row * channels + c], 0),
  );
  // The class token, row 0, sees no stem.
  const placed = floats(positions).map((value, i) => (i < width ? value : value - shift[i % width]));
  return {
    ...tensors,
    'visual.conv1.weight': floatTensor(conv.shape, weight),
    'visual.positional_embedding': floatTensor(positions.shape, placed),
  };
}

/**
 * The encoder as a file: fp16 by open_clip's names, the tokens that its rows stand for, and a vector for each group of
 * captions.
 * @param tensors folded
 */
export const encoderFile = (
  tensors: Readonly<Record<string, TensorData>>,
  tokenIds: Int32Array,
  texts: TensorData,
): Uint8Array =>
  encodeSafetensors(
    { text_vectors: texts, token_ids: intTensor([tokenIds.length], tokenIds), ...tensors },
    {
      // What isn't a matrix is small, and an inverse keeps its digits.
      half: (name) => name !== 'text_vectors' && !name.startsWith('familiar.'),
      metadata: { classes: GROUPS.join(), arch: 'hybrid', layers: '4' },
    },
  );

/** Largest difference, relative to the largest value, that half precision may make. */
const TOLERANCE = 1e-2;

/** The weights that a file was made of. */
export interface Trained {
  readonly layouts: NetLayouts;
  readonly config: ClipConfig;
  readonly vectors: NetVectors;
  readonly statistics: ChannelStatistics;
}

/**
 * Reads an exported encoder as the app does, and compares what it makes of some stems, as they are, and of a caption
 * of each group with what the trained weights make of them.
 * @returns the largest difference, relative to the largest value
 * @throws internal when it is too large
 */
export async function requireSame(
  runtime: Runtime,
  file: Uint8Array,
  { layouts, config, vectors, statistics }: Trained,
  records: readonly StemRecord[],
  captions: Captions,
): Promise<number> {
  const safetensors = await Safetensors.open(bytesAsSource(file));
  const recognised = recogniseClip(shapesOf(safetensors));
  assert(recognised, 'the exported file is no CLIP');
  const weights = new FrozenWeights(await readClip(recognised, (name) => safetensors.read(name)));
  const texts = await safetensors.read('text_vectors');
  const grid = Math.sqrt(records[0].coverage.length);
  const shape = [records.length, STEM_CHANNELS, grid, grid];
  const feeds = captions.feeds(captions.groups.map(([first]) => first));
  const outputs = async (layersIn: (graph: GraphBuilder) => NetLayers, own: ClipConfig, fed: Feeds) => {
    const graph = new GraphBuilder();
    const layers = layersIn(graph);
    const seen = textCosines(layers, own, graph.input('stem', shape), graph.constant(texts));
    const tower = new TextTower(layers, own);
    const rows = tower.lookUp(graph.input('tokens', feeds.tokens.shape, 'int32'));
    graph.output('image', seen.image);
    graph.output('patches', seen.patches);
    graph.output('captions', tower.encode(rows, graph.input('ends', feeds.ends.shape, 'int32')));
    return (await (await runtime.compile(graph.build())).run({ ...feeds, ...fed })).values;
  };
  const raw = new Float32Array(sizeOf(shape));
  const standard = new Float32Array(raw.length);
  records.forEach(({ features }, i) => {
    raw.set(halvesToFloats(features), i * features.length);
    standardise(features, statistics, standard.subarray(i * features.length));
  });
  const read = await outputs(
    (graph) => new FrozenLayers(graph, weights, 0),
    { ...recognised.shape, activation: 'gelu' },
    { stem: floatTensor(shape, raw) },
  );
  const expected = await outputs((graph) => fedLayers(graph, layouts, config), config, {
    ...vectorFeeds(vectors),
    stem: floatTensor(shape, standard),
  });
  const errors = Object.entries(expected).map(([name, tensor]) =>
    relativeError(floats(read[name]), floats(tensor)),
  );
  const worst = Math.max(...errors);
  assert(worst <= TOLERANCE, `the exported encoder differs from the trained one by ${worst}`);
  return worst;
}

function relativeError(found: Float32Array, expected: Float32Array): number {
  const scale = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return expected.reduce((most, value, i) => Math.max(most, Math.abs(found[i] - value)), 0) / scale;
}
