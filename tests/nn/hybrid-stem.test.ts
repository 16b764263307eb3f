import { describe, expect, it } from 'vitest';
import { Rng } from '../../src/base/rng';
import { floatTensor, floats } from '../../src/base/tensor';
import type { Shape, TensorData } from '../../src/base/tensor';
import { GraphBuilder } from '../../src/graph/builder';
import { expectedTensors, tapShapes } from '../../src/nn/backbones/backbone';
import { hybridStem } from '../../src/nn/backbones/hybrid-stem';
import { visionTransformer, vitPlan } from '../../src/nn/backbones/vit';
import { FrozenWeights } from '../../src/nn/frozen-weights';
import { FrozenLayers } from '../../src/nn/layers';
import { float } from '../graph/samples';
import { relativeError } from '../support/golden';
import { openNodeRuntime } from '../support/node-runtime';
import { startWeights } from '../support/start-weights';

/** A small transformer on the stem, as its file's shapes describe it. */
const plan = vitPlan(
  new Map<string, Shape>([
    ['patch_embed.backbone.stem.conv.weight', [64, 3, 7, 7]],
    ['patch_embed.proj.weight', [64, 1024, 1, 1]],
    ['pos_embed', [1, 17, 64]],
    ['cls_token', [1, 1, 64]],
    ['blocks.0.mlp.fc1.weight', [96, 64]],
    ['blocks.1.mlp.fc1.weight', [96, 64]],
  ]),
)!;
const hybrid = visionTransformer(plan);

it('a plan is told by shapes: a token for each 16 × 16 pixels, normalised as plain ones are', () => {
  expect([plan.hybrid, plan.patch, plan.grid, plan.depth]).toEqual([true, 16, 4, 2]);
  expect([hybrid.title, hybrid.architecture]).toEqual(['ResNet-50 + ViT 64', 'vit-64-r50-s16']);
  expect(hybrid.normalisation.mean).toEqual([0.5, 0.5, 0.5]);
  expect(hybrid.sides).toEqual({ multipleOf: 16, least: 64, usual: 224 });
});

it.each([64, 96])('gives maps and a vector at side %i', (side) => {
  const map = [64, side / 16, side / 16];
  expect(tapShapes(hybrid, side, ['level1', 'level4', 'pooled'])).toEqual({
    level1: map,
    level4: map,
    pooled: [64],
  });
});

describe('the stem', () => {
  const tensors = startWeights(expectedTensors(hybrid, ['stem']));
  const image = float(new Rng(1, 'image'), [1, 3, 64, 64]);

  async function run(changed: ReadonlyMap<string, TensorData> = new Map()): Promise<TensorData> {
    const weights = new FrozenWeights(new Map([...tensors, ...changed]));
    const graph = new GraphBuilder();
    graph.output('y', hybridStem(new FrozenLayers(graph, weights, 0), graph.input('x', image.shape)));
    const program = await openNodeRuntime().compile(graph.build());
    return (await program.run({ x: image })).values.y;
  }

  it('standardises kernels: their scale and mean tell nothing', async () => {
    const kernels = [...tensors].filter(([, { shape }]) => shape.length === 4);
    const changed = kernels.map(([name, { shape, data }]): [string, TensorData] => [
      name,
      floatTensor(
        shape,
        Float32Array.from(data as Float32Array, (value) => 3 * value + 0.2),
      ),
    ]);
    const plain = await run();
    expect(plain.shape).toEqual([1, 1024, 4, 4]);
    expect(relativeError(floats(await run(new Map(changed))), floats(plain))).toBeLessThan(1e-3);
  });

  it('ends rectified, each block adding to the one before', async () => {
    const last = 'patch_embed.backbone.stages.2.blocks.8.norm3';
    const zero = (part: string): [string, TensorData] => [
      `${last}.${part}`,
      floatTensor([1024], new Float32Array(1024)),
    ];
    const without = floats(await run(new Map([zero('weight'), zero('bias')])));
    const shifted: [string, TensorData] = [
      `${last}.bias`,
      floatTensor([1024], new Float32Array(1024).fill(-1)),
    ];
    const lowered = floats(await run(new Map([zero('weight'), shifted])));
    expect(Math.min(...without)).toBe(0);
    const expected = without.map((value) => Math.max(value - 1, 0));
    expect(relativeError(lowered, expected)).toBeLessThan(1e-5);
  });
});
