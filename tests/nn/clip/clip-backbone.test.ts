import { expect, it } from 'vitest';
import { Rng } from '../../../src/base/rng';
import { floatTensor, floats } from '../../../src/base/tensor';
import { loadBackbone } from '../../../src/engine/backbones';
import { GraphBuilder } from '../../../src/graph/builder';
import { add, reshape, slice, sub } from '../../../src/graph/ops/index';
import { layerOf } from '../../../src/nn/backbones/backbone';
import { efficientNetLite0 } from '../../../src/nn/backbones/efficientnet';
import { FAMILIAR, clipBackbone } from '../../../src/nn/clip/clip-backbone';
import { stagesOf } from '../../../src/nn/clip/config';
import { VisionTower } from '../../../src/nn/clip/vision';
import { FrozenLayers } from '../../../src/nn/layers';
import { bytesAsSource } from '../../../src/weights/byte-source';
import { float } from '../../graph/samples';
import { relativeError } from '../../support/golden';
import { openNodeRuntime } from '../../support/node-runtime';
import { TINY_CLIP, tinyClipFile, tinyClipTensors } from '../../support/tiny-clip';
import { SMALL, randomLayers } from './small-clip';

const open = (file: Uint8Array) =>
  loadBackbone(bytesAsSource(file), { activation: 'gelu', stem: () => Promise.reject(new Error('no stem')) });

it('an image is as strange as the mean of its first patches is far from what the file knows', async () => {
  const { width } = TINY_CLIP.vision;
  const mean = Float32Array.from({ length: width }, (_, i) => 0.01 * i);
  // Twice each difference but the last, which is left out.
  const whitening = Float32Array.from({ length: width * width }, (_, at) =>
    at % (width + 1) === 0 && at < width * width - 1 ? 2 : 0,
  );
  const { backbone, weights } = await open(
    tinyClipFile({
      ...tinyClipTensors(),
      [FAMILIAR.mean]: floatTensor([width], mean),
      [FAMILIAR.whitening]: floatTensor([width, width], whitening),
    }),
  );
  const graph = new GraphBuilder();
  const x = graph.input('x', [2, 3, 32, 32]);
  const taps = backbone.forward(new FrozenLayers(graph, weights, 0), x, ['tokens1', 'strangeness']);
  graph.output('tokens', taps.tokens1);
  graph.output('strangeness', taps.strangeness);
  const data = Float32Array.from({ length: 2 * 3 * 32 * 32 }, (_, i) => Math.sin(i * i));
  const program = await openNodeRuntime().compile(graph.build());
  const { values } = await program.run({ x: floatTensor([2, 3, 32, 32], data) });
  const tokens = floats(values.tokens);
  const [, count] = values.tokens.shape;
  const expected = [0, 1].map((image) => {
    let squares = 0;
    for (let c = 0; c < width - 1; c++) {
      let sum = 0;
      for (let t = 1; t < count; t++) sum += tokens[(image * count + t) * width + c] / (count - 1);
      squares += (2 * (sum - Math.fround(mean[c]))) ** 2;
    }
    return Math.sqrt(squares);
  });
  floats(values.strangeness).forEach((value, image) => expect(value / expected[image] - 1).toBeCloseTo(0, 2));
});

it.each([
  [4, 1, 3],
  [10, 3, 7],
  [12, 3, 8],
  [24, 6, 16],
])('of %i blocks, galleries are the patches behind blocks %i and %i', async (layers, first, second) => {
  const config = { ...SMALL, vision: { ...SMALL.vision, layers }, stages: stagesOf(layers) };
  const graph = new GraphBuilder();
  const x = graph.input('x', [1, 3, 16, 16]);
  const weights = randomLayers(graph, config);
  const taps = clipBackbone(config).forward(weights, x, ['gallery1', 'gallery2']);
  const tower = new VisionTower(weights, config);
  const blocks = tower.run(tower.place(x));
  graph.output('difference1', sub(taps.gallery1, slice(blocks[first], 1, 1)));
  graph.output('difference2', sub(taps.gallery2, slice(blocks[second], 1, 1)));
  const program = await openNodeRuntime().compile(graph.build());
  const { values } = await program.run({ x: float(new Rng(1, 'gallery'), [1, 3, 16, 16]) });
  for (const value of Object.values(values)) {
    expect(value.shape).toEqual([1, 16, SMALL.vision.width]);
    expect([...new Set(floats(value))]).toEqual([0]);
  }
});

it('accumulated values start with what goes into the first block, and every block adds to them', async () => {
  const config = { ...SMALL, vision: { ...SMALL.vision, layers: 2 } };
  const graph = new GraphBuilder();
  const x = graph.input('x', [2, 3, 16, 16]);
  const layers = randomLayers(graph, config);
  const tower = new VisionTower(layers, config);
  const [first, second] = tower.run(tower.place(x));
  const { trunk } = tower;
  // In another order: an equal sum would be the same node.
  const sum = add(add(trunk.valueAttention(first, 1), trunk.valueAttention(second, 2)), first);
  graph.output('expected', tower.projectPatches(sum));
  graph.output('accumulated', clipBackbone(config).forward(layers, x, ['accumulated']).accumulated);
  const program = await openNodeRuntime().compile(graph.build());
  const { values } = await program.run({ x: float(new Rng(2, 'accumulated'), [2, 3, 16, 16]) });
  expect(values.accumulated.shape).toEqual([2, 16, SMALL.embed]);
  expect(relativeError(floats(values.accumulated), floats(values.expected))).toBeLessThan(1e-5);
});

it('the vector of an image is its class token in the space of texts, the last of the four levels', async () => {
  const graph = new GraphBuilder();
  const x = graph.input('x', [2, 3, 16, 16]);
  const taps = clipBackbone(SMALL).forward(randomLayers(graph, SMALL), x, ['classes', 'pooled']);
  graph.output('last', reshape(slice(taps.classes, 1, 3), [2, SMALL.embed]));
  graph.output('pooled', taps.pooled);
  const program = await openNodeRuntime().compile(graph.build());
  const { values } = await program.run({ x: float(new Rng(3, 'pooled'), [2, 3, 16, 16]) });
  expect([...floats(values.pooled)]).toEqual([...floats(values.last)]);
});

it('a file without that knowledge tells nothing, and other backbones have no tokens', async () => {
  const { backbone } = await open(tinyClipFile());
  expect(backbone.levels.strangeness).toBeUndefined();
  expect(layerOf(backbone, 'tokens2')).toBe('tokens2');
  expect(() => layerOf(efficientNetLite0, 'tokens2')).toThrow(
    'EfficientNet-Lite0 gives no tokens beside texts',
  );
});
