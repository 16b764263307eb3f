import { floatTensor, floats, sizeOf } from '../../base/tensor';
import type { Shape, TensorData } from '../../base/tensor';
import { GraphBuilder } from '../../graph/builder';
import type { Graph } from '../../graph/builder';
import {
  add,
  concat,
  expand,
  matMul,
  mul,
  neg,
  reduceMean,
  reduceSum,
  reshape,
  slice,
  sub,
  transpose,
  transposeLast,
} from '../../graph/ops/index';
import type { Value } from '../../graph/value';
import type { FitContext, MethodState, StateValues } from '../contract';
import { byCell, byParent, cellsOf, cutGrids, repeat, widthAbove } from './nested-grids';
import type { Grid } from './nested-grids';
import { addToDiagonal, whiten } from './whitening';

/** One tensor of a state stays below every GPU's binding limit (128 MiB). */
const PART_BYTES = 64 * 2 ** 20;

/** What of the largest variance float32 can still tell from the rounding of covariances and their elimination. */
const LEAST_SHARE = 2 ** -17;

/**
 * Of one band: `mean.k` [cells, width] and Σ(x−μ)(x−μ)ᵀ of grid k, as `scatter.k` [cells, width, width] among its own
 * channels and `cross.k` [parents, above, children·width] between those above and its own.
 */
type Moments = Readonly<Record<string, TensorData>>;

/**
 * Gaussians of samples on nested grids, gathered in groups that fit a budget, band by band, so that a program's feeds
 * are whole arrays.
 */
export class GridGaussians {
  #samples = 0;
  #inGroup = 0;
  readonly #bands: readonly Grid[][];
  /** Of each band and grid, [samples, cells, width]. */
  readonly #group: readonly Float32Array[][];
  /** Of each band: moments of all earlier groups. */
  #earlier: Moments[] | undefined;

  constructor(
    private readonly context: Pick<FitContext, 'compile'>,
    private readonly grids: readonly Grid[],
    /** Samples in one group. */
    private readonly groupSize: number,
  ) {
    this.#bands = cutGrids(grids);
    this.#group = this.#bands.map((band) =>
      band.map((grid) => new Float32Array(groupSize * cellsOf(grid) * grid.width)),
    );
  }

  /** Adds samples, [count, sampleSize]. */
  async add(samples: Float32Array): Promise<void> {
    let from = 0;
    while (from < samples.length) {
      if (this.#inGroup === this.groupSize) await this.#fold();
      for (const k of this.grids.keys())
        for (const [band, grids] of this.#bands.entries()) {
          const size = cellsOf(grids[k]) * grids[k].width;
          this.#group[band][k].set(samples.subarray(from, from + size), this.#inGroup * size);
          from += size;
        }
      this.#inGroup++;
    }
  }

  /**
   * Means and whitening matrices; yields the cells of the finest grid that are done.
   * @param lambda added to the covariance's diagonal; more where float32 would lose it beside the variances
   * @returns `mean.k` [cells, width] and `whitening.k.i` [cells of part i, above + width, width] of grid k, `count` [1]
   */
  async *finish(lambda: number): AsyncGenerator<number, MethodState> {
    const { grids } = this;
    const samples = this.#samples + this.#inGroup;
    const band = this.#bands[0];
    const means = grids.map((grid, k) => new Stack([cellsOf(grid), grid.width], cellsOf(band[k])));
    const whitenings = grids.map(
      (grid, k) =>
        new Stack([cellsOf(grid), widthAbove(grids, k) + grid.width, grid.width], cellsOf(band[k])),
    );
    for (const i of this.#bands.keys()) {
      const moments = await this.#moments(i);
      const share = 1 / Math.max(samples - 1, 1);
      const least = LEAST_SHARE * share * largestScatter(this.#bands[i], moments);
      const found = await this.#whiten(i, moments, share, Math.max(lambda, least));
      for (const k of grids.keys()) {
        means[k].push(floats(moments[`mean.${k}`]));
        whitenings[k].push(found[k]);
      }
      yield whitenings[grids.length - 1].done;
    }
    return {
      count: floatTensor([1], [samples]),
      ...Object.fromEntries(means.map(({ parts }, k) => [`mean.${k}`, parts[0]])),
      ...Object.fromEntries(
        whitenings.flatMap(({ parts }, k) => parts.map((part, i) => [`whitening.${k}.${i}`, part])),
      ),
    };
  }

  async #fold(): Promise<void> {
    const earlier = [];
    for (const band of this.#bands.keys()) earlier.push(await this.#moments(band));
    this.#earlier = earlier;
    this.#samples += this.#inGroup;
    this.#inGroup = 0;
  }

  /** Moments of everything added so far. */
  async #moments(band: number): Promise<Moments> {
    const [before, now] = [this.#samples, this.#inGroup];
    const program = await this.context.compile(momentsGraph(this.#bands[band], now, before > 0));
    const feeds = this.#samplesOf(band);
    if (before) {
      for (const [name, moment] of Object.entries(this.#earlier![band])) feeds[`earlier.${name}`] = moment;
      feeds.share = floatTensor([1], [now / (before + now)]);
      feeds.weight = floatTensor([1], [Math.sqrt((before * now) / (before + now))]);
    }
    return (await program.run(feeds)).values;
  }

  /** The group's samples as a program is fed with them. */
  #samplesOf(band: number): Record<string, TensorData> {
    return Object.fromEntries(
      this.#bands[band].map((grid, k) => {
        const shape = [this.#inGroup, cellsOf(grid), grid.width];
        return [`samples.${k}`, floatTensor(shape, this.#group[band][k].subarray(0, sizeOf(shape)))];
      }),
    );
  }

  /** Block Cholesky, one grid after another. @returns of each grid [cells, above + width, width] */
  async #whiten(band: number, moments: Moments, share: number, lambda: number): Promise<Float32Array[]> {
    const grids = this.#bands[band];
    const first = whiten(floats(moments['scatter.0']), grids[0].width, share, lambda);
    const found = [floatTensor(moments['scatter.0'].shape, first)];
    let [above] = found;
    for (let k = 1; k < grids.length; k++) {
      const conditioning = await this.context.compile(conditioningGraph(grids, k, share));
      const { rest, slopes } = (
        await conditioning.run({
          above,
          cross: moments[`cross.${k}`],
          scatter: moments[`scatter.${k}`],
        })
      ).values;
      const own = floatTensor(rest.shape, whiten(floats(rest), grids[k].width, 1, lambda));
      const joining = await this.context.compile(joiningGraph(grids, k));
      const { whitening, all } = (await joining.run({ slopes, own, above })).values;
      found.push(whitening);
      above = all;
    }
    const few = !this.#samples && this.#inGroup <= widthAbove(grids, grids.length) / 2;
    return (few ? await this.#refine(band, found, share, lambda) : found).map(floats);
  }

  async #refine(
    band: number,
    whitenings: readonly TensorData[],
    share: number,
    lambda: number,
  ): Promise<TensorData[]> {
    const graph = refiningGraph(this.#bands[band], this.#inGroup, share, lambda);
    const feeds = this.#samplesOf(band);
    whitenings.forEach((whitening, k) => (feeds[`rough.${k}`] = whitening));
    const { values } = await (await this.context.compile(graph)).run(feeds);
    return whitenings.map((_, k) => values[`whitening.${k}`]);
  }
}

/** Largest element on the diagonal of any scatter matrix. */
function largestScatter(grids: readonly Grid[], moments: Moments): number {
  let most = 0;
  grids.forEach(({ width }, k) => {
    const scatter = floats(moments[`scatter.${k}`]);
    for (let cell = 0; cell < scatter.length; cell += width * width)
      for (let i = 0; i < width; i++) most = Math.max(most, scatter[cell + i * (width + 1)]);
  });
  return most;
}

/** A tensor over all cells, cut into parts of whole bands and filled band by band. */
class Stack {
  readonly parts: readonly TensorData[];
  readonly #perPart: number;
  readonly #size: number;
  /** Cells filled so far. */
  done = 0;

  constructor([cells, ...rest]: Shape, perBand: number) {
    this.#size = sizeOf(rest);
    this.#perPart = perBand * Math.max(1, Math.floor(PART_BYTES / (perBand * this.#size * 4)));
    this.parts = Array.from({ length: Math.ceil(cells / this.#perPart) }, (_, part) => {
      const count = Math.min(this.#perPart, cells - part * this.#perPart);
      return floatTensor([count, ...rest], new Float32Array(count * this.#size));
    });
  }

  push(band: Float32Array): void {
    const part = this.parts[Math.floor(this.done / this.#perPart)];
    floats(part).set(band, (this.done % this.#perPart) * this.#size);
    this.done += band.length / this.#size;
  }
}

/**
 * Moments of one group of samples, merged with those of earlier groups: what the merged scatter holds beside both is
 * the outer product of the difference of the means, so that one takes part as one more centred sample.
 * @source Chan, Golub, LeVeque 1979: updating formulae and a pairwise algorithm for sample variances
 */
function momentsGraph(grids: readonly Grid[], samples: number, merged: boolean): Graph {
  const graph = new GraphBuilder();
  const [share, weight] = ['share', 'weight'].map((name) => graph.input(name, [1]));
  const output = (name: string, value: Value) =>
    graph.output(name, merged ? add(value, graph.input(`earlier.${name}`, value.shape)) : value);
  let above: Value | undefined;
  grids.forEach((grid, k) => {
    const shape = [cellsOf(grid), grid.width];
    const vectors = graph.input(`samples.${k}`, [samples, ...shape]);
    let mean = reduceMean(vectors, [0]);
    let centred = sub(vectors, mean);
    if (merged) {
      const before = graph.input(`earlier.mean.${k}`, shape);
      const shift = sub(mean, before);
      mean = add(before, mul(shift, share));
      centred = concat([centred, reshape(mul(shift, weight), [1, ...shape])], 0);
    }
    graph.output(`mean.${k}`, mean);
    const own = transpose(centred, [1, 0, 2]);
    output(`scatter.${k}`, matMul(transposeLast(own), own));
    if (above) output(`cross.${k}`, matMul(transposeLast(above), byParent(own, grids, k)));
    above = above ? concat([repeat(above, grids, k), own], 2) : own;
  });
  return graph.build();
}

/** One row of block Cholesky: what is left of a grid's covariance, and how its channels follow from those above. */
function conditioningGraph(grids: readonly Grid[], k: number, share: number): Graph {
  const graph = new GraphBuilder();
  const [above, width] = [widthAbove(grids, k), grids[k].width];
  const [parents, cells] = [cellsOf(grids[k - 1]), cellsOf(grids[k])];
  const whitening = graph.input('above', [parents, above, above]);
  const cross = graph.input('cross', [parents, above, (cells / parents) * width]);
  const across = mul(matMul(transposeLast(whitening), cross), share);
  const own = byCell(across, grids, k);
  const scatter = graph.input('scatter', [cells, width, width]);
  graph.output('rest', sub(mul(scatter, share), matMul(transposeLast(own), own)));
  graph.output('slopes', byCell(matMul(whitening, across), grids, k));
  return graph.build();
}

/** Whitening matrix of a grid's channels, and of all channels down to it. */
function joiningGraph(grids: readonly Grid[], k: number): Graph {
  const graph = new GraphBuilder();
  const [above, width, cells] = [widthAbove(grids, k), grids[k].width, cellsOf(grids[k])];
  const slopes = graph.input('slopes', [cells, above, width]);
  const own = graph.input('own', [cells, width, width]);
  const whitening = concat([neg(matMul(slopes, own)), own], 1);
  graph.output('whitening', whitening);
  const upper = graph.input('above', [cellsOf(grids[k - 1]), above, above]);
  if (k < grids.length - 1) graph.output('all', joined(upper, whitening, grids, k));
  return graph.build();
}

/** Whitening matrices of all channels down to a grid, from that of those above and the grid's columns. */
const joined = (above: Value, columns: Value, grids: readonly Grid[], k: number): Value =>
  concat([withRows(repeat(above, grids, k), grids[k].width), columns], 2);

/** Rows of zeros below each matrix. */
const withRows = (x: Value, rows: number): Value =>
  concat([x, expand(x.graph.constant(0), [x.shape[0], rows, x.shape[2]])], 1);

/**
 * One Newton step for whitening matrices U of few samples. Their covariance is λ in most directions, which float32
 * loses beside features a hundred times larger; Uᵀ·Σ·U taken from the samples instead of from Σ brings the digits back.
 * It is I but for a small E: what E has within a grid's channels goes to both sides by half, what it has between them
 * and those above to the grid's side alone, so that U keeps its zeros.
 */
function refiningGraph(grids: readonly Grid[], samples: number, share: number, lambda: number): Graph {
  const graph = new GraphBuilder();
  const product = (a: Value, b: Value) => matMul(transposeLast(a), b);
  let above: { rows: Value; whitening: Value } | undefined;
  grids.forEach((grid, k) => {
    const vectors = graph.input(`samples.${k}`, [samples, cellsOf(grid), grid.width]);
    const centred = transpose(sub(vectors, reduceMean(vectors, [0])), [1, 0, 2]);
    const height = widthAbove(grids, k);
    const rough = graph.input(`rough.${k}`, [cellsOf(grid), height + grid.width, grid.width]);
    const rows = above ? concat([repeat(above.rows, grids, k), centred], 2) : centred;
    const whitened = matMul(rows, rough);
    const unit = add(mul(product(whitened, whitened), share), mul(product(rough, rough), lambda));
    let fine = matMul(rough, addToDiagonal(mul(unit, -0.5), 1.5));
    if (above) {
      const top = byParent(slice(rough, 1, 0, height), grids, k);
      const between = add(
        mul(product(matMul(above.rows, above.whitening), byParent(whitened, grids, k)), share),
        mul(product(above.whitening, top), lambda),
      );
      fine = sub(fine, withRows(byCell(matMul(above.whitening, between), grids, k), grid.width));
    }
    graph.output(`whitening.${k}`, fine);
    above = { rows, whitening: above ? joined(above.whitening, rough, grids, k) : rough };
  });
  return graph.build();
}

/**
 * Squared Mahalanobis lengths of vectors on nested grids, at every cell of the finest.
 * @param vectors of each grid, [B, cells, width]
 * @param state `mean.k` and `whitening.k.i` as `GridGaussians` makes them
 * @returns [B, cells of the finest grid]
 */
export function squaredLengths(vectors: readonly Value[], grids: readonly Grid[], state: StateValues): Value {
  let above: Value | undefined;
  let squared: Value | undefined;
  grids.forEach((_, k) => {
    const own = transpose(sub(vectors[k], state[`mean.${k}`]), [1, 0, 2]);
    const rows = above ? concat([repeat(above, grids, k), own], 2) : own;
    let first = 0;
    const lengths = [];
    for (let i = 0; state[`whitening.${k}.${i}`]; i++) {
      const part = state[`whitening.${k}.${i}`];
      const whitened = matMul(slice(rows, 0, first, (first += part.shape[0])), part);
      lengths.push(reduceSum(mul(whitened, whitened), [2]));
    }
    const added = concat(lengths, 0);
    squared = squared ? add(repeat(squared, grids, k), added) : added;
    above = rows;
  });
  return transpose(squared!, [1, 0]);
}
