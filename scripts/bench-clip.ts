/**
 * What SEM-CLIP's tokens cost beside a plain pass of the same tower: `npm run bench:clip`. A CLIP of ViT-B/16-plus-240's
 * size with random weights, one image at a time on the cpu provider, both graphs by turns.
 */
import * as ort from 'onnxruntime-node';
import { Rng } from '../src/base/rng';
import { floatTensor, sizeOf } from '../src/base/tensor';
import { GraphBuilder } from '../src/graph/builder';
import { semclip } from '../src/methods/registry';
import { quantile } from '../src/metrics/statistics';
import { expectedTensors, layerOf } from '../src/nn/backbones/backbone';
import type { TapRole } from '../src/nn/backbones/backbone';
import { clipBackbone } from '../src/nn/clip/clip-backbone';
import { stagesOf } from '../src/nn/clip/config';
import { FrozenWeights } from '../src/nn/frozen-weights';
import { FrozenLayers } from '../src/nn/layers';
import { nodeBackend } from '../src/runtime/node';
import { Runtime } from '../src/runtime/runtime';

const SIDE = 240;
const RUNS = 9;

const backbone = clipBackbone({
  embed: 640,
  input: 'pixels',
  imageSide: SIDE,
  patch: 16,
  vision: { width: 896, layers: 12, heads: 14, mlp: 3584 },
  text: { width: 640, layers: 12, heads: 10, mlp: 2560, context: 77, vocabulary: 49_408 },
  stages: stagesOf(12),
  activation: 'gelu',
});
const rng = new Rng(0, 'bench');
const values = Float32Array.from({ length: 1 << 16 }, () => 0.02 * rng.normal());
const weights = new FrozenWeights(
  new Map(
    [...expectedTensors(backbone, Object.values(backbone.levels))].map(([name, shape]) => [
      name,
      floatTensor(
        shape,
        Float32Array.from({ length: sizeOf(shape) }, (_, i) => values[i % values.length]),
      ),
    ]),
  ),
);
const runtime = new Runtime(nodeBackend(ort));
const image = floatTensor(
  [1, 3, SIDE, SIDE],
  Float32Array.from({ length: 3 * SIDE * SIDE }, () => rng.normal()),
);

async function open(roles: readonly TapRole[]): Promise<() => Promise<number>> {
  const graph = new GraphBuilder();
  const layers = new FrozenLayers(graph, weights, 0);
  const taps = backbone.forward(
    layers,
    graph.input('x', image.shape),
    roles.map((role) => layerOf(backbone, role)),
  );
  for (const role of roles) graph.output(role, taps[role]);
  const program = await runtime.compile(graph.build());
  return async () => {
    const start = performance.now();
    await program.run({ x: image });
    return performance.now() - start;
  };
}

// The last block's tokens are all that a plain pass is for.
const passes = { plain: await open(['tokens4']), dual: await open(semclip.needs.taps) };
const times: Record<keyof typeof passes, number[]> = { plain: [], dual: [] };
for (let run = 0; run <= RUNS; run++)
  for (const name of ['plain', 'dual'] as const) {
    const ms = await passes[name]();
    // The first run of each makes its buffers.
    if (run) times[name].push(ms);
  }
const [plain, dual] = [times.plain, times.dual].map((own) => quantile(own, 0.5)!);
console.log(
  `plain ${plain.toFixed(0)} ms, with both paths of four levels ${dual.toFixed(0)} ms: ${(dual / plain).toFixed(3)} times`,
);
await runtime.close();
