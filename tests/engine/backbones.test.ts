/** What a dropped weights file is told to be. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { Shape, TensorData } from '../../src/base/tensor';
import { floatTensor } from '../../src/base/tensor';
import type { BackboneId } from '../../src/base/ids';
import { Rng } from '../../src/base/rng';
import { describeBackbone, identify, loadBackbone } from '../../src/engine/backbones';
import { GraphBuilder } from '../../src/graph/builder';
import { LEVEL_ROLES, emitTaps, expectedTensors } from '../../src/nn/backbones/backbone';
import type { TapRole } from '../../src/nn/backbones/backbone';
import { EFFICIENTNETS, efficientNetLite0 } from '../../src/nn/backbones/efficientnet';
import { clipBackbone } from '../../src/nn/clip/clip-backbone';
import { semEncoderConfig } from '../../src/nn/clip/sem-encoder';
import { FrozenLayers } from '../../src/nn/layers';
import { bytesAsSource } from '../../src/weights/byte-source';
import { encodeSafetensors } from '../../src/weights/safetensors';
import { TestEngine } from '../support/engine';
import { startWeights } from '../support/start-weights';
import { tinyClipTensors, withTokens } from '../support/tiny-clip';

const identified = (tensors: Readonly<Record<string, TensorData>>) =>
  identify(bytesAsSource(encodeSafetensors(tensors)));

it.each(['open_clip', 'hugging-face'] as const)('a CLIP by the names of %s', async (naming) => {
  expect(await identified(tinyClipTensors(naming))).toEqual({
    title: 'CLIP ViT-64/8, 32 px',
    architecture: 'clip-64-8-32',
    sides: { multipleOf: 8, least: 8, usual: 32 },
    clip: { activation: 'ask' },
  });
});

it('a backbone for detectors has no such part', async () => {
  const source = bytesAsSource(readFileSync('public/models/efficientnet-lite0.safetensors'));
  expect(await identify(source)).toEqual({
    title: 'EfficientNet-Lite0',
    architecture: 'efficientnet-lite0',
    sides: expect.objectContaining({ usual: 224 }) as object,
  });
});

describe('the vector of an image', () => {
  const layers = [...LEVEL_ROLES, 'pooled'] as const;
  const expected = expectedTensors(
    efficientNetLite0,
    layers.map((role) => efficientNetLite0.levels[role]),
  );
  const shapesOf = (tensors: Iterable<string>, prefix: string) =>
    new Map([...tensors].map((name): [string, Shape] => [prefix + name, expected.get(name)!]));
  const tapped = async (shapes: ReadonlyMap<string, Shape>, roles: readonly TapRole[]) => {
    const file = encodeSafetensors(Object.fromEntries(startWeights(shapes)));
    const { backbone, weights } = await loadBackbone(bytesAsSource(file));
    const graph = new GraphBuilder();
    const frozen = new FrozenLayers(graph, weights, backbone.batchNormEpsilon);
    return emitTaps(backbone, frozen, graph.input('grey', [1, 1, 64, 64]), roles);
  };

  it.each(['', 'module.'])('of a file with the layers behind the last level, prefix "%s"', async (prefix) => {
    const { pooled } = await tapped(shapesOf(expected.keys(), prefix), ['level1', 'pooled']);
    expect(pooled!.shape).toEqual([1, 1280]);
  });

  it('of a file of features alone: the levels are there, and what it lacks is named', async () => {
    const features = [...expected.keys()].filter((name) => !/^(conv_head|bn2)\./.test(name));
    expect(features.length).toBe(expected.size - 5);
    const shapes = shapesOf(features, '');
    expect((await tapped(shapes, LEVEL_ROLES)).level4!.shape).toEqual([1, 320, 2, 2]);
    await expect(tapped(shapes, ['pooled'])).rejects.toMatchObject({
      code: 'model/keys',
      message: 'the weights lack "conv_head.weight"',
      hint: 'Use the file as it is published, with the layers behind its last feature map.',
    });
  });
});

describe('a dropped EfficientNet-B0', () => {
  const layers = LEVEL_ROLES.map((role) => EFFICIENTNETS[0].levels[role]);
  const tensors = Object.fromEntries(startWeights(expectedTensors(EFFICIENTNETS[0], layers)));
  const file = (architecture?: string) =>
    encodeSafetensors(tensors, architecture ? { metadata: { architecture } } : {});

  it.each([
    [undefined, 'TF-EfficientNet-B0', 1e-3],
    ['tf_efficientnet_b0', 'TF-EfficientNet-B0', 1e-3],
    ['efficientnet_b0', 'EfficientNet-B0', 1e-5],
  ])('whose metadata names %s', async (architecture, title, epsilon) => {
    const source = bytesAsSource(file(architecture));
    expect((await identify(source)).title).toBe(title);
    const { backbone } = await loadBackbone(source);
    expect([backbone.title, backbone.batchNormEpsilon]).toEqual([title, epsilon]);
  });

  it('stands under a detector', async () => {
    const side = 64;
    const engine = new TestEngine(side);
    const backboneId = 'dropped' as BackboneId;
    engine.weights.set(backboneId, file());
    const rng = new Rng(1, 'lines');
    const lines = (spot = false): Float32Array =>
      Float32Array.from({ length: side * side }, (_, i) => {
        const [x, y] = [i % side, Math.floor(i / side)];
        const inside = spot && Math.hypot(x - 40, y - 24) < 5;
        return (inside ? 1 : x % 8 < 4 ? 0.3 : 0.6) + 0.02 * rng.bell();
      });
    const good = Array.from({ length: 6 }, (_, i) => engine.add(`good ${i}`, lines()));
    const spec = { ...engine.spec('patchcore'), backboneId };
    await engine.fit(spec, good);
    const [other, spot] = await engine.inspect(spec, [
      engine.add('other', lines()),
      engine.add('spot', lines(true)),
    ]);
    expect(spot.score).toBeGreaterThan(2 * other.score);
    const largest = spot.map.indexOf(Math.max(...spot.map));
    expect(Math.hypot((largest % side) - 40, Math.floor(largest / side) - 24)).toBeLessThan(12);
  });
});

it('a near miss is told by key and shape', async () => {
  const { 'ln_final.bias': _, ...near } = tinyClipTensors();
  await expect(
    identified({ ...near, 'visual.ln_post.weight': floatTensor([63], new Float32Array(63)) }),
  ).rejects.toMatchObject({
    code: 'model/keys',
    message:
      'this is nearly CLIP ViT-64/8, 32 px: it lacks ln_final.bias; misshapen: visual.ln_post.weight is [63], expected [64]',
  });
});

it('a table of other tokens is refused, unless the file says which they are', async () => {
  const { token_ids: ids, ...rest } = withTokens(tinyClipTensors(), [49406, 320, 49407]);
  await expect(identified(rest)).rejects.toMatchObject({
    code: 'model/keys',
    message: "CLIP ViT-64/8, 32 px with a table of 3 tokens; CLIP's tokenizer has 49408",
  });
  expect(await identified({ ...rest, token_ids: ids })).toMatchObject({ title: 'CLIP ViT-64/8, 32 px' });
});

it('the shipped encoder is what the app says it is before it is read', async () => {
  const source = bytesAsSource(readFileSync('public/models/sem-encoder.safetensors'));
  const id = 'builtin:sem-encoder' as BackboneId;
  expect({ id, ...(await identify(source)) }).toEqual(
    describeBackbone(id, clipBackbone(semEncoderConfig(0))),
  );
});
