import { describe, expect, it } from 'vitest';
import { Rng } from '../../src/base/rng';
import { floatTensor, floats, sizeOf } from '../../src/base/tensor';
import { GraphBuilder } from '../../src/graph/builder';
import { expectedTensors, tapShapes } from '../../src/nn/backbones/backbone';
import type { Backbone } from '../../src/nn/backbones/backbone';
import {
  EFFICIENTNETS,
  SYMMETRIC_EFFICIENTNETS,
  efficientNetLite0,
} from '../../src/nn/backbones/efficientnet';
import { FrozenWeights } from '../../src/nn/frozen-weights';
import { FrozenLayers } from '../../src/nn/layers';
import { float } from '../graph/samples';
import { relativeError } from '../support/golden';
import { openNodeRuntime } from '../support/node-runtime';
import { startWeights } from '../support/start-weights';

const BOTH_FORMS = [EFFICIENTNETS, SYMMETRIC_EFFICIENTNETS];

describe.each([0, 1, 2, 3, 4])('B%i', (size) => {
  // As published with the weights: torchvision and timm count the same.
  const parameters = [5_288_548, 7_794_184, 9_109_994, 12_233_232, 19_341_616][size];
  const levels = [
    [24, 40, 112, 320, 1280],
    [24, 40, 112, 320, 1280],
    [24, 48, 120, 352, 1408],
    [32, 48, 136, 384, 1536],
    [32, 56, 160, 448, 1792],
  ][size];

  it('has the published number of parameters', () => {
    for (const nets of BOTH_FORMS) {
      const counted = [...expectedTensors(nets[size], ['logits'])].filter(
        ([key]) => !key.includes('running_'),
      );
      expect(counted.reduce((sum, [, shape]) => sum + sizeOf(shape), 0)).toBe(parameters);
    }
  });

  it('gives maps of reductions 4, 8, 16, 32, and a vector', () => {
    for (const nets of BOTH_FORMS)
      expect(tapShapes(nets[size], 64, ['level1', 'level2', 'level3', 'level4', 'pooled'])).toEqual({
        level1: [levels[0], 16, 16],
        level2: [levels[1], 8, 8],
        level3: [levels[2], 4, 4],
        level4: [levels[3], 2, 2],
        pooled: [levels[4]],
      });
  });
});

it('sides are multiples of 32, the usual one next to what each was trained at', () => {
  expect(EFFICIENTNETS.map(({ sides }) => sides.usual)).toEqual([224, 256, 256, 288, 384]);
});

it('only Lite0 is normalised as TFLite does', () => {
  expect(efficientNetLite0.normalisation.mean).toEqual([0.498, 0.498, 0.498]);
  for (const nets of BOTH_FORMS)
    for (const { normalisation, linearTaps } of nets)
      expect([normalisation.mean, linearTaps]).toEqual([[0.485, 0.456, 0.406], true]);
});

describe('squeeze-excitation', () => {
  const [backbone] = EFFICIENTNETS;
  const tensors = startWeights(expectedTensors(backbone, ['blocks.0']));
  const image = float(new Rng(1, 'image'), [1, 3, 64, 64]);

  async function run(net: Backbone, changed: Readonly<Record<string, number>>): Promise<Float32Array> {
    const own = new Map(tensors);
    for (const [name, value] of Object.entries(changed)) {
      const { shape } = tensors.get(name)!;
      own.set(name, floatTensor(shape, new Float32Array(sizeOf(shape)).fill(value)));
    }
    const graph = new GraphBuilder();
    const layers = new FrozenLayers(graph, new FrozenWeights(own), net.batchNormEpsilon);
    graph.output('y', net.forward(layers, graph.input('x', image.shape), ['blocks.0'])['blocks.0']);
    const program = await openNodeRuntime().compile(graph.build());
    return floats((await program.run({ x: image })).values.y).slice();
  }

  const gate = 'blocks.0.0.se.conv_expand';

  it('that gives every channel one weight scales what the block projects', async () => {
    // The block has no shortcut, and starts with norms that shift nothing.
    const open = await run(backbone, { [`${gate}.weight`]: 0, [`${gate}.bias`]: 20 });
    const half = await run(backbone, { [`${gate}.weight`]: 0, [`${gate}.bias`]: 0 });
    const quarter = await run(backbone, { [`${gate}.weight`]: 0, [`${gate}.bias`]: -Math.log(3) });
    const times = (factor: number) => Array.from(open, (value) => factor * value);
    expect(Math.max(...open.map(Math.abs))).toBeGreaterThan(0);
    expect(relativeError(half, times(0.5))).toBeLessThan(1e-5);
    expect(relativeError(quarter, times(0.25))).toBeLessThan(1e-5);
  });

  it('looks at the image: its weights move the result', async () => {
    const still = await run(backbone, { [`${gate}.weight`]: 0 });
    expect(relativeError(await run(backbone, {}), still)).toBeGreaterThan(1e-3);
  });
});
