import { describe, expect, it } from 'vitest';
import { Rng } from '../../src/base/rng';
import { floats, sizeOf } from '../../src/base/tensor';
import type { Shape, TensorData } from '../../src/base/tensor';
import { GraphBuilder } from '../../src/graph/builder';
import { expectedTensors, tapShapes } from '../../src/nn/backbones/backbone';
import type { Backbone } from '../../src/nn/backbones/backbone';
import { visionTransformer, vitPlan } from '../../src/nn/backbones/vit';
import { FrozenWeights } from '../../src/nn/frozen-weights';
import { DeclaringLayers, FrozenLayers } from '../../src/nn/layers';
import { float } from '../graph/samples';
import { relativeError } from '../support/golden';
import { openNodeRuntime } from '../support/node-runtime';

const runtime = openNodeRuntime();

/** Shapes by which a plan is told. */
function shapesOf(options: {
  width?: number;
  depth?: number;
  patch?: number;
  positions: number;
  registers?: number;
  layerScale?: boolean;
  mlp?: number;
}): Map<string, Shape> {
  const {
    width = 64,
    depth = 4,
    patch = 4,
    positions,
    registers = 0,
    layerScale = false,
    mlp = 96,
  } = options;
  const shapes = new Map<string, Shape>([
    ['patch_embed.proj.weight', [width, 3, patch, patch]],
    ['pos_embed', [1, positions, width]],
    ['cls_token', [1, 1, width]],
    ['blocks.0.mlp.fc1.weight', [mlp, width]],
  ]);
  if (registers) shapes.set('reg_token', [1, registers, width]);
  if (layerScale) shapes.set('blocks.0.ls1.gamma', [width]);
  for (let i = 0; i < depth; i++) shapes.set(`blocks.${i}.norm1.weight`, [width]);
  return shapes;
}

const vitOf = (options: Parameters<typeof shapesOf>[0]): Backbone =>
  visionTransformer(vitPlan(shapesOf(options))!);

/** Random tensors of all that some layers need; each by its name, whatever else is asked for. */
const tensorsOf = (backbone: Backbone, layers: readonly string[]): Map<string, TensorData> =>
  new Map(
    [...expectedTensors(backbone, layers)].map(([name, shape]) => [
      name,
      float(new Rng(1, `vit.${name}`), shape, -0.4, 0.4),
    ]),
  );

async function run(
  backbone: Backbone,
  tensors: ReadonlyMap<string, TensorData>,
  image: TensorData,
  layers: readonly string[],
): Promise<Readonly<Record<string, TensorData>>> {
  const graph = new GraphBuilder();
  const frozen = new FrozenLayers(graph, new FrozenWeights(tensors), backbone.batchNormEpsilon);
  const taps = backbone.forward(frozen, graph.input('image', image.shape), layers);
  for (const [name, value] of Object.entries(taps)) graph.output(name, value);
  return (await (await runtime.compile(graph.build())).run({ image })).values;
}

const imageOf = (height: number, width: number, batch = 1): TensorData =>
  float(new Rng(2, 'vit.image'), [batch, 3, height, width]);

/** Keys' cubic through a line of samples (a = −½), written as the polynomial of four neighbours, edges left out. */
function cubicLine(samples: readonly number[], count: number): number[] {
  return Array.from({ length: count }, (_, i) => {
    const centre = ((i + 0.5) * samples.length) / count - 0.5;
    const [first, t] = [Math.floor(centre), centre - Math.floor(centre)];
    const weights = [
      -0.5 * t + t * t - 0.5 * t ** 3,
      1 - 2.5 * t * t + 1.5 * t ** 3,
      0.5 * t + 2 * t * t - 1.5 * t ** 3,
      -0.5 * t * t + 0.5 * t ** 3,
    ];
    let [sum, total] = [0, 0];
    weights.forEach((weight, k) => {
      const sample = samples[first - 1 + k];
      if (sample === undefined) return;
      sum += weight * sample;
      total += weight;
    });
    return sum / total;
  });
}

/** Position embeddings [n·n, width] on a larger grid [rows·columns, width], line by line. */
function enlargedGrid(positions: Float32Array, n: number, rows: number, columns: number): Float32Array {
  const width = positions.length / (n * n);
  const out = new Float32Array(rows * columns * width);
  for (let c = 0; c < width; c++) {
    const wide = Array.from({ length: n }, (_, y) =>
      cubicLine(
        Array.from({ length: n }, (_, x) => positions[(y * n + x) * width + c]),
        columns,
      ),
    );
    for (let x = 0; x < columns; x++)
      cubicLine(
        wide.map((row) => row[x]),
        rows,
      ).forEach((value, y) => (out[(y * columns + x) * width + c] = value));
  }
  return out;
}

describe('a plan told by shapes', () => {
  it.each<[string, Parameters<typeof shapesOf>[0], string, string, number]>([
    [
      'plain',
      { width: 192, depth: 12, patch: 16, positions: 197 },
      'vit-tiny-patch16',
      'ViT tiny, patch 16',
      224,
    ],
    [
      'DINOv2',
      { width: 768, depth: 12, patch: 14, positions: 1370, layerScale: true },
      'dinov2-base-patch14',
      'DINOv2 base, patch 14',
      224,
    ],
    [
      'DINOv2 with registers',
      { width: 1024, depth: 24, patch: 14, positions: 1369, layerScale: true, registers: 4 },
      'dinov2-large-patch14-reg4',
      'DINOv2 large, patch 14',
      224,
    ],
    ['an unusual width', { width: 256, patch: 8, positions: 26 }, 'vit-256-patch8', 'ViT 256, patch 8', 224],
  ])('%s', (_, options, architecture, title, usual) => {
    const backbone = vitOf(options);
    expect([backbone.architecture, backbone.title, backbone.sides.usual]).toEqual([
      architecture,
      title,
      usual,
    ]);
    expect(backbone.sides.multipleOf).toBe(options.patch);
  });

  it('spreads four levels over the depth', () => {
    expect(vitOf({ positions: 17, depth: 12 }).levels).toEqual({
      level1: 'map.3',
      level2: 'map.6',
      level3: 'map.9',
      level4: 'map.12',
      pooled: 'pooled',
    });
    expect(vitOf({ positions: 17, depth: 2 }).levels).toMatchObject({ level1: 'map.1', level4: 'map.2' });
  });

  it.each<[string, (shapes: Map<string, Shape>) => unknown]>([
    ['no class token', (shapes) => shapes.delete('cls_token')],
    ['no positions', (shapes) => shapes.delete('pos_embed')],
    ['no patch embedding', (shapes) => shapes.delete('patch_embed.proj.weight')],
    [
      'no blocks',
      (shapes) => [...shapes.keys()].forEach((name) => name.startsWith('blocks.') && shapes.delete(name)),
    ],
    ['positions on no square', (shapes) => shapes.set('pos_embed', [1, 19, 64])],
    ['positions without a batch axis', (shapes) => shapes.set('pos_embed', [17, 64])],
    ['heads of another width', (shapes) => shapes.set('patch_embed.proj.weight', [100, 3, 4, 4])],
  ])('none: %s', (_, change) => {
    const shapes = shapesOf({ positions: 17 });
    expect(vitPlan(shapes)).toBeDefined();
    change(shapes);
    expect(vitPlan(shapes)).toBeUndefined();
  });
});

describe('another input side', () => {
  const stored = 4;
  const vit = vitOf({ positions: stored ** 2 + 1 });
  const layers = ['embedded', 'block.4', 'map.2'];

  it.each([
    [24, 24],
    [20, 28],
  ])('%d×%d runs as a network does whose positions were brought there before', async (height, width) => {
    const [rows, columns] = [height / 4, width / 4];
    const tensors = tensorsOf(vit, layers);
    const image = imageOf(height, width);
    const found = await run(vit, tensors, image, layers);
    // Tokens before the positions: the same network with positions of zero.
    const none = new Map(tensors).set('pos_embed', {
      ...tensors.get('pos_embed')!,
      data: new Float32Array(17 * 64),
    });
    const { embedded } = await run(vit, none, image, ['embedded']);
    const positions = floats(tensors.get('pos_embed')!);
    const enlarged = enlargedGrid(positions.subarray(64), stored, rows, columns);
    const expected = floats(embedded).map((value, i) => value + (i < 64 ? positions[i] : enlarged[i - 64]));
    expect(found.embedded.shape).toEqual([1, rows * columns + 1, 64]);
    expect(relativeError(floats(found.embedded), expected)).toBeLessThan(1e-5);
    expect(found['map.2'].shape).toEqual([1, 64, rows, columns]);
    expect(found['block.4'].shape).toEqual([1, rows * columns + 1, 64]);
  });

  it('the stored one leaves the positions as they are', async () => {
    const graph = new GraphBuilder();
    const layersOf = new DeclaringLayers(graph);
    vit.forward(layersOf, graph.placeholder('float32', [1, 3, 16, 16]), ['embedded']);
    expect(graph.nodes.some(({ op }) => op.type === 'MatMul')).toBe(false);
  });

  it('that patches do not fill is an error', () => {
    const graph = new GraphBuilder();
    const image = graph.placeholder('float32', [1, 3, 18, 16]);
    expect(() => vit.forward(new DeclaringLayers(graph), image, ['embedded'])).toThrow(
      expect.objectContaining({
        code: 'fit/backbone',
        message: 'an image of [18,16] is no multiple of 4',
      }) as Error,
    );
  });

  it('changes the taps and nothing else', () => {
    expect(tapShapes(vit, 32)).toEqual({
      level1: [64, 8, 8],
      level2: [64, 8, 8],
      level3: [64, 8, 8],
      level4: [64, 8, 8],
    });
  });
});

describe('register tokens', () => {
  const options = { positions: 16, registers: 3, layerScale: true };
  const vit = vitOf(options);
  const layers = ['embedded', 'block.4', 'map.4', 'norm', 'pooled'];

  it('stand between class token and patches, without positions, and leave the maps', async () => {
    const tensors = tensorsOf(vit, layers);
    const found = await run(vit, tensors, imageOf(16, 16, 2), layers);
    expect(found.embedded.shape).toEqual([2, 1 + 3 + 16, 64]);
    const first = [...floats(found.embedded).subarray(0, 4 * 64)];
    expect(first).toEqual([...floats(tensors.get('cls_token')!), ...floats(tensors.get('reg_token')!)]);
    const [tokens, map] = [floats(found['block.4']), floats(found['map.4'])];
    expect(found['map.4'].shape).toEqual([2, 64, 4, 4]);
    for (let b = 0; b < 2; b++)
      for (let c = 0; c < 64; c++)
        for (let p = 0; p < 16; p++)
          expect(map[(b * 64 + c) * 16 + p]).toBe(tokens[(b * 20 + 4 + p) * 64 + c]);
    const normed = floats(found.norm);
    expect([...floats(found.pooled)]).toEqual([
      ...normed.subarray(0, 64),
      ...normed.subarray(20 * 64, 21 * 64),
    ]);
  });

  it('run at another side', async () => {
    const tensors = tensorsOf(vit, layers);
    const { 'map.4': map } = await run(vit, tensors, imageOf(24, 24), ['map.4']);
    expect([map.shape, sizeOf(map.shape)]).toEqual([[1, 64, 6, 6], 2304]);
  });

  it('are among the tensors it is recognised by', () => {
    const names = [...expectedTensors(vit, ['map.4']).keys()];
    expect(names).toContain('reg_token');
    expect(names.filter((name) => name.endsWith('.gamma')).length).toBe(8);
  });
});

it('a layer that is none is an error', () => {
  const vit = vitOf({ positions: 17 });
  const graph = new GraphBuilder();
  const image = graph.placeholder('float32', [1, 3, 16, 16]);
  // This file has no head.
  for (const layer of ['block.5', 'map.0', 'logits'])
    expect(() => vit.forward(new DeclaringLayers(graph), image, [layer])).toThrow(
      expect.objectContaining({
        code: 'model/keys',
        message: `this ViT has no layer among ${layer}`,
      }) as Error,
    );
});
