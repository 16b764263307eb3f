import { join, resolve } from 'node:path';
import { expect, it } from 'vitest';
import { floatsToHalves, halvesToFloats } from '../../src/base/float16';
import { Rng } from '../../src/base/rng';
import { bytesOf, floatTensor, floats } from '../../src/base/tensor';
import type { TensorData } from '../../src/base/tensor';
import { GraphBuilder } from '../../src/graph/builder';
import { LEVEL_ROLES, expectedTensors, normaliseGrey } from '../../src/nn/backbones/backbone';
import { efficientNetLite0 } from '../../src/nn/backbones/efficientnet';
import { FrozenWeights } from '../../src/nn/frozen-weights';
import { FrozenLayers } from '../../src/nn/layers';
import { MODELS_DIR, describeWith, readTensors, relativeError } from '../support/golden';
import { openNodeRuntime } from '../support/node-runtime';

const SHIPPED = resolve(import.meta.dirname, '../../public/models/efficientnet-lite0.safetensors');
const ORIGINAL = join(MODELS_DIR, 'efficientnet-lite0.safetensors');
const SIDE = 96;

/** `blocks.0`, which no role names, the layers of the four levels, and the vector of an image. */
const LAYERS = ['blocks.0', ...LEVEL_ROLES.map((role) => efficientNetLite0.levels[role]), 'pooled'];

/** A wafer of sorts: lines, an edge and grain. */
function picture(): TensorData {
  const rng = new Rng(1, 'shipped weights');
  const values = Float32Array.from({ length: SIDE * SIDE }, (_, i) => {
    const [x, y] = [i % SIDE, Math.floor(i / SIDE)];
    return Math.min(Math.max((x % 12 < 5 ? 0.7 : 0.3) + (y > 60 ? 0.2 : 0) + 0.08 * rng.bell(), 0), 1);
  });
  return floatTensor([1, 1, SIDE, SIDE], values);
}

async function tapsOf(path: string): Promise<Readonly<Record<string, TensorData>>> {
  const weights = new FrozenWeights(new Map(Object.entries(await readTensors(path))));
  const graph = new GraphBuilder();
  const image = normaliseGrey(graph.input('grey', [1, 1, SIDE, SIDE]), efficientNetLite0.normalisation);
  const layers = new FrozenLayers(graph, weights, efficientNetLite0.batchNormEpsilon);
  const taps = efficientNetLite0.forward(layers, image, LAYERS);
  for (const [name, value] of Object.entries(taps)) graph.output(name, value);
  const program = await openNodeRuntime().compile(graph.build());
  return (await program.run({ grey: picture() })).values;
}

describeWith([ORIGINAL, SHIPPED], 'the shipped half-precision weights', () => {
  it('are the float32 weights, rounded to the nearest half', async () => {
    const [half, full] = [await readTensors(SHIPPED), await readTensors(ORIGINAL)];
    for (const [name, tensor] of Object.entries(half)) {
      expect(tensor.shape, name).toEqual(full[name].shape);
      const rounded = halvesToFloats(floatsToHalves(floats(full[name])));
      expect(Buffer.compare(bytesOf(tensor.data), bytesOf(rounded)), name).toBe(0);
    }
  });

  it('are all that the levels and the vector need', async () => {
    const needed = expectedTensors(efficientNetLite0, LAYERS);
    expect(Object.keys(await readTensors(SHIPPED)).sort()).toEqual([...needed.keys()].sort());
  });

  // Half a unit of eleven bits in every weight; measured are 2e-3 at the first block to 6e-3 at the last.
  it('give every tap of the float32 weights within 1 % of its largest value', async () => {
    const [half, full] = [await tapsOf(SHIPPED), await tapsOf(ORIGINAL)];
    for (const layer of LAYERS)
      expect(relativeError(floats(half[layer]), floats(full[layer])), layer).toBeLessThan(1e-2);
  });
});
