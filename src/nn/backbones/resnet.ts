import { AppError } from '../../base/errors';
import { add, globalAveragePool, linear, maxPool, relu } from '../../graph/ops/index';
import type { Value } from '../../graph/value';
import type { NetLayers } from '../layers';
import { IMAGENET, TapCollector } from './backbone';
import type { Backbone } from './backbone';

interface ResNetPlan {
  readonly architecture: string;
  readonly title: string;
  readonly blocks: readonly [number, number, number, number];
  /** Bottlenecks (1×1, 3×3, 1×1) instead of two 3×3. */
  readonly bottleneck: boolean;
  /** Width of the 3×3 convolution in bottlenecks, as a multiple of the usual. */
  readonly widen: number;
}

/** @source methods.md 23.1 */
const PLANS: readonly ResNetPlan[] = [
  { architecture: 'resnet18', title: 'ResNet-18', blocks: [2, 2, 2, 2], bottleneck: false, widen: 1 },
  { architecture: 'resnet34', title: 'ResNet-34', blocks: [3, 4, 6, 3], bottleneck: false, widen: 1 },
  { architecture: 'resnet50', title: 'ResNet-50', blocks: [3, 4, 6, 3], bottleneck: true, widen: 1 },
  { architecture: 'resnet101', title: 'ResNet-101', blocks: [3, 4, 23, 3], bottleneck: true, widen: 1 },
  {
    architecture: 'wide-resnet50-2',
    title: 'Wide-ResNet-50-2',
    blocks: [3, 4, 6, 3],
    bottleneck: true,
    widen: 2,
  },
];

const EXPANSION = 4;
const CLASSES = 1000;

function basicBlock(layers: NetLayers, x: Value, name: string, width: number, stride: 1 | 2): Value {
  const inner = relu(
    layers.convNorm(x, `${name}.conv1`, `${name}.bn1`, { channels: width, kernel: 3, stride }),
  );
  const main = layers.convNorm(inner, `${name}.conv2`, `${name}.bn2`, { channels: width, kernel: 3 });
  return relu(add(main, shortcut(layers, x, name, width, stride)));
}

/** The 3×3 carries the stride, as torchvision and timm have it. */
function bottleneck(
  layers: NetLayers,
  x: Value,
  name: string,
  width: number,
  stride: 1 | 2,
  widen: number,
): Value {
  const inner = width * widen;
  const out = width * EXPANSION;
  const reduced = relu(layers.convNorm(x, `${name}.conv1`, `${name}.bn1`, { channels: inner, kernel: 1 }));
  const filtered = relu(
    layers.convNorm(reduced, `${name}.conv2`, `${name}.bn2`, { channels: inner, kernel: 3, stride }),
  );
  const main = layers.convNorm(filtered, `${name}.conv3`, `${name}.bn3`, { channels: out, kernel: 1 });
  return relu(add(main, shortcut(layers, x, name, out, stride)));
}

function shortcut(layers: NetLayers, x: Value, name: string, channels: number, stride: 1 | 2): Value {
  if (stride === 1 && x.shape[1] === channels) return x;
  return layers.convNorm(x, `${name}.downsample.0`, `${name}.downsample.1`, { channels, kernel: 1, stride });
}

function resNet(plan: ResNetPlan): Backbone {
  return {
    architecture: plan.architecture,
    title: plan.title,
    normalisation: IMAGENET,
    levels: { level1: 'layer1', level2: 'layer2', level3: 'layer3', level4: 'layer4' },
    linearTaps: false,
    sides: { multipleOf: 32, least: 64, usual: 224 },
    batchNormEpsilon: 1e-5,
    forward(layers, x, wanted) {
      const taps = new TapCollector(wanted);
      let y = relu(layers.convNorm(x, 'conv1', 'bn1', { channels: 64, kernel: 7, stride: 2 }));
      taps.offer('act1', y);
      if (taps.complete) return taps.found;
      y = maxPool(y, { kernel: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] });
      for (const [stage, repeats] of plan.blocks.entries()) {
        for (let block = 0; block < repeats; block++) {
          const name = `layer${stage + 1}.${block}`;
          const width = 64 << stage;
          const stride = stage > 0 && block === 0 ? 2 : 1;
          y = plan.bottleneck
            ? bottleneck(layers, y, name, width, stride, plan.widen)
            : basicBlock(layers, y, name, width, stride);
        }
        taps.offer(`layer${stage + 1}`, y);
        if (taps.complete) return taps.found;
      }
      const pooled = globalAveragePool(y);
      taps.offer('pooled', pooled);
      if (wanted.includes('logits')) {
        const weight = layers.parameter('fc.weight', [CLASSES, pooled.shape[1]]);
        taps.offer('logits', linear(pooled, weight, layers.parameter('fc.bias', [CLASSES])));
      }
      if (!taps.complete)
        throw new AppError('model/keys', `${plan.title} has no layer among ${wanted.join(', ')}`);
      return taps.found;
    },
  };
}

/** ResNets by torchvision's and timm's key names. Layers: `act1`, `layer1` … `layer4`, `pooled`, `logits`. */
export const RESNETS: readonly Backbone[] = PLANS.map(resNet);
