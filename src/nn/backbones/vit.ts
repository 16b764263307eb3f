import { AppError } from '../../base/errors';
import { formatShape } from '../../base/tensor';
import type { Shape } from '../../base/tensor';
import {
  add,
  concat,
  conv,
  expand,
  gelu,
  layerNorm,
  linear,
  reshape,
  slice,
  transpose,
} from '../../graph/ops/index';
import { applySeparable, bicubicMatrix } from '../../graph/ops/resize';
import type { Value } from '../../graph/value';
import type { NetLayers } from '../layers';
import { affine, transformerBlock } from '../transformer';
import type { BlockParameters } from '../transformer';
import { IMAGENET, TapCollector } from './backbone';
import type { Backbone } from './backbone';
import { HYBRID_REDUCTION, hybridStem } from './hybrid-stem';

/** What the shapes of a timm vision transformer tell about it. */
interface VitPlan {
  readonly width: number;
  readonly depth: number;
  readonly patch: number;
  /** Whether the transformer reads a ResNet's map, one token a position, instead of pixels. */
  readonly hybrid?: boolean;
  /** Side of the stored position grid. */
  readonly grid: number;
  readonly mlp: number;
  readonly layerScale: boolean;
  readonly registers: number;
  /** Whether CLS and registers have positions of their own. */
  readonly positionsForPrefix: boolean;
  readonly classes: number;
}

const HEAD_WIDTH = 64;
const EPSILON = 1e-6;
/** Blocks that stand for the four levels, as shares of the depth. */
const LEVEL_SHARES = [1 / 4, 1 / 2, 3 / 4, 1] as const;

/** The plan that a file's shapes describe; `undefined` when they are no timm ViT's. */
export function vitPlan(shapes: ReadonlyMap<string, Shape>): VitPlan | undefined {
  const patchEmbed = shapes.get('patch_embed.proj.weight');
  const positions = shapes.get('pos_embed');
  if (patchEmbed?.length !== 4 || positions?.length !== 3 || !shapes.has('cls_token')) return undefined;
  // Every tensor of a block tells of it: a file that lacks one is still nearly this network.
  const names = [...shapes.keys()];
  const depth = new Set(names.flatMap((name) => /^blocks\.\d+\./.exec(name) ?? [])).size;
  const registers = shapes.get('reg_token')?.[1] ?? 0;
  const withPrefix = Math.sqrt(positions[1] - 1);
  const positionsForPrefix = Number.isInteger(withPrefix);
  const grid = positionsForPrefix ? withPrefix : Math.sqrt(positions[1]);
  if (!Number.isInteger(grid) || depth === 0 || patchEmbed[0] % HEAD_WIDTH) return undefined;
  const hybrid = names.some((name) => name.startsWith('patch_embed.backbone.'));
  return {
    width: patchEmbed[0],
    depth,
    patch: hybrid ? HYBRID_REDUCTION : patchEmbed[2],
    hybrid,
    grid,
    mlp: shapes.get('blocks.0.mlp.fc1.weight')?.[0] ?? 4 * patchEmbed[0],
    layerScale: names.some((name) => /^blocks\.\d+\.ls[12]\.gamma$/.test(name)),
    registers,
    positionsForPrefix,
    classes: shapes.get('head.weight')?.[0] ?? 0,
  };
}

/** What a file of such a plan is called: architecture and title. */
function nameOf({ width, patch, hybrid, layerScale, registers }: VitPlan): readonly [string, string] {
  const size = ({ 192: 'tiny', 384: 'small', 768: 'base', 1024: 'large' } as Record<number, string>)[width];
  const name = size ?? String(width);
  if (hybrid) return [`vit-${name}-r50-s${patch}`, `ResNet-50 + ViT ${name}`];
  const architecture = `${layerScale ? 'dinov2' : 'vit'}-${name}-patch${patch}`;
  return [
    registers ? `${architecture}-reg${registers}` : architecture,
    `${layerScale ? 'DINOv2' : 'ViT'} ${name}, patch ${patch}`,
  ];
}

/**
 * A timm vision transformer (DINOv2 and the hybrid on a ResNet among them). Layers: `stem` (the hybrid's map),
 * `embedded` (after the positions) and `block.1` … as tokens [B,prefix+T,width], `norm`, `pooled` (the class token),
 * `logits`; `map.i` are block i's patch tokens as a map.
 */
export function visionTransformer(plan: VitPlan): Backbone {
  const level = (share: number) => `map.${Math.max(1, Math.round(plan.depth * share))}`;
  const [level1, level2, level3, level4] = LEVEL_SHARES.map(level);
  // Weights that carry layer scale are DINOv2's, normalised as ImageNet; others are timm's "augreg", by 0.5.
  const half = { mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] } as const;
  const [architecture, title] = nameOf(plan);
  return {
    architecture,
    title,
    normalisation: plan.layerScale ? IMAGENET : half,
    levels: { level1, level2, level3, level4, pooled: 'pooled' },
    linearTaps: true,
    kernel: 'bilinear',
    sides: {
      multipleOf: plan.patch,
      least: 4 * plan.patch,
      usual: plan.patch * Math.round(224 / plan.patch),
    },
    batchNormEpsilon: 0,
    forward: (layers, x, wanted) => forward(plan, layers, x, wanted),
  };
}

function forward(
  plan: VitPlan,
  layers: NetLayers,
  x: Value,
  wanted: readonly string[],
): Readonly<Record<string, Value>> {
  const taps = new TapCollector(wanted);
  const grid = [x.shape[2] / plan.patch, x.shape[3] / plan.patch] as const;
  if (!grid.every(Number.isInteger))
    throw new AppError(
      'fit/backbone',
      `an image of ${formatShape(x.shape.slice(2))} is no multiple of ${plan.patch}`,
    );
  const cells = plan.hybrid ? hybridStem(layers, x) : x;
  if (plan.hybrid) taps.offer('stem', cells);
  if (taps.complete) return taps.found;
  let tokens = embed(plan, layers, cells, grid);
  taps.offer('embedded', tokens);
  for (let i = 1; i <= plan.depth && !taps.complete; i++) {
    tokens = layers.graph.scope(`blocks.${i - 1}`, () =>
      transformerBlock(tokens, blockParameters(plan, layers, `blocks.${i - 1}`), {
        heads: plan.width / HEAD_WIDTH,
        epsilon: EPSILON,
        activation: gelu,
      }),
    );
    taps.offer(`block.${i}`, tokens);
    if (wanted.includes(`map.${i}`)) taps.offer(`map.${i}`, toMap(plan, tokens, grid));
  }
  if (taps.complete) return taps.found;
  const norm = affine(layers, 'norm', [plan.width], [plan.width]);
  const normed = layerNorm(tokens, norm.weight, norm.bias, EPSILON);
  taps.offer('norm', normed);
  const pooled = reshape(slice(normed, 1, 0, 1), [x.shape[0], plan.width]);
  taps.offer('pooled', pooled);
  if (wanted.includes('logits') && plan.classes) {
    const head = affine(layers, 'head', [plan.classes, plan.width], [plan.classes]);
    taps.offer('logits', linear(pooled, head.weight, head.bias));
  }
  if (!taps.complete) throw new AppError('model/keys', `this ViT has no layer among ${wanted.join(', ')}`);
  return taps.found;
}

/**
 * Patches as tokens, with class and register tokens in front and positions added.
 * @param x pixels, or a hybrid's map [B,C,h,w], whose positions are patches
 */
function embed(plan: VitPlan, layers: NetLayers, x: Value, grid: readonly [number, number]): Value {
  const { width } = plan;
  const [batch, channels, height] = x.shape;
  const patch = height / grid[0];
  const projection = affine(layers, 'patch_embed.proj', [width, channels, patch, patch], [width]);
  const patches = conv(x, projection.weight, projection.bias, { strides: [patch, patch] });
  const tokens = transpose(reshape(patches, [batch, width, grid[0] * grid[1]]), [0, 2, 1]);
  const repeat = (token: Value) => expand(token, [batch, ...token.shape.slice(1)]);
  const cls = layers.parameter('cls_token', [1, 1, width]);
  const registers = plan.registers ? [layers.parameter('reg_token', [1, plan.registers, width])] : [];
  const count = plan.grid ** 2;
  if (!plan.positionsForPrefix) {
    const positions = layers.parameter('pos_embed', [1, count, width]);
    return concat([repeat(cls), ...registers.map(repeat), add(tokens, resampled(plan, positions, grid))], 1);
  }
  const positions = layers.parameter('pos_embed', [1, count + 1, width]);
  const own = slice(positions, 1, 0, 1);
  const spatial = resampled(plan, slice(positions, 1, 1), grid);
  return concat([repeat(add(cls, own)), ...registers.map(repeat), add(tokens, spatial)], 1);
}

/** Positions for another grid: bicubic with antialiasing, as timm and open_clip do it. [1,n,width] */
export function resampled(
  plan: { readonly grid: number },
  positions: Value,
  grid: readonly [number, number],
): Value {
  if (grid[0] === plan.grid && grid[1] === plan.grid) return positions;
  const width = positions.shape[2];
  const map = transpose(reshape(positions, [plan.grid, plan.grid, width]), [2, 0, 1]);
  const resized = applySeparable(map, bicubicMatrix(plan.grid, grid[0]), bicubicMatrix(plan.grid, grid[1]));
  return reshape(transpose(resized, [1, 2, 0]), [1, grid[0] * grid[1], width]);
}

/** Patch tokens as a feature map [B,width,h,w]. */
function toMap(plan: VitPlan, tokens: Value, [h, w]: readonly [number, number]): Value {
  const patches = slice(tokens, 1, 1 + plan.registers);
  return reshape(transpose(patches, [0, 2, 1]), [tokens.shape[0], plan.width, h, w]);
}

function blockParameters(
  { width, mlp, layerScale }: VitPlan,
  layers: NetLayers,
  name: string,
): BlockParameters {
  const norm = (part: string) => affine(layers, `${name}.${part}`, [width], [width]);
  const dense = (part: string, from: number, to: number) =>
    affine(layers, `${name}.${part}`, [to, from], [to]);
  return {
    norm1: norm('norm1'),
    qkv: dense('attn.qkv', width, 3 * width),
    out: dense('attn.proj', width, width),
    norm2: norm('norm2'),
    fc1: dense('mlp.fc1', width, mlp),
    fc2: dense('mlp.fc2', mlp, width),
    ...(layerScale && {
      scale1: layers.parameter(`${name}.ls1.gamma`, [width]),
      scale2: layers.parameter(`${name}.ls2.gamma`, [width]),
    }),
  };
}
