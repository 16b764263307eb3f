import { add, convTranspose, relu, slice } from '../graph/ops/index';
import type { Value } from '../graph/value';
import { kaimingNormal } from './initialisers';
import { hasInside } from './layers';
import type { NetLayers } from './layers';
import type { Net } from './net';

/** What the residual blocks of a network are like. */
export interface BlockStyle {
  /** Bottlenecks (1×1, 3×3, 1×1) instead of two 3×3. */
  readonly bottleneck: boolean;
  /** Width of the 3×3 convolution in bottlenecks, as a multiple of the usual. */
  readonly widen: number;
  /** Whether stride 2 takes odd sides without padding, 15 to 7, each window inside; for basic blocks. */
  readonly inside?: boolean;
}

const EXPANSION = 4;

/** Channels that a block of some width gives. */
export const blockChannels = ({ bottleneck }: BlockStyle, width: number): number =>
  bottleneck ? width * EXPANSION : width;

/**
 * A residual block by torchvision's key names; the 3×3 carries the stride.
 * @param activated whether a rectifier ends it; decoders of signed features leave it out at their outputs
 * @source methods.md 23.1
 */
export function residualBlock(
  layers: NetLayers,
  x: Value,
  name: string,
  style: BlockStyle,
  width: number,
  stride: 1 | 2,
  activated = true,
): Value {
  const main = style.bottleneck
    ? bottleneckPath(layers, x, name, width, stride, style.widen)
    : basicPath(layers, x, name, width, stride, style.inside);
  const centres = style.inside && stride === 2 ? centresInside(x) : x;
  const sum = add(main, shortcut(layers, centres, name, main.shape[1], stride));
  return activated ? relu(sum) : sum;
}

/** From the pixel on that the first 3×3 window inside has in its middle, to that of the last. */
const centresInside = (x: Value): Value =>
  [2, 3].reduce((map, axis) => {
    const side = x.shape[axis];
    return hasInside(side, 3) ? slice(map, axis, 1, side - 1) : map;
  }, x);

function basicPath(
  layers: NetLayers,
  x: Value,
  name: string,
  width: number,
  stride: 1 | 2,
  inside = false,
): Value {
  const inner = relu(
    layers.convNorm(x, `${name}.conv1`, `${name}.bn1`, { channels: width, kernel: 3, stride, inside }),
  );
  return layers.convNorm(inner, `${name}.conv2`, `${name}.bn2`, { channels: width, kernel: 3 });
}

function bottleneckPath(
  layers: NetLayers,
  x: Value,
  name: string,
  width: number,
  stride: 1 | 2,
  widen: number,
): Value {
  const inner = width * widen;
  const reduced = relu(layers.convNorm(x, `${name}.conv1`, `${name}.bn1`, { channels: inner, kernel: 1 }));
  const filtered = relu(
    layers.convNorm(reduced, `${name}.conv2`, `${name}.bn2`, { channels: inner, kernel: 3, stride }),
  );
  return layers.convNorm(filtered, `${name}.conv3`, `${name}.bn3`, {
    channels: width * EXPANSION,
    kernel: 1,
  });
}

function shortcut(layers: NetLayers, x: Value, name: string, channels: number, stride: 1 | 2): Value {
  if (stride === 1 && x.shape[1] === channels) return x;
  return layers.convNorm(x, `${name}.downsample.0`, `${name}.downsample.1`, { channels, kernel: 1, stride });
}

/**
 * The block turned round: a 2×2 transposed convolution of stride 2 stands where the strided 3×3 was, and in the
 * shortcut.
 * @source methods.md 9.1
 */
export function upBlock(
  net: Net,
  x: Value,
  name: string,
  style: BlockStyle,
  width: number,
  activated = true,
): Value {
  const inner = width * style.widen;
  const out = blockChannels(style, width);
  const conv = (from: Value, part: number, channels: number, kernel: 1 | 3) =>
    net.convNorm(from, `${name}.conv${part}`, `${name}.bn${part}`, { channels, kernel });
  const main = style.bottleneck
    ? conv(relu(enlarge(net, relu(conv(x, 1, inner, 1)), `${name}.conv2`, `${name}.bn2`, inner)), 3, out, 1)
    : conv(relu(enlarge(net, x, `${name}.conv1`, `${name}.bn1`, out)), 2, out, 3);
  const sum = add(main, enlarge(net, x, `${name}.upsample.0`, `${name}.upsample.1`, out));
  return activated ? relu(sum) : sum;
}

function enlarge(net: Net, x: Value, convName: string, norm: string, channels: number): Value {
  const weight = net.parameter(`${convName}.weight`, [x.shape[1], channels, 2, 2], kaimingNormal);
  return net.batchNorm(convTranspose(x, weight, undefined, { strides: [2, 2] }), norm);
}
