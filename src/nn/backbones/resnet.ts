import { AppError } from '../../base/errors';
import { globalAveragePool, linear, maxPool, relu } from '../../graph/ops/index';
import { residualBlock } from '../residual-blocks';
import type { BlockStyle } from '../residual-blocks';
import { IMAGENET, TapCollector } from './backbone';
import type { Backbone } from './backbone';

interface ResNetPlan extends BlockStyle {
  readonly architecture: string;
  readonly title: string;
  readonly blocks: readonly [number, number, number, number];
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

const CLASSES = 1000;

function resNet(plan: ResNetPlan): Backbone {
  return {
    architecture: plan.architecture,
    title: plan.title,
    normalisation: IMAGENET,
    levels: { level1: 'layer1', level2: 'layer2', level3: 'layer3', level4: 'layer4', pooled: 'pooled' },
    linearTaps: false,
    kernel: 'bilinear',
    mirror: { style: plan, blocks: plan.blocks, deepestWidth: 512 },
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
          y = residualBlock(layers, y, name, plan, width, stride);
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
