/** Layers of the image at half its side, in the same pass. */
import { describe, expect, it } from 'vitest';
import { Rng } from '../../src/base/rng';
import { floatTensor, floats } from '../../src/base/tensor';
import { FeatureExtractor, disposeTaps } from '../../src/engine/features';
import { GraphBuilder } from '../../src/graph/builder';
import { emitTaps, halfSide, isTokenRole, tapShapes } from '../../src/nn/backbones/backbone';
import type { TapRole } from '../../src/nn/backbones/backbone';
import { efficientNetLite0 } from '../../src/nn/backbones/efficientnet';
import { visionTransformer } from '../../src/nn/backbones/vit';
import { FrozenLayers } from '../../src/nn/layers';
import { relativeError } from '../support/golden';
import { openNodeRuntime } from '../support/node-runtime';
import { smallBackbone } from '../support/small-backbone';

const SIDE = 32;
const runtime = openNodeRuntime();

const tapsOf = async (roles: readonly TapRole[], side: number, plane: Float32Array) => {
  const extractor = await FeatureExtractor.open(runtime, smallBackbone(), roles, side, 1, 'fit');
  const taps = await extractor.run(floatTensor([1, 1, side, side], plane), 'fit');
  const read = await Promise.all(
    roles.map(async (role) => [role, floats(await runtime.read(taps[role]!)).slice()] as const),
  );
  disposeTaps(taps);
  return Object.fromEntries(read);
};

describe('half roles', () => {
  it('are the layers of every second pixel', async () => {
    const rng = new Rng(1, 'image');
    const plane = Float32Array.from({ length: SIDE * SIDE }, () => rng.uniform());
    const reduced = Float32Array.from(
      { length: (SIDE / 2) ** 2 },
      (_, i) => plane[2 * Math.floor(i / (SIDE / 2)) * SIDE + 2 * (i % (SIDE / 2))],
    );
    const found = await tapsOf(['level3', 'half3', 'half1'], SIDE, plane);
    const alone = await tapsOf(['level3', 'level1'], SIDE / 2, reduced);
    const whole = await tapsOf(['level3'], SIDE, plane);
    expect(relativeError(found.level3, whole.level3)).toBeLessThan(1e-6);
    expect(relativeError(found.half3, alone.level3)).toBeLessThan(1e-6);
    expect(relativeError(found.half1, alone.level1)).toBeLessThan(1e-6);
  });

  it('take no second copy of the weights', () => {
    const weightsOf = (roles: readonly TapRole[]) => {
      const { backbone, weights } = smallBackbone();
      const graph = new GraphBuilder();
      const layers = new FrozenLayers(graph, weights, backbone.batchNormEpsilon);
      const taps = emitTaps(backbone, layers, graph.input('image', [1, 1, SIDE, SIDE]), roles);
      for (const role of roles) graph.output(role, taps[role]!);
      return [...graph.build().weights.keys()];
    };
    expect(weightsOf(['level3', 'half3'])).toEqual(weightsOf(['level3']));
  });

  it('have the shapes that are told beforehand, and are no tokens', () => {
    expect(tapShapes(efficientNetLite0, 448, ['level3', 'half3', 'half4'])).toEqual({
      level3: [112, 28, 28],
      half3: [112, 14, 14],
      half4: [320, 7, 7],
    });
    const roles = ['half3', 'level3', 'pooled', 'tokens3', 'classes'] as const;
    expect(roles.filter(isTokenRole)).toEqual(['tokens3', 'classes']);
  });

  it('are of the side nearest to the half that the network takes', () => {
    const vit = visionTransformer({
      width: 192,
      depth: 4,
      patch: 14,
      grid: 16,
      mlp: 768,
      layerScale: false,
      registers: 0,
      positionsForPrefix: true,
      classes: 0,
    });
    expect([448, 224, 128, 64].map((side) => halfSide(efficientNetLite0, side))).toEqual([224, 128, 64, 64]);
    expect([224, 238].map((side) => halfSide(vit, side))).toEqual([112, 126]);
  });
});
