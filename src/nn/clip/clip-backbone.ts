import {
  concat,
  matMul,
  mul,
  reduceMean,
  reduceSum,
  reshape,
  slice,
  sqrt,
  sub,
  transpose,
} from '../../graph/ops/index';
import type { Value } from '../../graph/value';
import type { Backbone, Level, TapRole } from '../backbones/backbone';
import { efficientNetLite0 } from '../backbones/efficientnet';
import { clipTitle } from './config';
import type { ClipConfig } from './config';
import { accumulatedValues, dualLevels } from './dual-path';
import { semStem } from './sem-encoder';
import { CLIP_NORMALISATION, VisionTower } from './vision';
import { WINDOW_SIDES, windowEmbeddings } from './windows';
import type { PatchGrid } from './windows';

const LEVELS: readonly Level[] = [1, 2, 3, 4];

/** Tensors beside the towers, in files of encoders that know what they were trained on. */
export const FAMILIAR = { mean: 'familiar.mean', whitening: 'familiar.whitening' } as const;

/** Blocks before PromptAD's two galleries, of twelve. @source methods.md 13.3 */
const GALLERIES = { gallery1: 3, gallery2: 8 } as const;
const OF_BLOCKS = 12;

/** Every part has a layer of its name. */
const ROLES: readonly TapRole[] = [
  ...LEVELS.flatMap((level): TapRole[] => [
    `level${level}`,
    `tokens${level}`,
    `patches${level}`,
    `values${level}`,
  ]),
  'classes',
  'pooled',
  'finalPatches',
  ...WINDOW_SIDES.map((side): TapRole => `windows${side}`),
  'accumulated',
  'gallery1',
  'gallery2',
];

/**
 * A CLIP's vision tower as a backbone: feature maps of four levels as of any other, and tokens on both paths. Beside
 * the tower's tensors the SEM encoder needs those of EfficientNet-Lite0, under timm's names.
 * @param knowing whether there are the tensors that tell strange images
 */
export function clipBackbone(config: ClipConfig, knowing = false): Backbone {
  const stem = config.input === 'stem';
  const [patch, side] = [config.patch, config.imageSide];
  return {
    architecture: `clip-${config.vision.width}-${patch}-${side}`,
    title: clipTitle(config),
    normalisation: stem ? efficientNetLite0.normalisation : CLIP_NORMALISATION,
    levels: Object.fromEntries(
      [...ROLES, ...(knowing ? ['strangeness'] : [])].map((role) => [role, role]),
    ) as unknown as Backbone['levels'],
    linearTaps: true,
    clip: config,
    sides: { multipleOf: patch, least: patch, usual: side },
    kernel: 'bicubic',
    batchNormEpsilon: stem ? efficientNetLite0.batchNormEpsilon : 0,
    forward(layers, x, wanted) {
      const tower = new VisionTower(layers, config);
      const placed = tower.place(stem ? semStem(layers, x) : x);
      const blocks = tower.run(placed);
      const grid = [x.shape[2] / patch, x.shape[3] / patch] as const;
      const found: Record<string, Value> = {};
      // What nobody wants isn't in the program.
      const offer = (role: TapRole, value: () => Value) => {
        if (wanted.includes(role)) found[role] = value();
      };
      const dual = wanted.some((name) => name.startsWith('values')) ? dualLevels(tower, blocks) : [];
      LEVELS.forEach((level, i) => {
        const tokens = blocks[config.stages[i]];
        offer(`tokens${level}`, () => tokens);
        offer(`level${level}`, () => mapOf(tokens, grid));
        offer(`patches${level}`, () => tower.projectPatches(tokens));
        offer(`values${level}`, () => dual[i].projectedValues);
      });
      offer('classes', () => {
        const classes = config.stages.map((end) => tower.projectClass(blocks[end]));
        return concat(
          classes.map((own) => reshape(own, [own.shape[0], 1, config.embed])),
          1,
        );
      });
      offer('pooled', () => tower.projectClass(blocks[config.vision.layers]));
      offer('finalPatches', () => tower.post(slice(blocks[config.vision.layers], 1, 1)));
      for (const own of WINDOW_SIDES)
        offer(`windows${own}`, () => windowEmbeddings(tower, placed, grid, own));
      offer('accumulated', () => tower.projectPatches(accumulatedValues(tower, blocks)));
      for (const role of ['gallery1', 'gallery2'] as const)
        offer(role, () => slice(blocks[galleryBlock(role, config)], 1, 1));
      offer('strangeness', () => {
        const { width } = config.vision;
        const mean = reduceMean(slice(blocks[config.stages[0]], 1, 1), [1]);
        const difference = sub(mean, layers.parameter(FAMILIAR.mean, [width]));
        const whitened = matMul(difference, layers.parameter(FAMILIAR.whitening, [width, width]));
        return sqrt(reduceSum(mul(whitened, whitened), [1]));
      });
      return found;
    },
  };
}

/** Block, counted from 1, behind which a gallery lies: as deep as in a tower of twelve. */
const galleryBlock = (role: keyof typeof GALLERIES, { vision }: ClipConfig): number =>
  Math.max(1, Math.round((GALLERIES[role] * vision.layers) / OF_BLOCKS));

/** Patches as a feature map: [B,1+T,w] to [B,w,rows,columns]. */
function mapOf(tokens: Value, [rows, columns]: PatchGrid): Value {
  const [batch, , width] = tokens.shape;
  return reshape(transpose(slice(tokens, 1, 1), [0, 2, 1]), [batch, width, rows, columns]);
}
