import { AppError } from '../../base/errors';
import type { Shape } from '../../base/tensor';
import { PREFIXES, describeDifference, differenceOf, withoutPrefix } from '../recognition';
import type { Difference } from '../recognition';
import { LEVEL_ROLES, expectedTensors } from './backbone';
import type { Backbone } from './backbone';
import { EFFICIENTNETS, SYMMETRIC_EFFICIENTNETS, efficientNetLite0 } from './efficientnet';
import { RESNETS } from './resnet';
import { visionTransformer, vitPlan } from './vit';

/** Tensors that a published file may hold beside the layers that are tapped. */
const BESIDE =
  /(^|\.)num_batches_tracked$|^(fc|classifier|head|conv_head|bn2|norm|fc_norm|head_drop)\.|^mask_token$/;

export interface Recognised {
  readonly backbone: Backbone;
  /** What stands in front of every name in the file. */
  readonly prefix: string;
}

/** timm's names of the EfficientNets that pad symmetrically; names and shapes of tensors don't tell them apart. */
const SYMMETRIC = /^efficientnet[-_]b\d/;

interface Comparison extends Recognised, Difference {
  readonly matching: number;
  readonly expected: number;
}

/**
 * The backbone that a weights file holds, told by names and shapes alone.
 * @param stated the architecture that the file's own metadata names: asks for the EfficientNets that pad symmetrically
 * @throws model/keys with the nearest architecture and what differs, model/unknown when none is near
 */
export function recogniseBackbone(shapes: ReadonlyMap<string, Shape>, stated = ''): Recognised {
  const scaled = SYMMETRIC.test(stated) ? SYMMETRIC_EFFICIENTNETS : EFFICIENTNETS;
  const compared = PREFIXES.flatMap((prefix) => {
    const own = withoutPrefix(shapes, prefix);
    const plan = vitPlan(own);
    const candidates = [efficientNetLite0, ...scaled, ...RESNETS, ...(plan ? [visionTransformer(plan)] : [])];
    return own.size ? candidates.map((backbone) => compare(backbone, prefix, own)) : [];
  });
  const nearest = compared.sort((a, b) => likeness(b) - likeness(a) || b.matching - a.matching)[0];
  if (nearest && likeness(nearest) === 1) return nearest;
  if (!nearest || nearest.matching < nearest.expected / 2)
    throw new AppError(
      'model/unknown',
      `none of the known architectures has tensors like ${[...shapes.keys()].slice(0, 3).join(', ') || 'these'}`,
      {
        hint: 'Known are EfficientNet-Lite0 and B0 to B4, ResNet-18/34/50/101, Wide-ResNet-50-2, ViT, ResNet-50 + ViT and DINOv2 by timm or torchvision names, and CLIP of two plain transformers by open_clip or Hugging Face names.',
      },
    );
  throw new AppError(
    'model/keys',
    `this is nearly ${nearest.backbone.title}: ${describeDifference(nearest)}`,
    {
      hint: 'Use the file as timm or torchvision publish it.',
    },
  );
}

/** Share of matches among all tensors of file and network: a smaller network that the file contains isn't nearest. */
const likeness = (c: Comparison): number => c.matching / (c.expected + c.unknown.length);

function compare(backbone: Backbone, prefix: string, shapes: ReadonlyMap<string, Shape>): Comparison {
  const layers = LEVEL_ROLES.map((role) => backbone.levels[role]);
  const expected = expectedTensors(backbone, layers);
  const difference = differenceOf(expected, shapes, BESIDE);
  return {
    ...difference,
    backbone,
    prefix,
    expected: expected.size,
    matching: expected.size - difference.missing.length - difference.misshapen.length,
  };
}
