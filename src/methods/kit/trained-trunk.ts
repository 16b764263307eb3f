import { sizeOf } from '../../base/tensor';
import type { Shape } from '../../base/tensor';
import { GraphBuilder } from '../../graph/builder';
import type { Value } from '../../graph/value';
import { emitTaps, halfSide, halved, tapShapes } from '../../nn/backbones/backbone';
import type { Backbone, TapRole } from '../../nn/backbones/backbone';
import { upperPart } from '../../nn/backbones/upper-part';
import { DeclaringNet } from '../../nn/net';
import type { Net } from '../../nn/net';
import { residualBlock } from '../../nn/residual-blocks';
import type { FitContext, FitSize, Inputs, MethodState } from '../contract';
import { tapShapesOf } from './packed-taps';
import type { NetRole } from './training-graph';

/** What a trunk on the frozen backbone is fed with: the third level of the image and of the halved one. */
export const TRUNK_LEVELS = ['level3', 'half3'] as const satisfies readonly TapRole[];

/** The last stage of a ResNet-18. @source methods.md 14.6 */
const BLOCKS = 2;
const WIDTH = 512;

/** The images that features are of, and the network that gave them. */
type Origin = Pick<FitSize, 'backbone' | 'side'>;

/** The trained part below the heads, from what is known of an image to features of two scales. */
export interface Trunk {
  /** The network's name in a state. */
  readonly net: 'upper' | 'stage' | 'backbone';
  /** Of what it is fed with, for one image. */
  shapes(size: FitSize): readonly Shape[];
  /** What it is fed with, [B, …shape] each. */
  parts(inputs: Inputs): readonly Value[];
  /** Features of the image and of the halved one, [B,C,h,w] each. */
  scales(net: Net, parts: readonly Value[], origin: Origin): readonly Value[];
}

const onThirdLevel: Pick<Trunk, 'shapes' | 'parts'> = {
  shapes: (size) => tapShapesOf(size, TRUNK_LEVELS),
  parts: ({ taps }) => TRUNK_LEVELS.map((level) => taps[level]!),
};

const lastLayers = (net: Net, x: Value, backbone: Backbone, side: number): Value | undefined =>
  upperPart(backbone, net, x, side, 'level3', 'level4');

/** The backbone's own layers above the third level. @source methods.md 14.6 */
const upper: Trunk = {
  ...onThirdLevel,
  net: 'upper',
  scales: (net, [level3, half3], { backbone, side }) => [
    lastLayers(net, level3, backbone, side)!,
    lastLayers(net, half3, backbone, halfSide(backbone, side))!,
  ],
};

/** Layer4 of a ResNet-18, for backbones whose layers above a feature map can't be had by themselves. */
const stage: Trunk = {
  ...onThirdLevel,
  net: 'stage',
  scales: (net, parts) =>
    parts.map((part) => {
      let x = part;
      for (let block = 0; block < BLOCKS; block++)
        x = residualBlock(net, x, `layer4.${block}`, { bottleneck: false, widen: 1 }, WIDTH, block ? 1 : 2);
      return x;
    }),
};

/** The backbone itself, trained as a whole, on pixels. */
const whole: Trunk = {
  net: 'backbone',
  shapes: ({ side }) => [[1, side, side]],
  parts: ({ image }) => [image],
  scales: (net, [image], { backbone }) =>
    [image, halved(backbone, image)].map((grey) => emitTaps(backbone, net, grey, ['level4']).level4!),
};

export function trunkOf(form: string, backbone: Backbone): Trunk {
  if (form === 'full') return whole;
  const side = backbone.sides.usual;
  const graph = new GraphBuilder();
  const level3 = graph.placeholder('float32', [1, ...tapShapes(backbone, side, ['level3']).level3!]);
  return lastLayers(new DeclaringNet(graph), level3, backbone, side) ? upper : stage;
}

/** Batch norms stay as they are: batches are few images. @source methods.md 14.8 */
export const trunkRole = ({ net }: Trunk, backbone: Backbone): NetRole => ({
  frozen: true,
  ...(net !== 'stage' && { epsilon: backbone.batchNormEpsilon }),
  optimiser: { kind: 'adam', weightDecay: 1e-5 },
});

/** Writes a trunk for the names of its tensors and the shapes of its features. */
function declared(trunk: Trunk, size: FitSize): { net: DeclaringNet; scales: readonly Value[] } {
  const graph = new GraphBuilder();
  const net = new DeclaringNet(graph);
  const parts = trunk.shapes(size).map((shape) => graph.placeholder('float32', [1, ...shape]));
  return { net, scales: trunk.scales(net, parts, size) };
}

/** Values of one image's features, both scales together. */
export const trunkWidth = (trunk: Trunk, size: FitSize): number =>
  declared(trunk, size).scales.reduce((sum, { shape }) => sum + sizeOf(shape), 0);

/** The trunk's tensors as the backbone has them; undefined for a stage of its own. */
export function pretrained(trunk: Trunk, context: FitContext): MethodState | undefined {
  if (trunk.net === 'stage') return undefined;
  const { net } = declared(trunk, context);
  const weights = context.backboneWeights();
  return Object.fromEntries(
    [...net.parameters.slots, ...net.statistics.slots].map(({ name, shape }) => [
      `${trunk.net}.${name}`,
      weights.get(name, shape),
    ]),
  );
}
