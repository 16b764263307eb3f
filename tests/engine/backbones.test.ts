/** What a dropped weights file is told to be. */
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import type { TensorData } from '../../src/base/tensor';
import { floatTensor } from '../../src/base/tensor';
import type { BackboneId } from '../../src/base/ids';
import { describeBackbone, identify } from '../../src/engine/backbones';
import { clipBackbone } from '../../src/nn/clip/clip-backbone';
import { semEncoderConfig } from '../../src/nn/clip/sem-encoder';
import { bytesAsSource } from '../../src/weights/byte-source';
import { encodeSafetensors } from '../../src/weights/safetensors';
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
