import { describe, expect, it } from 'vitest';
import type { Shape } from '../../src/base/tensor';
import { LEVEL_ROLES, expectedTensors } from '../../src/nn/backbones/backbone';
import type { Backbone } from '../../src/nn/backbones/backbone';
import {
  EFFICIENTNETS,
  SYMMETRIC_EFFICIENTNETS,
  efficientNetLite0,
} from '../../src/nn/backbones/efficientnet';
import { recogniseBackbone } from '../../src/nn/backbones/recognise';
import { RESNETS } from '../../src/nn/backbones/resnet';
import { visionTransformer } from '../../src/nn/backbones/vit';

type Shapes = ReadonlyMap<string, Shape>;

const PLAIN_VIT = {
  depth: 12,
  mlp: 4 * 192,
  layerScale: false,
  registers: 0,
  positionsForPrefix: true,
  classes: 1000,
};
const VITS = [
  visionTransformer({ ...PLAIN_VIT, width: 192, patch: 16, grid: 14 }),
  visionTransformer({ ...PLAIN_VIT, width: 768, patch: 16, grid: 14, mlp: 3072 }),
  visionTransformer({
    ...PLAIN_VIT,
    width: 384,
    patch: 14,
    grid: 37,
    mlp: 1536,
    layerScale: true,
    classes: 0,
  }),
  visionTransformer({
    ...PLAIN_VIT,
    ...{ width: 384, patch: 14, grid: 37, mlp: 1536, layerScale: true, classes: 0 },
    ...{ registers: 4, positionsForPrefix: false },
  }),
  visionTransformer({ ...PLAIN_VIT, width: 768, patch: 16, hybrid: true, grid: 14, mlp: 3072 }),
];
const BACKBONES = [efficientNetLite0, ...EFFICIENTNETS, ...RESNETS, ...VITS];

/** The tensors that the deepest level needs. */
const tensorsOf = (backbone: Backbone): Map<string, Shape> =>
  new Map(
    expectedTensors(
      backbone,
      LEVEL_ROLES.map((role) => backbone.levels[role]),
    ),
  );

const named = (architecture: string): Map<string, Shape> =>
  tensorsOf(BACKBONES.find((backbone) => backbone.architecture === architecture)!);

/** What published files hold beside the levels: counters of batch norms, and a head. */
const beside = (shapes: Shapes): [string, Shape][] => [
  ...[...shapes.keys()]
    .filter((name) => name.endsWith('.running_mean'))
    .map((name): [string, Shape] => [name.replace('running_mean', 'num_batches_tracked'), []]),
  ...['fc.weight', 'fc.bias', 'classifier.weight', 'head.weight', 'head.bias', 'conv_head.weight'].map(
    (name): [string, Shape] => [name, [7]],
  ),
  ...['bn2.weight', 'bn2.running_var', 'norm.weight', 'fc_norm.bias', 'mask_token'].map(
    (name): [string, Shape] => [name, [3]],
  ),
];

const prefixed = (shapes: Iterable<readonly [string, Shape]>, prefix: string): Map<string, Shape> =>
  new Map([...shapes].map(([name, shape]) => [prefix + name, shape]));

describe('every backbone is recognised by its tensors', () => {
  it.each(BACKBONES.map((backbone) => [backbone.architecture, backbone] as const))(
    '%s',
    (architecture, backbone) => {
      const own = tensorsOf(backbone);
      const full = new Map([...own, ...beside(own)]);
      for (const prefix of ['', 'module.', 'model.', 'backbone.', 'encoder.', 'state_dict.'])
        for (const shapes of [own, full]) {
          const found = recogniseBackbone(prefixed(shapes, prefix));
          expect([found.backbone.architecture, found.backbone.title, found.prefix]).toEqual([
            architecture,
            backbone.title,
            prefix,
          ]);
        }
    },
  );

  it('in whatever order the file has them, and beside tensors in front of the prefix', () => {
    const own = [...named('resnet50')].reverse();
    const { backbone, prefix } = recogniseBackbone(
      new Map([['epoch', []], ...prefixed(own, 'module.'), ['optimizer.lr', []]]),
    );
    expect([backbone.architecture, prefix]).toEqual(['resnet50', 'module.']);
  });

  it('as what it is, where another one is a part of it', () => {
    const contains = (outer: Shapes, inner: Shapes) =>
      [...inner].every(([name, shape]) => outer.get(name)?.join() === shape.join());
    // This is the trap: every tensor of the smaller network is in the larger one, with its shape.
    expect(contains(named('resnet34'), named('resnet18'))).toBe(true);
    expect(contains(named('resnet101'), named('resnet50'))).toBe(true);
    expect(contains(named('tf-efficientnet-b0'), named('efficientnet-lite0'))).toBe(true);
    expect(contains(named('tf-efficientnet-b1'), named('tf-efficientnet-b0'))).toBe(true);
    expect(recogniseBackbone(named('efficientnet-lite0')).backbone).toBe(efficientNetLite0);
    expect(recogniseBackbone(named('tf-efficientnet-b0')).backbone).toBe(EFFICIENTNETS[0]);
    expect(recogniseBackbone(named('tf-efficientnet-b1')).backbone).toBe(EFFICIENTNETS[1]);
    expect(recogniseBackbone(named('resnet34')).backbone.architecture).toBe('resnet34');
    expect(recogniseBackbone(named('resnet101')).backbone.architecture).toBe('resnet101');
    expect(recogniseBackbone(named('wide-resnet50-2')).backbone.architecture).toBe('wide-resnet50-2');
  });
});

describe('the form of an EfficientNet', () => {
  it('is in none of its names and shapes', () => {
    SYMMETRIC_EFFICIENTNETS.forEach((backbone, i) =>
      expect([...tensorsOf(backbone)]).toEqual([...tensorsOf(EFFICIENTNETS[i])]),
    );
  });

  it.each<[string | undefined, Backbone]>([
    [undefined, EFFICIENTNETS[3]],
    ['tf_efficientnet_b3', EFFICIENTNETS[3]],
    ['resnet50', EFFICIENTNETS[3]],
    ['efficientnet_b3', SYMMETRIC_EFFICIENTNETS[3]],
    ['efficientnet_b3.ra2_in1k', SYMMETRIC_EFFICIENTNETS[3]],
    ['efficientnet-b3', SYMMETRIC_EFFICIENTNETS[3]],
  ])('is as the file states it: %s', (stated, backbone) => {
    expect(recogniseBackbone(named('tf-efficientnet-b3'), stated).backbone).toBe(backbone);
  });

  it('that is stated changes no other network', () => {
    expect(recogniseBackbone(named('resnet50'), 'efficientnet_b0').backbone).toBe(RESNETS[2]);
    expect(recogniseBackbone(named('efficientnet-lite0'), 'efficientnet_b0').backbone).toBe(
      efficientNetLite0,
    );
  });
});

describe('a near miss tells what differs', () => {
  const near = (message: string) =>
    expect.objectContaining({
      code: 'model/keys',
      message,
      hint: 'Use the file as timm or torchvision publish it.',
    }) as Error;

  const without = (architecture: string, ...names: string[]): Map<string, Shape> => {
    const shapes = named(architecture);
    for (const name of names) expect(shapes.delete(name)).toBe(true);
    return shapes;
  };

  it('one tensor missing', () => {
    expect(() => recogniseBackbone(without('resnet18', 'layer3.1.conv2.weight'))).toThrow(
      near('this is nearly ResNet-18: it lacks layer3.1.conv2.weight'),
    );
    expect(() => recogniseBackbone(without('efficientnet-lite0', 'blocks.2.1.bn2.running_var'))).toThrow(
      near('this is nearly EfficientNet-Lite0: it lacks blocks.2.1.bn2.running_var'),
    );
  });

  it('behind a prefix too', () => {
    expect(() => recogniseBackbone(prefixed(without('resnet18', 'bn1.bias'), 'module.'))).toThrow(
      near('this is nearly ResNet-18: it lacks bn1.bias'),
    );
  });

  it('more than three are counted', () => {
    const norm = ['weight', 'bias', 'running_mean', 'running_var'].map((part) => `layer4.1.bn2.${part}`);
    expect(() => recogniseBackbone(without('resnet18', ...norm, 'bn1.weight'))).toThrow(
      near(
        'this is nearly ResNet-18: it lacks bn1.weight; layer4.1.bn2.weight; layer4.1.bn2.bias and 2 more',
      ),
    );
  });

  it('one misshapen, as in a network for grey images', () => {
    expect(() => recogniseBackbone(named('resnet18').set('conv1.weight', [64, 1, 7, 7]))).toThrow(
      near('this is nearly ResNet-18: misshapen: conv1.weight is [64,1,7,7], expected [64,3,7,7]'),
    );
  });

  it('squeeze-excitation inside a ResNet', () => {
    const shapes = named('resnet50');
    for (let i = 0; i < 3; i++)
      shapes
        .set(`layer1.${i}.se.fc1.weight`, [16, 256, 1, 1])
        .set(`layer1.${i}.se.fc2.weight`, [256, 16, 1, 1]);
    expect(() => recogniseBackbone(shapes)).toThrow(
      near(
        'this is nearly ResNet-50: it has also layer1.0.se.fc1.weight; layer1.0.se.fc2.weight; ' +
          'layer1.1.se.fc1.weight and 3 more',
      ),
    );
  });

  it('all three at once', () => {
    const shapes = without('resnet18', 'layer4.1.conv2.weight').set('bn1.bias', [32]).set('extra', [1]);
    expect(() => recogniseBackbone(shapes)).toThrow(
      near(
        'this is nearly ResNet-18: it lacks layer4.1.conv2.weight; misshapen: bn1.bias is [32], expected [64]; ' +
          'it has also extra',
      ),
    );
  });

  it('in squeeze-excitation', () => {
    expect(() => recogniseBackbone(without('tf-efficientnet-b0', 'blocks.3.1.se.conv_reduce.bias'))).toThrow(
      near('this is nearly TF-EfficientNet-B0: it lacks blocks.3.1.se.conv_reduce.bias'),
    );
    const wide = named('tf-efficientnet-b4').set('blocks.2.0.se.conv_expand.weight', [192, 48, 1, 1]);
    expect(() => recogniseBackbone(wide)).toThrow(
      near(
        'this is nearly TF-EfficientNet-B4: misshapen: blocks.2.0.se.conv_expand.weight is [192,48,1,1], ' +
          'expected [192,8,1,1]',
      ),
    );
  });

  it('in a hybrid', () => {
    const name = 'patch_embed.backbone.stages.2.blocks.8.norm3.bias';
    expect(() => recogniseBackbone(without('vit-base-r50-s16', name))).toThrow(
      near(`this is nearly ResNet-50 + ViT base: it lacks ${name}`),
    );
    const stem = 'patch_embed.backbone.stem.conv.weight';
    expect(() => recogniseBackbone(prefixed(without('vit-base-r50-s16', stem), 'model.'))).toThrow(
      near(`this is nearly ResNet-50 + ViT base: it lacks ${stem}`),
    );
  });

  it('in a vision transformer', () => {
    expect(() => recogniseBackbone(without('vit-tiny-patch16', 'blocks.5.attn.qkv.bias'))).toThrow(
      near('this is nearly ViT tiny, patch 16: it lacks blocks.5.attn.qkv.bias'),
    );
    expect(() => recogniseBackbone(without('dinov2-small-patch14-reg4', 'blocks.11.ls2.gamma'))).toThrow(
      near('this is nearly DINOv2 small, patch 14: it lacks blocks.11.ls2.gamma'),
    );
  });

  it.each([
    ['resnet34', 'ResNet-34', 'layer3.5.conv2.weight'],
    ['resnet101', 'ResNet-101', 'layer3.22.conv2.weight'],
    ['tf-efficientnet-b1', 'TF-EfficientNet-B1', 'blocks.6.1.conv_dw.weight'],
  ])('in %s, of which a smaller network is a part', (architecture, title, name) => {
    expect(() => recogniseBackbone(without(architecture, name))).toThrow(
      near(`this is nearly ${title}: it lacks ${name}`),
    );
  });

  it.each([
    ['vit-tiny-patch16', 'ViT tiny, patch 16', 'blocks.5.norm1.weight'],
    ['vit-tiny-patch16', 'ViT tiny, patch 16', 'blocks.0.norm1.weight'],
    ['dinov2-small-patch14', 'DINOv2 small, patch 14', 'blocks.0.ls1.gamma'],
  ])('in %s, first in its block: %s lacks %s', (architecture, title, name) => {
    expect(() => recogniseBackbone(without(architecture, name))).toThrow(
      near(`this is nearly ${title}: it lacks ${name}`),
    );
  });
});

describe('files of other networks', () => {
  const unknown = (tensors: string) =>
    expect.objectContaining({
      code: 'model/unknown',
      message: `none of the known architectures has tensors like ${tensors}`,
      hint:
        'Known are EfficientNet-Lite0 and B0 to B4, ResNet-18/34/50/101, Wide-ResNet-50-2, ViT, ResNet-50 + ViT and ' +
        'DINOv2 by timm or torchvision names, and CLIP of two plain transformers by open_clip or Hugging Face names.',
    }) as Error;

  it.each<[string, [string, Shape][], string]>([
    ['no tensors', [], 'these'],
    ['one', [['w', [3]]], 'w'],
    [
      'a language model',
      [
        ['model.embed_tokens.weight', [32000, 4096]],
        ['model.layers.0.self_attn.q_proj.weight', [4096, 4096]],
        ['model.norm.weight', [4096]],
        ['lm_head.weight', [32000, 4096]],
      ],
      'model.embed_tokens.weight, model.layers.0.self_attn.q_proj.weight, model.norm.weight',
    ],
  ])('%s', (_, shapes, tensors) => {
    expect(() => recogniseBackbone(new Map(shapes))).toThrow(unknown(tensors));
  });

  it('the head of a known one alone', () => {
    const head = new Map<string, Shape>([
      ['fc.weight', [1000, 512]],
      ['fc.bias', [1000]],
    ]);
    expect(() => recogniseBackbone(head)).toThrow(unknown('fc.weight, fc.bias'));
  });
});
