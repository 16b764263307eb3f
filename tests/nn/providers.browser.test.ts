/** Squeeze-excitation, standardised kernels and group norms on WebGPU: held to WebAssembly. */
import { expect, it } from 'vitest';
import { Rng } from '../../src/base/rng';
import { floats } from '../../src/base/tensor';
import { GraphBuilder } from '../../src/graph/builder';
import { emitTaps, expectedTensors } from '../../src/nn/backbones/backbone';
import type { Backbone } from '../../src/nn/backbones/backbone';
import { EFFICIENTNETS } from '../../src/nn/backbones/efficientnet';
import { visionTransformer } from '../../src/nn/backbones/vit';
import { FrozenWeights } from '../../src/nn/frozen-weights';
import { FrozenLayers } from '../../src/nn/layers';
import { Runtime } from '../../src/runtime/runtime';
import { openWebBackend } from '../../src/runtime/web';
import { float } from '../graph/samples';
import { startWeights } from '../support/start-weights';

const SIDE = 64;
const ROLES = ['level1', 'level4', 'pooled'] as const;

/** One block behind the whole stem. */
const HYBRID = visionTransformer({
  width: 64,
  depth: 1,
  patch: 16,
  hybrid: true,
  grid: 4,
  mlp: 64,
  layerScale: false,
  registers: 0,
  positionsForPrefix: true,
  classes: 0,
});

async function run(kind: 'wasm' | 'webgpu', backbone: Backbone) {
  const names = ROLES.map((role) => backbone.levels[role]);
  const weights = new FrozenWeights(startWeights(expectedTensors(backbone, names)));
  const graph = new GraphBuilder();
  const layers = new FrozenLayers(graph, weights, backbone.batchNormEpsilon);
  const taps = emitTaps(backbone, layers, graph.input('grey', [2, 1, SIDE, SIDE]), ROLES);
  for (const role of ROLES) graph.output(role, taps[role]!);
  const runtime = new Runtime(await openWebBackend(kind));
  const program = await runtime.compile(graph.build());
  const { values } = await program.run({ grey: float(new Rng(2, 'grey'), [2, 1, SIDE, SIDE], 0, 1) });
  await runtime.close();
  return values;
}

it.each([EFFICIENTNETS[0], HYBRID])('$title: WebGPU gives what WebAssembly gives', async (backbone) => {
  const [found, expected] = [await run('webgpu', backbone), await run('wasm', backbone)];
  for (const role of ROLES) {
    const [actual, wanted] = [floats(found[role]), floats(expected[role])];
    const error = Math.max(...actual.map((value, i) => Math.abs(value - wanted[i])));
    expect(error / Math.max(...wanted.map(Math.abs)), role).toBeLessThan(1e-3);
  }
});
