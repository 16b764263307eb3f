import { AppError } from '../../base/errors';
import { add, globalAveragePool, linear, relu6 } from '../../graph/ops/index';
import type { Value } from '../../graph/value';
import type { NetLayers } from '../layers';
import { TapCollector } from './backbone';
import type { Backbone } from './backbone';

/** One stage: blocks that share kernel and width; the first may stride. */
interface Stage {
  readonly repeats: number;
  readonly kernel: 3 | 5;
  readonly stride: 1 | 2;
  readonly expand: number;
  readonly channels: number;
}

/** @source methods.md 23.2 */
const LITE0_STAGES: readonly Stage[] = [
  { repeats: 1, kernel: 3, stride: 1, expand: 1, channels: 16 },
  { repeats: 2, kernel: 3, stride: 2, expand: 6, channels: 24 },
  { repeats: 2, kernel: 5, stride: 2, expand: 6, channels: 40 },
  { repeats: 3, kernel: 3, stride: 2, expand: 6, channels: 80 },
  { repeats: 3, kernel: 5, stride: 1, expand: 6, channels: 112 },
  { repeats: 4, kernel: 5, stride: 2, expand: 6, channels: 192 },
  { repeats: 1, kernel: 3, stride: 1, expand: 6, channels: 320 },
];
const STEM_CHANNELS = 32;
const HEAD_CHANNELS = 1280;
const CLASSES = 1000;

/** A depthwise-separable block: no expansion, the pointwise output linear. */
function separableBlock(layers: NetLayers, x: Value, name: string, stage: Stage): Value {
  const channels = x.shape[1];
  const inner = relu6(
    layers.convNorm(x, `${name}.conv_dw`, `${name}.bn1`, {
      channels,
      kernel: stage.kernel,
      stride: stage.stride,
      group: channels,
      same: true,
    }),
  );
  return layers.convNorm(inner, `${name}.conv_pw`, `${name}.bn2`, { channels: stage.channels, kernel: 1 });
}

/** An inverted residual: expand, depthwise, project; the projection is linear. */
function invertedResidual(layers: NetLayers, x: Value, name: string, stage: Stage, stride: 1 | 2): Value {
  const inner = x.shape[1] * stage.expand;
  const expanded = relu6(
    layers.convNorm(x, `${name}.conv_pw`, `${name}.bn1`, { channels: inner, kernel: 1 }),
  );
  const filtered = relu6(
    layers.convNorm(expanded, `${name}.conv_dw`, `${name}.bn2`, {
      channels: inner,
      kernel: stage.kernel,
      stride,
      group: inner,
      same: true,
    }),
  );
  const projected = layers.convNorm(filtered, `${name}.conv_pwl`, `${name}.bn3`, {
    channels: stage.channels,
    kernel: 1,
  });
  return stride === 1 && x.shape[1] === stage.channels ? add(projected, x) : projected;
}

/** EfficientNet-Lite0 by timm's key names. Layers: `blocks.0` … `blocks.6`, `pooled`, `logits`. */
export const efficientNetLite0: Backbone = {
  architecture: 'efficientnet-lite0',
  title: 'EfficientNet-Lite0',
  // (x − 127)/128 of 8-bit values, as the TFLite release takes them.
  normalisation: { mean: [0.498, 0.498, 0.498], std: [0.502, 0.502, 0.502] },
  levels: {
    level1: 'blocks.1',
    level2: 'blocks.2',
    level3: 'blocks.4',
    level4: 'blocks.6',
    pooled: 'pooled',
  },
  linearTaps: true,
  kernel: 'bilinear',
  // Plain blocks, two a level: the inverted ones would make the decoder as slow as the rest together.
  mirror: { style: { bottleneck: false, widen: 1 }, blocks: [2, 2, 2, 2], deepestWidth: 160 },
  sides: { multipleOf: 32, least: 64, usual: 224 },
  batchNormEpsilon: 1e-3,
  forward(layers, x, wanted) {
    const taps = new TapCollector(wanted);
    let y = relu6(
      layers.convNorm(x, 'conv_stem', 'bn1', { channels: STEM_CHANNELS, kernel: 3, stride: 2, same: true }),
    );
    for (const [i, stage] of LITE0_STAGES.entries()) {
      for (let j = 0; j < stage.repeats; j++) {
        const name = `blocks.${i}.${j}`;
        y =
          stage.expand === 1
            ? separableBlock(layers, y, name, stage)
            : invertedResidual(layers, y, name, stage, j === 0 ? stage.stride : 1);
      }
      taps.offer(`blocks.${i}`, y);
      if (taps.complete) return taps.found;
    }
    y = relu6(layers.convNorm(y, 'conv_head', 'bn2', { channels: HEAD_CHANNELS, kernel: 1 }));
    const pooled = globalAveragePool(y);
    taps.offer('pooled', pooled);
    if (wanted.includes('logits')) {
      const weight = layers.parameter('classifier.weight', [CLASSES, HEAD_CHANNELS]);
      taps.offer('logits', linear(pooled, weight, layers.parameter('classifier.bias', [CLASSES])));
    }
    if (!taps.complete)
      throw new AppError('model/keys', `EfficientNet-Lite0 has no layer among ${wanted.join(', ')}`);
    return taps.found;
  },
};
