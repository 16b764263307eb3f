import { AppError } from '../../base/errors';
import type { Shape } from '../../base/tensor';
import { GraphBuilder } from '../../graph/builder';
import { div, resizeNearest, sub } from '../../graph/ops/index';
import type { Value } from '../../graph/value';
import type { ClipConfig } from '../clip/config';
import { DeclaringLayers } from '../layers';
import type { NetLayers } from '../layers';
import type { BlockStyle } from '../residual-blocks';

/** One of four depths. */
export type Level = 1 | 2 | 3 | 4;

/** A backbone layer's part in methods that take feature maps of several depths. */
export type LevelRole = `level${Level}`;

/**
 * What CLIPs give beside feature maps, at the end of each of four levels: all tokens as they are, the class token first
 * [B,1+T,w]; patches in the space of texts [B,T,E], of the plain path and of the V-V path; class tokens in that space,
 * level by level [B,4,E]. Behind the last norm: patches that are not projected [B,T,w], and the embeddings of all
 * windows of 2×2 and of 3×3 patches, each seen as an image of its own [B,W,E], row by row. `accumulated` are the
 * patches of one V-V path over all blocks in the space of texts [B,T,E]; `gallery1` and `gallery2` the patches as they
 * are behind a quarter and two thirds of the blocks [B,T,w]. Nothing is normalised. `strangeness` [B], where a file
 * tells it, is above 1 for images unlike those that the encoder was trained on.
 */
export type TokenRole =
  | `tokens${Level}`
  | `patches${Level}`
  | `values${Level}`
  | 'classes'
  | 'finalPatches'
  | 'windows2'
  | 'windows3'
  | 'accumulated'
  | 'gallery1'
  | 'gallery2'
  | 'strangeness';

/** A level of the image at about half its side, as `halved` makes it. */
export type HalfRole = `half${Level}`;

/** A backbone's own vector for an image, [B,D]: what its published head stands on. */
export type PooledRole = 'pooled';

export type TapRole = LevelRole | PooledRole | HalfRole | TokenRole;

const isHalfRole = (role: TapRole): role is HalfRole => role.startsWith('half');

/** Whether only CLIPs give it; every backbone has feature maps of four levels, at both sides of the image, and a vector. */
export const isTokenRole = (role: TapRole): boolean =>
  !role.startsWith('level') && !isHalfRole(role) && role !== 'pooled';

export const LEVEL_ROLES: readonly LevelRole[] = ['level1', 'level2', 'level3', 'level4'];

/** Per-channel input normalisation of values in 0 … 1. */
export interface Normalisation {
  readonly mean: readonly [number, number, number];
  readonly std: readonly [number, number, number];
}

export const IMAGENET: Normalisation = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };

/** A network that gives features. Its tensors are published under the names that `forward` asks for. */
export interface Backbone {
  /** timm's name, `resnet18` say. */
  readonly architecture: string;
  readonly title: string;
  readonly normalisation: Normalisation;
  /** Layer name of each role. */
  readonly levels: Readonly<Record<LevelRole | PooledRole, string> & Partial<Record<TokenRole, string>>>;
  /** Whether tapped features are linear (signed, wide) rather than rectified: methods.md 1.10. */
  readonly linearTaps: boolean;
  /**
   * Of what residual blocks decoders that mirror it are made: blocks in each level, and the width behind the third.
   * Undefined where levels don't shrink.
   */
  readonly mirror?: {
    readonly style: BlockStyle;
    readonly blocks: readonly [number, number, number, number];
    readonly deepestWidth: number;
  };
  /** Of a CLIP's vision tower: both towers. */
  readonly clip?: ClipConfig;
  /** Square input sides it takes. */
  readonly sides: { readonly multipleOf: number; readonly least: number; readonly usual: number };
  /** How images are brought to its side. */
  readonly kernel: 'bilinear' | 'bicubic';
  readonly batchNormEpsilon: number;
  /**
   * Emits the network up to the deepest wanted layer. Any layer can be tapped; `pooled` and `logits` are layers too.
   * @param x normalised images, [B,3,H,W]
   * @returns wanted layers by name; feature maps are [B,C,h,w]
   * @throws model/keys for a name that is no layer
   */
  forward(layers: NetLayers, x: Value, wanted: readonly string[]): Readonly<Record<string, Value>>;
}

/**
 * Grey images in 0 … 1 as a backbone wants them: copied to three channels, each normalised.
 * @param grey [B,1,H,W]
 * @returns [B,3,H,W]
 */
export function normaliseGrey(grey: Value, { mean, std }: Normalisation): Value {
  const perChannel = (values: readonly number[]) =>
    grey.graph.constant({ dtype: 'float32', shape: [1, 3, 1, 1], data: Float32Array.from(values) });
  return div(sub(grey, perChannel(mean)), perChannel(std));
}

/** Name of the layer with a part. @throws fit/backbone when the network has none */
export function layerOf({ levels, title }: Backbone, role: TapRole): string {
  const layer = levels[isHalfRole(role) ? (role.replace('half', 'level') as LevelRole) : role];
  if (layer) return layer;
  throw new AppError('fit/backbone', `${title} gives no tokens beside texts`, {
    hint: 'Choose the built-in SEM encoder or a CLIP.',
  });
}

/** Names and shapes of the tensors that the given layers need. */
export function expectedTensors(backbone: Backbone, layers: readonly string[]): ReadonlyMap<string, Shape> {
  const graph = new GraphBuilder();
  const declaring = new DeclaringLayers(graph);
  const side = backbone.sides.usual;
  backbone.forward(declaring, graph.placeholder('float32', [1, 3, side, side]), layers);
  return declaring.shapes;
}

/** Side that half roles are of: the one nearest to the half that the network takes. */
export function halfSide({ sides: { multipleOf, least } }: Backbone, side: number): number {
  return Math.min(side, Math.max(least, multipleOf * Math.round(side / 2 / multipleOf)));
}

/**
 * Grey images at about half their side, by the nearest pixel.
 * @param grey [B,1,S,S]
 * @returns [B,1,s,s], s as `halfSide` says
 */
export function halved(backbone: Backbone, grey: Value): Value {
  const side = halfSide(backbone, grey.shape[2]);
  return resizeNearest(grey, side, side);
}

/**
 * Emits the features of each role, whatever side of the image they are of: the network once for each side that is
 * asked for, with the same parameters.
 * @param grey images, 0 … 1, [B,1,S,S]
 * @returns [B, …] each
 */
export function emitTaps(
  backbone: Backbone,
  layers: NetLayers,
  grey: Value,
  roles: readonly TapRole[],
): Readonly<Partial<Record<TapRole, Value>>> {
  const found: Partial<Record<TapRole, Value>> = {};
  const emit = (some: readonly TapRole[], image: Value) => {
    const names = some.map((role) => layerOf(backbone, role));
    const taps = backbone.forward(layers, normaliseGrey(image, backbone.normalisation), names);
    some.forEach((role, i) => (found[role] = taps[names[i]]));
  };
  const whole = roles.filter((role) => !isHalfRole(role));
  const half = roles.filter(isHalfRole);
  if (whole.length) emit(whole, grey);
  if (half.length) emit(half, halved(backbone, grey));
  return found;
}

/** Shape of each role's features for one square image: [C,h,w] of levels, [D] of `pooled`. */
export function tapShapes(
  backbone: Backbone,
  side: number,
  roles: readonly TapRole[] = LEVEL_ROLES,
): Readonly<Partial<Record<TapRole, Shape>>> {
  const graph = new GraphBuilder();
  const image = graph.placeholder('float32', [1, 1, side, side]);
  const taps = emitTaps(backbone, new DeclaringLayers(graph), image, roles);
  return Object.fromEntries(roles.map((role) => [role, taps[role]!.shape.slice(1)]));
}

/** Collects wanted layers while a network is emitted, and tells when all are there. */
export class TapCollector {
  readonly found: Record<string, Value> = {};

  constructor(private readonly wanted: readonly string[]) {}

  /** Keeps `value` if its name is wanted. */
  offer(name: string, value: Value): void {
    if (this.wanted.includes(name)) this.found[name] = value;
  }

  get complete(): boolean {
    return this.wanted.every((name) => name in this.found);
  }
}
