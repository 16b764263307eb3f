import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { floatTensor, floats } from '../../src/base/tensor';
import { GraphBuilder } from '../../src/graph/builder';
import { normaliseGrey } from '../../src/nn/backbones/backbone';
import { efficientNetLite0 } from '../../src/nn/backbones/efficientnet';
import { FrozenWeights } from '../../src/nn/frozen-weights';
import { FrozenLayers } from '../../src/nn/layers';
import {
  GOLDEN_DIR,
  MODELS_DIR,
  describeWith,
  goldenTensors,
  readTensors,
  relativeError,
} from '../support/golden';
import { openNodeRuntime } from '../support/node-runtime';

describeWith(
  [join(MODELS_DIR, 'efficientnet-lite0.safetensors'), join(GOLDEN_DIR, 'lite0-real.safetensors')],
  'EfficientNet-Lite0 with its real weights',
  () => {
    describe('taps', () => {
      it.each(['own', 'squash224'])('%s', async (name) => {
        const golden = await goldenTensors('lite0-real.safetensors');
        const weights = new FrozenWeights(
          new Map(Object.entries(await readTensors(join(MODELS_DIR, 'efficientnet-lite0.safetensors')))),
        );
        const pixels = golden[`${name}.pixels`];
        const [h, w] = pixels.shape;
        const graph = new GraphBuilder();
        const grey = graph.input('grey', [1, 1, h, w]);
        const names = ['blocks.0', 'blocks.1', 'blocks.2', 'blocks.4', 'blocks.6', 'pooled', 'logits'];
        const taps = efficientNetLite0.forward(
          new FrozenLayers(graph, weights, efficientNetLite0.batchNormEpsilon),
          normaliseGrey(grey, efficientNetLite0.normalisation),
          names,
        );
        for (const [tap, value] of Object.entries(taps)) graph.output(tap, value);
        const program = await openNodeRuntime().compile(graph.build());
        const image = floatTensor(
          [1, 1, h, w],
          Float32Array.from(pixels.data as Uint8Array, (v) => v / 255),
        );
        const { values } = await program.run({ grey: image });
        names.forEach((tap, i) => {
          const expected = golden[`${name}.${i < 5 ? `tap${i}` : tap}`];
          if (expected) expect(relativeError(floats(values[tap]), floats(expected))).toBeLessThan(1e-4);
        });
      });
    });
  },
);
