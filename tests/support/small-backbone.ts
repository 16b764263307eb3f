/** A convolutional backbone small enough to be made, run and trained in a test, and fits on it by the engine's own context. */
import type { BackboneId, FitId, ImageId } from '../../src/base/ids';
import { Rng } from '../../src/base/rng';
import { floatTensor, sizeOf } from '../../src/base/tensor';
import type { TensorData } from '../../src/base/tensor';
import type { LoadedBackbone } from '../../src/engine/backbones';
import type { Collaborators } from '../../src/engine/collaborators';
import { EngineFitContext } from '../../src/engine/fit';
import { FitControl } from '../../src/engine/world';
import { Scorer } from '../../src/engine/scorer';
import type { ScoredImage } from '../../src/engine/scorer';
import { globalAveragePool, relu } from '../../src/graph/ops/index';
import type { Detector, MethodState } from '../../src/methods/contract';
import type { Options } from '../../src/methods/options';
import { IMAGENET, LEVEL_ROLES, TapCollector, expectedTensors } from '../../src/nn/backbones/backbone';
import type { Backbone } from '../../src/nn/backbones/backbone';
import { visionTransformer } from '../../src/nn/backbones/vit';
import { FrozenWeights } from '../../src/nn/frozen-weights';
import type { ImageSource } from '../../src/protocol/engine-api';
import type { Runtime } from '../../src/runtime/runtime';

/** Channels of each level; each halves the side. */
const CHANNELS = [6, 8, 8, 10];

const backbone: Backbone = {
  architecture: 'small',
  title: 'Small',
  normalisation: IMAGENET,
  levels: { level1: 'level1', level2: 'level2', level3: 'level3', level4: 'level4', pooled: 'pooled' },
  linearTaps: false,
  sides: { multipleOf: 8, least: 16, usual: 32 },
  kernel: 'bilinear',
  batchNormEpsilon: 1e-3,
  forward(layers, x, wanted) {
    const taps = new TapCollector(wanted);
    let y = x;
    for (const [i, channels] of CHANNELS.entries()) {
      const name = LEVEL_ROLES[i];
      y = relu(layers.convNorm(y, `${name}.conv`, `${name}.bn`, { channels, kernel: 3, stride: 2 }));
      taps.offer(name, y);
      if (taps.complete) break;
    }
    if (wanted.includes('pooled')) taps.offer('pooled', globalAveragePool(y));
    return taps.found;
  },
};

/** A transformer: its maps have no layers above them. */
export const TINY_VIT = visionTransformer({
  width: 64,
  depth: 4,
  patch: 8,
  grid: 4,
  mlp: 64,
  layerScale: false,
  registers: 0,
  positionsForPrefix: true,
  classes: 0,
});

export function smallBackbone(): LoadedBackbone {
  const tensors = [...expectedTensors(backbone, LEVEL_ROLES)].map(([name, shape]): [string, TensorData] => {
    const rng = new Rng(1, name);
    const values = Float32Array.from({ length: sizeOf(shape) }, () => {
      if (shape.length > 1) return rng.normal() * Math.sqrt(2 / sizeOf(shape.slice(1)));
      return name.endsWith('weight') || name.endsWith('var') ? rng.between(0.8, 1.2) : rng.between(-0.1, 0.1);
    });
    return [name, floatTensor(shape, values)];
  });
  return { backbone, weights: new FrozenWeights(new Map(tensors)) };
}

/** Images of a fit, [side·side] each. */
export interface Planes {
  readonly good: readonly Float32Array[];
  readonly defects: readonly Float32Array[];
}

/** A fit's world on the small backbone, checkpoints in a map. */
export function smallContext(
  runtime: Runtime,
  detector: Detector,
  { good, defects }: Planes,
  options: { side: number; seed?: number; control?: FitControl; pieces?: Map<string, TensorData> },
): EngineFitContext {
  const { side, seed = 0, control = new FitControl(), pieces = new Map<string, TensorData>() } = options;
  const planes = new Map<string, Float32Array>();
  const add = (name: string, plane: Float32Array): ImageSource => {
    planes.set(name, plane);
    return { id: name as ImageId, name, blob: new Blob() };
  };
  const images = {
    good: good.map((plane, i) => add(`good.${i}`, plane)),
    defects: defects.map((plane, i) => ({ image: add(`defect.${i}`, plane), classIndex: 1 })),
  };
  const collaborators = {
    loadPixels: async ({ name }: ImageSource) => planes.get(name)!.slice(),
    checkpoints: {
      get: async (_id: FitId, key: string) => pieces.get(key),
      put: async (_id: FitId, key: string, piece: TensorData) => void pieces.set(key, structuredClone(piece)),
      clear: async () => pieces.clear(),
    },
  } as unknown as Collaborators;
  const spec = {
    fitId: 'fit' as FitId,
    method: '',
    options: {},
    backboneId: 'small' as BackboneId,
    side,
    seed,
    white: 255,
  };
  return new EngineFitContext(runtime, smallBackbone(), detector, spec, images, collaborators, control);
}

/** Scores images with a fit on the small backbone, all together. */
export async function scoreSmall<O extends Options>(
  runtime: Runtime,
  detector: Detector<O>,
  state: MethodState,
  options: O,
  images: readonly Float32Array[],
): Promise<ScoredImage[]> {
  const side = Math.sqrt(images[0].length);
  const size = { side, batch: images.length, heldOut: false, priority: 'fit' } as const;
  const scorer = await Scorer.open(runtime, smallBackbone(), detector, state, options, size);
  return scorer.score(images);
}
