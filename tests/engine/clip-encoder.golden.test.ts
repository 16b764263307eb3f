import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { floats } from '../../src/base/tensor';
import { loadBackbone, shapesOf } from '../../src/engine/backbones';
import { ClipEncoder } from '../../src/engine/clip-encoder';
import { clipTensors, recogniseClip } from '../../src/nn/clip/recognise';
import { bytesAsSource } from '../../src/weights/byte-source';
import { Safetensors, encodeSafetensors } from '../../src/weights/safetensors';
import { configOf } from '../nn/clip/procedural-clip';
import type { GoldenClip } from '../nn/clip/procedural-clip';
import {
  MODELS_DIR,
  PROTOTYPE_DIR,
  describeGolden,
  describeWith,
  goldenJson,
  goldenTensors,
  readTensors,
  relativeError,
} from '../support/golden';
import { openNodeRuntime } from '../support/node-runtime';
import { weight } from '../support/procedural';

const runtime = openNodeRuntime();
const noVision = () => Promise.reject(new Error('no image is embedded'));
const open = (bytes: Uint8Array) => Safetensors.open(bytesAsSource(bytes));

describeGolden(['clip.json', 'clip-tiny.safetensors'], 'texts of a CLIP with procedural weights', () => {
  const golden = goldenJson<GoldenClip>('clip.json');

  it.each(['tiny-gelu', 'tiny-quickgelu'])(
    "%s, of rows of the table, padded to the context's length",
    async (name) => {
      const config = configOf(golden.towers[name]);
      const tensors = [...clipTensors(config)].map(([own, shape]) => [own, weight(own, shape)] as const);
      const file = await open(encodeSafetensors(Object.fromEntries(tensors)));
      const headWidth = golden.towers[name].vision.head_width;
      const encoder = new ClipEncoder(
        file,
        recogniseClip(shapesOf(file), headWidth)!,
        config.activation,
        noVision,
      );
      const texts = await Promise.all(golden.ids.map((ids) => encoder.embedText(runtime, ids)));
      const { [`${name}.text`]: expected } = await goldenTensors('clip-tiny.safetensors');
      expect(
        relativeError(Float32Array.from(texts.flatMap((text) => [...text])), floats(expected)),
      ).toBeLessThan(1e-4);
    },
  );
});

const ENCODER = join(PROTOTYPE_DIR, 'encoder.safetensors');
const REFERENCE = join(PROTOTYPE_DIR, 'encoder-reference.safetensors');
const LITE0 = join(MODELS_DIR, 'efficientnet-lite0.safetensors');

describeWith([ENCODER, REFERENCE, LITE0], 'an image by the SEM encoder of the prototype', () => {
  it('is seen through the stem', async () => {
    const file = await open(readFileSync(ENCODER));
    const stem = () => loadBackbone(bytesAsSource(readFileSync(LITE0)));
    const vision = () => loadBackbone(bytesAsSource(readFileSync(ENCODER)), { activation: 'gelu', stem });
    const encoder = new ClipEncoder(file, recogniseClip(shapesOf(file))!, 'gelu', vision);
    const { pixels, embedding } = await readTensors(REFERENCE);
    const grey = Float32Array.from(pixels.data as Uint8Array, (value) => value / 255);
    const [seen] = await encoder.embedImages(runtime, [grey]);
    expect(relativeError(seen, floats(embedding))).toBeLessThan(1e-3);
  });
});
