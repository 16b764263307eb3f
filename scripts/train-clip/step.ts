import { floatTensor } from '../../src/base/tensor';
import { add, concat, mul, slice } from '../../src/graph/ops/index';
import type { Value } from '../../src/graph/value';
import { declareNets } from '../../src/methods/kit/training-graph';
import type { NetLayouts, StepSpec } from '../../src/methods/kit/training-graph';
import {
  alignmentLoss,
  contrastiveLoss,
  groupVectors,
  logitScale,
  patchCosines,
} from '../../src/nn/clip/alignment';
import { STEM_CHANNELS } from '../../src/nn/clip/config';
import type { ClipConfig } from '../../src/nn/clip/config';
import { dualLevels } from '../../src/nn/clip/dual-path';
import { TextTower } from '../../src/nn/clip/text';
import { VisionTower } from '../../src/nn/clip/vision';
import { CLASS_NAMES } from '../../src/sample/classes';
import { encoderLayers } from './encoder';
import { NORMAL, PATTERN } from './pictures';

/** What a training step is made for. */
export interface StepShape {
  readonly config: ClipConfig;
  /** Class of each image of a batch, the same in every batch. */
  readonly classes: readonly number[];
  /** Side of the images' grid. */
  readonly grid: number;
  /** Captions of each group. */
  readonly each: number;
  /** Tokens of the longest caption. */
  readonly tokens: number;
}

/** Weights of the losses beside those of the detailed captions on whole images and on the last level's patches. */
const DEEP = 0.5;
const VALUES = 0.5;
const GENERIC = 0.5;

/**
 * One step by AdamW. Captions are drawn by group, not by image, so that every batch has every class's text: the
 * contrastive loss takes all of a class for true of its images. Good and bad in general are told apart by losses of
 * their own, since their captions are true beside the detailed ones.
 */
export function trainingStep({ config, classes, grid, each, tokens }: StepShape): StepSpec {
  const adamW = (weightDecay: number) => ({ kind: 'adamw', betas: [0.9, 0.98], weightDecay }) as const;
  const batch = classes.length;
  const count = CLASS_NAMES.length;
  const bad = classes.map((of) => Number(of !== NORMAL));
  return {
    nets: { matrices: { optimiser: adamW(0.05) }, vectors: { optimiser: adamW(0) } },
    clipNorm: 1,
    build({ graph, net, input }) {
      const layers = encoderLayers(net, config);
      const vision = new VisionTower(layers, config);
      const text = new TextTower(layers, config);
      const blocks = vision.run(vision.place(input('stem', [batch, STEM_CHANNELS, grid, grid])));
      const captions = (count + 2) * each;
      const rows = input('tokens', [captions, tokens], 'int32');
      const texts = text.encode(text.lookUp(rows), input('ends', [captions], 'int32'));
      const weights = input('weights', [batch, grid ** 2, count]);
      const genericWeights = input('genericWeights', [batch, grid ** 2, 2]);
      const [detailed, generic] = [slice(texts, 0, 0, count * each), slice(texts, 0, count * each)];
      const scale = logitScale(layers);

      const image = vision.projectClass(blocks[config.vision.layers]);
      const contrast = (own: Value, groupOf: readonly number[]): Value => {
        const truth = groupOf.flatMap((group) =>
          Array.from({ length: own.shape[0] }, (_, i) => Number(Math.floor(i / each) === group)),
        );
        const table = floatTensor([batch, own.shape[0]], Float32Array.from(truth));
        return contrastiveLoss(image, own, graph.constant(table), scale);
      };
      const vectors = concat([groupVectors(detailed, count), groupVectors(generic, 2)], 0);
      const align = (patches: Value): Value => {
        const cosines = patchCosines(patches, vectors);
        const ofClass = alignmentLoss(slice(cosines, 2, 0, count), weights, scale);
        return add(ofClass, mul(alignmentLoss(slice(cosines, 2, count), genericWeights, scale), GENERIC));
      };

      const levels = dualLevels(vision, blocks);
      const plain = levels.map((level) => align(vision.projectPatches(level.tokens)));
      const terms = {
        class: contrast(detailed, classes),
        generic: contrast(generic, bad),
        patch: plain[plain.length - 1],
        deep: mean(plain.slice(0, -1)),
        values: mean(levels.map((level) => align(level.projectedValues))),
      };
      const shares = { class: 1, generic: GENERIC, patch: 1, deep: DEEP, values: VALUES };
      const loss = Object.entries(terms)
        .map(([name, term]) => mul(term, shares[name as keyof typeof terms]))
        .reduce((sum, term) => add(sum, term));
      return { loss, terms: { ...terms, scale } };
    },
  };
}

/** Where the encoder's parameters stand in their vectors: the same for batches of any shape. */
export const encoderLayouts = (config: ClipConfig): NetLayouts =>
  declareNets([trainingStep({ config, classes: PATTERN, grid: 1, each: 1, tokens: 1 })]);

const mean = (values: readonly Value[]): Value =>
  mul(
    values.reduce((sum, value) => add(sum, value)),
    1 / values.length,
  );
