import { floatTensor } from '../../base/tensor';
import type { TensorData } from '../../base/tensor';
import {
  add,
  applySeparable,
  gather,
  gaussianMatrix,
  mul,
  multiply,
  reshape,
  sub,
  transpose,
} from '../../graph/ops/index';
import type { Matrix } from '../../graph/ops/index';
import type { Value } from '../../graph/value';
import type { FlagSpec } from '../options';
import type { FitContext } from '../contract';
import type { FeatureCache } from './feature-cache';

/** Square tiles of a square image, in rows and columns; the tiles of the last row and column end at its border. */
export interface Tiling {
  readonly side: number;
  readonly tile: number;
  /** First row (column) of each row (column) of tiles. */
  readonly starts: readonly number[];
}

/** @param stride pixels from tile to tile, in both directions */
export function tilingOf(side: number, tile: number, stride: number): Tiling {
  const count = Math.ceil((side - tile) / stride) + 1;
  return { side, tile, starts: Array.from({ length: count }, (_, i) => Math.min(i * stride, side - tile)) };
}

/** How much a pixel of a tile counts where tiles overlap: all the same, or the less the nearer to the tile's border. */
export type TileWindow = 'flat' | 'raised cosine';

/**
 * The tiles of images as one batch, row by row, image by image.
 * @param x [B,1,S,S]
 * @returns [B·n·n,1,T,T]
 */
export function cutTiles(x: Value, { tile, starts, side }: Tiling): Value {
  if (tile === side) return x;
  const n = starts.length;
  const rows = starts.flatMap((start) => Array.from({ length: tile }, (_, i) => start + i));
  const cut = reshape(gather(gather(x, rows, 2), rows, 3), [x.shape[0], n, tile, n, tile]);
  return reshape(transpose(cut, [0, 1, 3, 2, 4]), [-1, 1, tile, tile]);
}

/** Puts n tiles of a row over one another, as [S, n·T]: the weighted mean of all tiles that hold a pixel. */
function stitchMatrix({ side, tile, starts }: Tiling, window: TileWindow): Matrix {
  const weight = (t: number) => (window === 'flat' ? 1 : 1 - Math.cos((2 * Math.PI * (t + 0.5)) / tile));
  const columns = starts.length * tile;
  const values = new Float64Array(side * columns);
  for (let y = 0; y < side; y++) {
    const weights = starts.map((start) => (y >= start && y < start + tile ? weight(y - start) : 0));
    const total = weights.reduce((sum, value) => sum + value, 0);
    weights.forEach((value, i) => {
      if (value) values[y * columns + i * tile + y - starts[i]] = value / total;
    });
  }
  return { rows: side, columns, values };
}

/**
 * Tiles put back in their places, averaged where they overlap, then smoothed.
 * @param tiles [B·n·n,1,T,T], as `cutTiles` gives them
 * @param sigma of the smoothing, in pixels; 0 for none
 * @returns [B,1,S,S]
 */
export function stitchTiles(tiles: Value, tiling: Tiling, window: TileWindow, sigma = 0): Value {
  const { tile, starts, side } = tiling;
  const n = starts.length;
  const laid = transpose(reshape(tiles, [-1, n, n, tile, tile]), [0, 1, 3, 2, 4]);
  const along = multiply(gaussianMatrix(side, sigma), stitchMatrix(tiling, window));
  return applySeparable(reshape(laid, [-1, 1, n * tile, n * tile]), along, along);
}

/** Grey 0 … 1 as −1 … 1, the range of a tanh. */
export const toSigned = (x: Value): Value => sub(mul(x, 2), 1);

/** −1 … 1 as grey 0 … 1. */
export const fromSigned = (x: Value): Value => mul(add(x, 1), 0.5);

export const FLIPS_OPTION: FlagSpec = {
  kind: 'flag',
  default: false,
  label: 'Mirrored tiles',
  help: 'Trains on tiles mirrored at random too. For patterns that occur both ways round.',
};

/** Batches of tiles at random places of images drawn at random, each on its own. */
export class TileSampler {
  /**
   * @param cache of square images
   * @param images which of them are drawn from
   */
  constructor(
    private readonly context: Pick<FitContext, 'rng'>,
    private readonly cache: FeatureCache,
    private readonly images: Int32Array,
    private readonly size: { readonly batch: number; readonly tile: number },
  ) {}

  /**
   * The batch of a stream, the same whenever it is asked for.
   * @param flips whether tiles are mirrored, left to right and top to bottom, each by a toss
   * @returns [B,1,T,T]
   */
  async at(stream: string, flips = false): Promise<TensorData> {
    const { batch, tile } = this.size;
    const rng = this.context.rng(stream);
    const side = Math.sqrt(this.cache.width);
    const data = new Float32Array(batch * tile * tile);
    for (let i = 0; i < batch; i++) {
      const image = await this.cache.of(this.images[rng.integer(this.images.length)]);
      const [top, left] = [rng.integer(side - tile + 1), rng.integer(side - tile + 1)];
      const [mirrored, upsideDown] = [rng.integer(2), rng.integer(2)].map((toss) => flips && toss === 1);
      for (let y = 0; y < tile; y++) {
        const from = (top + (upsideDown ? tile - 1 - y : y)) * side + left;
        const row = image.subarray(from, from + tile);
        data.set(mirrored ? row.slice().reverse() : row, (i * tile + y) * tile);
      }
    }
    return floatTensor([batch, 1, tile, tile], data);
  }

  /** Some batches to look at while training, the same at every look. */
  looks(count: number): Promise<TensorData[]> {
    return Promise.all(Array.from({ length: count }, (_, i) => this.at(`look.${i}`)));
  }
}
