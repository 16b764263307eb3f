/** Gaussians on nested grids as one mean and one whitening matrix for each cell of the finest, all channels together. */
import { floats } from '../../../src/base/tensor';
import type { MethodState } from '../../../src/methods/contract';
import { cellsOf } from '../../../src/methods/kit/nested-grids';
import type { Grid } from '../../../src/methods/kit/nested-grids';

/** The cell of a grid that a cell of a finer one lies in. */
export function ancestor(cell: number, finest: Grid, grid: Grid): number {
  const row = Math.floor((Math.floor(cell / finest.columns) * grid.rows) / finest.rows);
  return row * grid.columns + Math.floor(((cell % finest.columns) * grid.columns) / finest.columns);
}

/** Parts joined along the cells. */
function joined(state: MethodState, name: string): Float32Array {
  const parts = [];
  for (let i = 0; state[`${name}.${i}`]; i++) parts.push(floats(state[`${name}.${i}`]));
  return Float32Array.from(parts.flatMap((part) => [...part]));
}

/** @returns mean [cells, width] and upper-triangular whitening [cells, width, width], coarsest channels first */
export function assembled(state: MethodState, grids: readonly Grid[]) {
  const finest = grids[grids.length - 1];
  const width = grids.reduce((sum, grid) => sum + grid.width, 0);
  const cells = cellsOf(finest);
  const mean = new Float32Array(cells * width);
  const whitening = new Float32Array(cells * width * width);
  let above = 0;
  for (const [k, grid] of grids.entries()) {
    const means = floats(state[`mean.${k}`]);
    const columns = joined(state, `whitening.${k}`);
    const height = above + grid.width;
    for (let p = 0; p < cells; p++) {
      const cell = ancestor(p, finest, grid);
      for (let j = 0; j < grid.width; j++) {
        mean[p * width + above + j] = means[cell * grid.width + j];
        for (let i = 0; i < height; i++)
          whitening[(p * width + i) * width + above + j] = columns[(cell * height + i) * grid.width + j];
      }
    }
    above = height;
  }
  return { mean, whitening, cells, width };
}

/** One sample's channels at every cell of the finest grid, [cells, width]. */
export function spread(sample: Float32Array, grids: readonly Grid[]): Float32Array {
  const finest = grids[grids.length - 1];
  const width = grids.reduce((sum, grid) => sum + grid.width, 0);
  const vectors = new Float32Array(cellsOf(finest) * width);
  let [above, from] = [0, 0];
  for (const grid of grids) {
    for (let p = 0; p < cellsOf(finest); p++) {
      const at = from + ancestor(p, finest, grid) * grid.width;
      vectors.set(sample.subarray(at, at + grid.width), p * width + above);
    }
    above += grid.width;
    from += cellsOf(grid) * grid.width;
  }
  return vectors;
}
