import { AppError } from '../../base/errors';
import { gather, reshape } from '../../graph/ops/index';
import type { Value } from '../../graph/value';
import type { VisionTower } from './vision';

/** Sides of WinCLIP's windows, in patches. */
export const WINDOW_SIDES = [2, 3] as const;
export type WindowSide = (typeof WINDOW_SIDES)[number];

/** Rows and columns of an image's patches. */
export type PatchGrid = readonly [rows: number, columns: number];

/**
 * The patches of every square window of a grid, one step apart, by the window's upper left corner row by row.
 * @returns [W][side²], patches counted row by row from 0
 * @throws fit/backbone for a grid smaller than the window
 * @source methods.md 12.3, 12.8
 */
export function windowPatches([rows, columns]: PatchGrid, side: number): readonly (readonly number[])[] {
  if (Math.min(rows, columns) < side)
    throw new AppError(
      'fit/backbone',
      `an image of ${rows}×${columns} patches has no window of ${side}×${side}`,
    );
  const across = columns - side + 1;
  return Array.from({ length: (rows - side + 1) * across }, (_, window) => {
    const first = Math.floor(window / across) * columns + (window % across);
    return Array.from(
      { length: side * side },
      (_own, k) => first + Math.floor(k / side) * columns + (k % side),
    );
  });
}

/**
 * Windows of an image as the tower would see them as images: the class token and a window's patches, at the positions
 * that they have in the image, through every block. The windows of all images are one batch, so that none attends to
 * another.
 * @param placed as `VisionTower.place` gives them, [B,1+T,width]
 * @returns the windows' embeddings, not normalised, [B,W,embed]
 * @throws fit/backbone for a grid smaller than the window
 * @source methods.md 12.3
 */
export function windowEmbeddings(
  tower: VisionTower,
  placed: Value,
  grid: PatchGrid,
  side: WindowSide,
): Value {
  const windows = windowPatches(grid, side);
  const [batch, , width] = placed.shape;
  const rows = windows.flatMap((patches) => [0, ...patches.map((patch) => 1 + patch)]);
  const tokens = reshape(gather(placed, rows, 1), [batch * windows.length, 1 + side * side, width]);
  const { embed, vision } = tower.config;
  return reshape(tower.projectClass(tower.run(tokens)[vision.layers]), [batch, windows.length, embed]);
}
