import { sizeOf } from '../../base/tensor';
import type { Shape } from '../../base/tensor';
import { concat, reshape, slice } from '../../graph/ops/index';
import type { Value } from '../../graph/value';
import type { TapRole } from '../../nn/backbones/backbone';
import type { FitSize } from '../contract';

/** Feature maps of several depths as one vector an image: [B,…] each to [B, total]. */
export const packMaps = (maps: readonly Value[]): Value =>
  concat(
    maps.map((map) => reshape(map, [map.shape[0], -1])),
    1,
  );

/** Length of the packed vector of one image. */
export const packedWidth = (shapes: readonly Shape[]): number =>
  shapes.reduce((sum, shape) => sum + sizeOf(shape), 0);

/** The maps of a packed vector: [B, total] to [B, …shape] each. */
export function unpackMaps(packed: Value, shapes: readonly Shape[]): Value[] {
  let offset = 0;
  return shapes.map((shape) => {
    const part = slice(packed, 1, offset, (offset += sizeOf(shape)));
    return reshape(part, [packed.shape[0], ...shape]);
  });
}

/** Shapes [C,h,w] of the tapped levels, in order. */
export const tapShapesOf = (size: Pick<FitSize, 'taps'>, levels: readonly TapRole[]): Shape[] =>
  levels.map((level) => size.taps[level]!);
