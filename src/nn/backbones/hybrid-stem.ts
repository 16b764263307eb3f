import { sizeOf } from '../../base/tensor';
import {
  add,
  addPerChannel,
  conv,
  div,
  maxPool,
  mul,
  reduceMean,
  relu,
  reshape,
  sqrt,
  sub,
} from '../../graph/ops/index';
import type { Value } from '../../graph/value';
import { convGeometry, convPads } from '../layers';
import type { ConvNormOptions, NetLayers } from '../layers';
import { affine } from '../transformer';

/** Sides of the image over sides of the stem's map. */
export const HYBRID_REDUCTION = 16;

const STEM_CHANNELS = 64;
/** Blocks of each stage, and what each gives. */
const STAGES = [
  { blocks: 3, channels: 256 },
  { blocks: 4, channels: 512 },
  { blocks: 9, channels: 1024 },
] as const;
const GROUPS = 32;
const GROUP_EPSILON = 1e-5;
const WEIGHT_EPSILON = 1e-8;

/**
 * Mean 0 and variance 1 over the last two axes, [B,C,H,W]. Written out: behind the stem WebGPU is then 7e-5 of the
 * largest value away from WebAssembly; with ONNX's InstanceNormalization, one pass over squares, it is 3e-3.
 */
function standardised(x: Value, epsilon: number): Value {
  const centred = sub(x, reduceMean(x, [2, 3], true));
  const variance = reduceMean(mul(centred, centred), [2, 3], true);
  return div(centred, sqrt(add(variance, epsilon)));
}

/** A convolution whose kernels are standardised, each over all its weights; padded as TensorFlow does. */
function standardConv(layers: NetLayers, x: Value, name: string, options: ConvNormOptions): Value {
  const { shape, options: geometry } = convGeometry(x, { ...options, same: true });
  const weight = layers.parameter(`${name}.weight`, shape);
  const kernels = reshape(weight, [1, shape[0], sizeOf(shape.slice(1)), 1]);
  return conv(x, reshape(standardised(kernels, WEIGHT_EPSILON), shape), undefined, geometry);
}

/** Standardised over each of 32 groups of channels, then one scale and shift a channel. */
function groupNorm(layers: NetLayers, x: Value, name: string): Value {
  const [batch, channels, height, width] = x.shape;
  const { weight, bias } = affine(layers, name, [channels], [channels]);
  const groups = reshape(x, [batch, GROUPS, (channels / GROUPS) * height, width]);
  const normed = reshape(standardised(groups, GROUP_EPSILON), x.shape);
  return addPerChannel(mul(normed, reshape(weight, [1, -1, 1, 1])), bias);
}

function bottleneck(layers: NetLayers, x: Value, name: string, channels: number, stride: 1 | 2): Value {
  const convNorm = (from: Value, convName: string, norm: string, options: ConvNormOptions) =>
    groupNorm(layers, standardConv(layers, from, `${name}.${convName}`, options), `${name}.${norm}`);
  const inner = channels / 4;
  const shortcut =
    x.shape[1] === channels
      ? x
      : convNorm(x, 'downsample.conv', 'downsample.norm', { channels, kernel: 1, stride });
  const reduced = relu(convNorm(x, 'conv1', 'norm1', { channels: inner, kernel: 1 }));
  const filtered = relu(convNorm(reduced, 'conv2', 'norm2', { channels: inner, kernel: 3, stride }));
  return relu(add(convNorm(filtered, 'conv3', 'norm3', { channels, kernel: 1 }), shortcut));
}

/**
 * The convolutional stem of a hybrid transformer: a ResNet-50 of standardised kernels and group norms up to its third
 * stage, by timm's names under `patch_embed.backbone`.
 * @param x normalised images, [B,3,H,W]
 * @returns [B,1024,H/16,W/16]
 * @source Kolesnikov et al., "Big Transfer", 2020 (the ResNet); Dosovitskiy et al., 2021 (the hybrid)
 */
export function hybridStem(layers: NetLayers, x: Value): Value {
  const name = 'patch_embed.backbone';
  const stem = { channels: STEM_CHANNELS, kernel: 7, stride: 2 } as const;
  const first = standardConv(layers, x, `${name}.stem.conv`, stem);
  let y = relu(groupNorm(layers, first, `${name}.stem.norm`));
  const window = { ...stem, kernel: 3, same: true };
  y = maxPool(y, { kernel: [3, 3], strides: [2, 2], pads: convPads(y.shape.slice(2), window) });
  STAGES.forEach(({ blocks, channels }, stage) => {
    for (let i = 0; i < blocks; i++)
      y = bottleneck(layers, y, `${name}.stages.${stage}.blocks.${i}`, channels, stage && !i ? 2 : 1);
  });
  return y;
}
