import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { floatTensor, floats } from '../../../src/base/tensor';
import { loadBackbone } from '../../../src/engine/backbones';
import { GraphBuilder } from '../../../src/graph/builder';
import { l2Normalise, reshape, slice } from '../../../src/graph/ops/index';
import { layerOf, normaliseGrey } from '../../../src/nn/backbones/backbone';
import type { TapRole } from '../../../src/nn/backbones/backbone';
import { FrozenLayers } from '../../../src/nn/layers';
import { bytesAsSource } from '../../../src/weights/byte-source';
import { MODELS_DIR, PROTOTYPE_DIR, describeWith, readTensors, relativeError } from '../../support/golden';
import { openNodeRuntime } from '../../support/node-runtime';

const ENCODER = join(PROTOTYPE_DIR, 'encoder.safetensors');
const REFERENCE = join(PROTOTYPE_DIR, 'encoder-reference.safetensors');
const LITE0 = join(MODELS_DIR, 'efficientnet-lite0.safetensors');
const open = (file: string) => bytesAsSource(readFileSync(file));

describeWith([ENCODER, REFERENCE, LITE0], "the prototype's SEM encoder as a backbone", () => {
  it('gives tokens, patches, values and class tokens of its levels', async () => {
    const { backbone, weights } = await loadBackbone(open(ENCODER), {
      activation: 'gelu',
      stem: () => loadBackbone(open(LITE0)),
    });
    const { pixels, ...reference } = await readTensors(REFERENCE);
    const graph = new GraphBuilder();
    const image = normaliseGrey(graph.input('grey', [1, 1, 240, 240]), backbone.normalisation);
    const roles: TapRole[] = ['tokens1', 'tokens2', 'tokens3', 'tokens4', 'level2', 'patches4', 'classes'];
    const wanted = [...roles, ...(['values1', 'values2', 'values3', 'values4'] as const)];
    const taps = backbone.forward(
      new FrozenLayers(graph, weights, backbone.batchNormEpsilon),
      image,
      wanted.map((role) => layerOf(backbone, role)),
    );
    for (const level of [1, 2, 3, 4]) {
      graph.output(`Z${level}`, taps[`tokens${level}`]);
      graph.output(`V${level}_projected`, taps[`values${level}`]);
    }
    graph.output('dense4', l2Normalise(taps.patches4));
    graph.output('embedding', l2Normalise(reshape(slice(taps.classes, 1, 3), [1, 192])));
    graph.output('map', taps.level2);
    const program = await openNodeRuntime().compile(graph.build());
    const grey = Float32Array.from(pixels.data as Uint8Array, (value) => value / 255);
    const { values } = await program.run({ grey: floatTensor([1, 1, 240, 240], grey) });
    const { map, ...compared } = values;
    for (const name in compared)
      expect(relativeError(floats(values[name]), floats(reference[name])), name).toBeLessThan(1e-3);
    // Row 3, column 7 of the map is the 53rd token, the class token being the first.
    expect(map.shape).toEqual([1, 192, 15, 15]);
    const token = floats(values.Z2).subarray(53 * 192, 54 * 192);
    token.forEach((value, channel) => expect(floats(map)[channel * 225 + 3 * 15 + 7]).toBe(value));
  });
});
