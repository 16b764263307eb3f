import { describe, expect, it } from 'vitest';
import { floats, sizeOf } from '../../src/base/tensor';
import type { Shape, TensorData } from '../../src/base/tensor';
import { GraphBuilder } from '../../src/graph/builder';
import { expectedTensors } from '../../src/nn/backbones/backbone';
import type { Backbone } from '../../src/nn/backbones/backbone';
import {
  EFFICIENTNETS,
  SYMMETRIC_EFFICIENTNETS,
  efficientNetLite0,
} from '../../src/nn/backbones/efficientnet';
import { RESNETS } from '../../src/nn/backbones/resnet';
import { visionTransformer, vitPlan } from '../../src/nn/backbones/vit';
import { FrozenWeights } from '../../src/nn/frozen-weights';
import { FrozenLayers } from '../../src/nn/layers';
import { describeGolden, digestError, goldenJson } from '../support/golden';
import type { Digest } from '../support/golden';
import { openNodeRuntime } from '../support/node-runtime';
import { signed, weight } from '../support/procedural';

interface Model {
  input: number[];
  parameters: number;
  tensors?: number;
  taps?: Digest[];
  tokens_after_block?: Digest[];
  after_norm?: Digest;
  stem?: Digest;
  logits?: Digest;
  output?: Digest;
  parameters_through_layer?: number[];
}

const CNN_TAPS = {
  efficientnet: ['blocks.0', 'blocks.1', 'blocks.2', 'blocks.4', 'blocks.6'],
  resnet: ['act1', 'layer1', 'layer2', 'layer3', 'layer4'],
};

/** A timm ViT's tensors have these shapes; the plan is read back from them as from a file. */
function vitShapes(
  width: number,
  patch: number,
  depth: number,
  side: number,
  layerScale: boolean,
): Map<string, Shape> {
  const shapes = new Map<string, Shape>([
    ['patch_embed.proj.weight', [width, 3, patch, patch]],
    ['pos_embed', [1, (side / patch) ** 2 + 1, width]],
    ['cls_token', [1, 1, width]],
    ['blocks.0.mlp.fc1.weight', [4 * width, width]],
  ]);
  if (layerScale) shapes.set('blocks.0.ls1.gamma', [width]);
  else shapes.set('head.weight', [1000, width]);
  for (let i = 0; i < depth; i++) shapes.set(`blocks.${i}.norm1.weight`, [width]);
  return shapes;
}

/** A file of the hybrid without a head. */
function hybridShapes(): Map<string, Shape> {
  const shapes = vitShapes(768, 16, 12, 224, false).set('patch_embed.proj.weight', [768, 1024, 1, 1]);
  shapes.delete('head.weight');
  return shapes.set('patch_embed.backbone.stem.conv.weight', [64, 3, 7, 7]);
}

/** The backbone behind a timm name of the golden file. */
function backboneOf(name: string): { backbone: Backbone; taps: string[] } {
  if (name === 'tf_efficientnet_lite0') return { backbone: efficientNetLite0, taps: CNN_TAPS.efficientnet };
  const named = ({ architecture }: Backbone) => architecture === name.replaceAll('_', '-');
  const efficientNet = [...EFFICIENTNETS, ...SYMMETRIC_EFFICIENTNETS].find(named);
  if (efficientNet) return { backbone: efficientNet, taps: CNN_TAPS.efficientnet };
  const resnet = RESNETS.find(named);
  if (resnet) return { backbone: resnet, taps: CNN_TAPS.resnet };
  const vit = {
    vit_small_patch14_dinov2: vitShapes(384, 14, 12, 224, true),
    vit_base_patch16_224: vitShapes(768, 16, 12, 224, false),
    vit_base_r50_s16_224: hybridShapes(),
  }[name];
  if (!vit) throw new Error(`no backbone is named ${name}`);
  const blocks = Array.from({ length: 12 }, (_, i) => `block.${i + 1}`);
  const backbone = visionTransformer(vitPlan(vit)!);
  // The hybrid's tokens are told behind the blocks alone.
  return {
    backbone,
    taps: vit.has('patch_embed.backbone.stem.conv.weight') ? blocks : ['embedded', ...blocks],
  };
}

/** The layer that a model's last digest is of: without a head, its vector. */
const deepestOf = ({ logits, output }: Model): string =>
  (logits ?? output)?.shape[0] === 1000 ? 'logits' : 'pooled';

const runtime = openNodeRuntime();

async function run(
  backbone: Backbone,
  names: string[],
  input: readonly number[],
): Promise<Record<string, TensorData>> {
  const expected = expectedTensors(backbone, names);
  const weights = new FrozenWeights(new Map([...expected].map(([key, shape]) => [key, weight(key, shape)])));
  const graph = new GraphBuilder();
  const layers = backbone.forward(
    new FrozenLayers(graph, weights, backbone.batchNormEpsilon),
    graph.input('x', input),
    names,
  );
  for (const [name, value] of Object.entries(layers)) graph.output(name, value);
  const program = await runtime.compile(graph.build());
  const { values } = await program.run({ x: signed(`backbone.image.${input[3]}`, input, 2) });
  await runtime.forgetPrograms();
  return { ...values };
}

for (const file of ['backbones.json', 'backbones-extra.json'])
  describeGolden([file, 'procedural.json'], `backbones with procedural weights (${file})`, () => {
    const { models } = goldenJson<{ models: Record<string, Model> }>(file);
    const known = Object.entries(models).map(([name, model]) => ({ name, model, ...backboneOf(name) }));

    it.each(known)('$name', async ({ model, backbone, taps }) => {
      const digests = [...(model.taps ?? model.tokens_after_block!)];
      const names = [...taps];
      const deepest = deepestOf(model);
      const add = (name: string, digest: Digest | undefined) => {
        if (!digest) return;
        names.push(name);
        digests.push(digest);
      };
      add('stem', model.stem);
      add('norm', model.after_norm);
      add(deepest, model.logits);
      add(deepest, model.output);
      const found = await run(backbone, names, model.input);
      names.forEach((name, i) =>
        expect(digestError(floats(found[name]), digests[i]), name).toBeLessThan(1e-4),
      );
    });

    describe('parameter counts', () => {
      it.each(known)('$name', ({ model, backbone, taps }) => {
        const countOf = (layers: string[]) =>
          [...expectedTensors(backbone, layers)]
            .filter(([key]) => !key.includes('running_'))
            .reduce((sum, [, shape]) => sum + sizeOf(shape), 0);
        model.parameters_through_layer?.forEach((count, i) => expect(countOf([taps[i + 1]])).toBe(count));
        expect(countOf([deepestOf(model)])).toBe(model.parameters);
        if (model.tensors) expect(expectedTensors(backbone, [deepestOf(model)]).size).toBe(model.tensors);
      });
    });
  });
