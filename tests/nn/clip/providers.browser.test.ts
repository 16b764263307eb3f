/** The SEM encoder's parts, and a gradient through the text tower, on WebGPU: held to WebAssembly. */
import { expect, it } from 'vitest';
import { Rng } from '../../../src/base/rng';
import { floats, intTensor } from '../../../src/base/tensor';
import type { TensorData } from '../../../src/base/tensor';
import { gradients } from '../../../src/graph/autodiff';
import { GraphBuilder } from '../../../src/graph/builder';
import { reduceSum } from '../../../src/graph/ops/index';
import { expectedTensors, normaliseGrey } from '../../../src/nn/backbones/backbone';
import { efficientNetLite0 } from '../../../src/nn/backbones/efficientnet';
import type { ClipConfig } from '../../../src/nn/clip/config';
import { dualLevels } from '../../../src/nn/clip/dual-path';
import { semStem } from '../../../src/nn/clip/sem-encoder';
import { TextTower, clipLogits } from '../../../src/nn/clip/text';
import { VisionTower } from '../../../src/nn/clip/vision';
import { WINDOW_SIDES, windowEmbeddings } from '../../../src/nn/clip/windows';
import { FrozenWeights } from '../../../src/nn/frozen-weights';
import { FrozenLayers } from '../../../src/nn/layers';
import { Runtime } from '../../../src/runtime/runtime';
import { openWebBackend } from '../../../src/runtime/web';
import { float } from '../../graph/samples';
import { SMALL, randomLayers } from './small-clip';

const CONFIG: ClipConfig = { ...SMALL, input: 'stem', imageSide: 32, patch: 16, activation: 'quickGelu' };
const SIDE = 64;

/** Random numbers; variances are positive. */
function randomLite0(): FrozenWeights {
  const shapes = expectedTensors(efficientNetLite0, ['blocks.4']);
  const low = (name: string) => (name.endsWith('running_var') ? 0.5 : -0.5);
  return new FrozenWeights(
    new Map([...shapes].map(([name, shape]) => [name, float(new Rng(1, name), shape, low(name), 1)])),
  );
}

async function run(kind: 'wasm' | 'webgpu'): Promise<Readonly<Record<string, TensorData>>> {
  const graph = new GraphBuilder();
  const layers = randomLayers(graph, CONFIG);
  const lite0 = new FrozenLayers(graph, randomLite0(), efficientNetLite0.batchNormEpsilon, 'lite0.');
  const stem = semStem(
    lite0,
    normaliseGrey(graph.input('grey', [1, 1, SIDE, SIDE]), efficientNetLite0.normalisation),
  );
  const vision = new VisionTower(layers, CONFIG);
  const placed = vision.place(stem);
  const tokens = vision.run(placed);
  dualLevels(vision, tokens, { aliased: true }).forEach((level, j) => {
    graph.output(`Z${j + 1}`, level.tokens);
    graph.output(`V${j + 1}`, level.projectedValues);
  });
  for (const side of WINDOW_SIDES)
    graph.output(`windows${side}`, windowEmbeddings(vision, placed, [4, 4], side));
  const text = new TextTower(layers, CONFIG);
  const words = text.lookUp(graph.input('rows', [2, 5], 'int32'));
  const embeddings = text.encode(words, graph.input('end', [2], 'int32'));
  const logits = clipLogits(layers, vision.projectClass(tokens[4]), embeddings);
  graph.output('logits', logits);
  graph.output('gradient', gradients(reduceSum(logits), [words])[0]);
  const runtime = new Runtime(await openWebBackend(kind));
  const program = await runtime.compile(graph.build());
  const { values } = await program.run({
    grey: float(new Rng(2, 'grey'), [1, 1, SIDE, SIDE], 0, 1),
    rows: intTensor([2, 5], [0, 3, 9, 7, 7, 0, 5, 2, 4, 9]),
    end: intTensor([2], [2, 4]),
  });
  await runtime.close();
  return values;
}

it('WebGPU gives what WebAssembly gives', async () => {
  const [found, expected] = [await run('webgpu'), await run('wasm')];
  for (const [name, tensor] of Object.entries(expected)) {
    const [actual, wanted] = [floats(found[name]), floats(tensor)];
    const error = Math.max(...actual.map((value, i) => Math.abs(value - wanted[i])));
    expect(error / Math.max(...wanted.map(Math.abs)), name).toBeLessThan(1e-3);
  }
});
