import { gather, reshape, transpose } from '../../graph/ops/index';
import type { Value } from '../../graph/value';

/** Cells of the finest grid in one band: enough work for a product, little enough for the cache. */
const CELLS = 448;

/**
 * Channels that are constant within the cells of a grid. Grids come coarsest first, and the sides of each are multiples
 * of the sides of the one before, so that every cell has one parent. A cell's vector is the channels of its parent, of
 * that one's parent and so on (those above), then its own; so what concerns a parent alone is computed and kept once
 * for all its children. That is most of it: deep features are many and coarse.
 */
export interface Grid {
  readonly rows: number;
  readonly columns: number;
  readonly width: number;
}

export const cellsOf = ({ rows, columns }: Grid): number => rows * columns;

/** Channels of a cell's parent, of that one's parent and so on. */
export const widthAbove = (grids: readonly Grid[], k: number): number =>
  grids.slice(0, k).reduce((sum, { width }) => sum + width, 0);

/** Numbers of one sample: the channels of each grid's cells, one grid after another. */
export const sampleSize = (grids: readonly Grid[]): number =>
  grids.reduce((sum, grid) => sum + cellsOf(grid) * grid.width, 0);

/** Numbers of all whitening matrices. */
export const whiteningSize = (grids: readonly Grid[]): number =>
  grids.reduce((sum, grid, k) => sum + cellsOf(grid) * (widthAbove(grids, k) + grid.width) * grid.width, 0);

/** Grids cut into bands of whole coarsest rows; the last band may be lower. */
export function cutGrids(grids: readonly Grid[]): Grid[][] {
  const [{ rows }] = grids;
  const cellsPerRow = cellsOf(grids[grids.length - 1]) / rows;
  const height = Math.ceil(rows / Math.ceil((rows * cellsPerRow) / CELLS));
  return Array.from({ length: Math.ceil(rows / height) }, (_, band) => {
    const own = Math.min(height, rows - band * height);
    return grids.map((grid) => ({ ...grid, rows: (grid.rows / rows) * own }));
  });
}

/** Every cell's slice of the grid above: [parents, ...] to [cells, ...]. */
export function repeat(x: Value, grids: readonly Grid[], k: number): Value {
  const [parent, child] = [grids[k - 1], grids[k]];
  const index = Array.from({ length: cellsOf(child) }, (_, cell) => {
    const row = Math.floor((Math.floor(cell / child.columns) * parent.rows) / child.rows);
    return row * parent.columns + Math.floor(((cell % child.columns) * parent.columns) / child.columns);
  });
  return gather(x, index, 0);
}

/** Children's matrices side by side: [cells, n, width] to [parents, n, children·width]. */
export function byParent(x: Value, grids: readonly Grid[], k: number): Value {
  const { rows, columns } = grids[k - 1];
  const [cells, n, width] = x.shape;
  const [high, wide] = [grids[k].rows / rows, grids[k].columns / columns];
  const lifted = transpose(reshape(x, [rows, high, columns, wide, n, width]), [0, 2, 4, 1, 3, 5]);
  return reshape(lifted, [rows * columns, n, (cells / (rows * columns)) * width]);
}

/** The way back: [parents, n, children·width] to [cells, n, width]. */
export function byCell(x: Value, grids: readonly Grid[], k: number): Value {
  const { rows, columns } = grids[k - 1];
  const [high, wide] = [grids[k].rows / rows, grids[k].columns / columns];
  const n = x.shape[1];
  const lifted = transpose(reshape(x, [rows, columns, n, high, wide, -1]), [0, 3, 1, 4, 2, 5]);
  return reshape(lifted, [cellsOf(grids[k]), n, -1]);
}
