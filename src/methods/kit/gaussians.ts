import { floatTensor, floats } from '../../base/tensor';
import { GraphBuilder } from '../../graph/builder';
import {
  add,
  concat,
  matMul,
  mul,
  reduceMean,
  reduceSum,
  reshape,
  slice,
  sub,
  transpose,
  transposeLast,
} from '../../graph/ops/index';
import type { Value } from '../../graph/value';
import type { FitContext, MethodState } from '../contract';
import { addToDiagonal, whiten } from './whitening';

/** Positions handled by one program: enough work for a product, little enough for the cache. */
const POSITIONS = 448;
/** One tensor of a state stays below every GPU's binding limit (128 MiB). */
const PART_BYTES = 64 * 2 ** 20;

/** How positions are cut: blocks for programs, parts for the state; a part is a whole number of blocks. */
export interface Cut {
  readonly positions: number;
  readonly block: number;
  readonly blocks: number;
  readonly blocksPerPart: number;
  readonly parts: number;
}

/** @param width of one position's vector */
export function cutPositions(positions: number, width: number): Cut {
  const blocks = Math.ceil(positions / POSITIONS);
  const block = Math.ceil(positions / blocks);
  const blocksPerPart = Math.max(1, Math.floor(PART_BYTES / (block * width * width * 4)));
  return { positions, block, blocks, blocksPerPart, parts: Math.ceil(blocks / blocksPerPart) };
}

/** Rows of one block: its first position and how many it has. */
const rangeOf = (cut: Cut, block: number): readonly [number, number] => {
  const first = block * cut.block;
  return [first, Math.min(cut.block, cut.positions - first)];
};

/**
 * Mean and scatter of vectors at many positions, gathered in groups of images that fit a budget; each group is kept
 * block by block, [images, positions of the block, width], so that a block is one contiguous array.
 */
export class PositionMoments {
  #images = 0;
  #inGroup = 0;
  readonly #group: Float32Array[];
  /** Mean [block, width] and scatter [block, width, width] of all earlier groups. */
  #earlier: { mean: Float32Array; scatter: Float32Array }[] | undefined;

  constructor(
    private readonly context: Pick<FitContext, 'compile'>,
    private readonly cut: Cut,
    private readonly width: number,
    /** Images in one group. */
    private readonly groupImages: number,
  ) {
    this.#group = Array.from(
      { length: cut.blocks },
      (_, block) => new Float32Array(groupImages * rangeOf(cut, block)[1] * width),
    );
  }

  /** Adds one image's vectors, [positions, width]. */
  async add(vectors: Float32Array): Promise<void> {
    if (this.#inGroup === this.groupImages) await this.#fold();
    for (let block = 0; block < this.cut.blocks; block++) {
      const [first, count] = rangeOf(this.cut, block);
      const size = count * this.width;
      this.#group[block].set(
        vectors.subarray(first * this.width, first * this.width + size),
        this.#inGroup * size,
      );
    }
    this.#inGroup++;
  }

  /**
   * Mean, whitening matrices and count; yields the positions done.
   * @returns `mean` [P,width], `whitening.i` [positions of part i, width, width], `count` [1]
   */
  async *finish(lambda: number): AsyncGenerator<number, MethodState> {
    const { cut, width } = this;
    const mean = new Float32Array(cut.positions * width);
    const parts = Array.from({ length: cut.parts }, (_, part) => {
      const first = part * cut.blocksPerPart * cut.block;
      const count = Math.min(cut.blocksPerPart * cut.block, cut.positions - first);
      return floatTensor([count, width, width], new Float32Array(count * width * width));
    });
    for (let block = 0; block < cut.blocks; block++) {
      const [first, count] = rangeOf(cut, block);
      const found = await this.#run(block, (moments, images) => ({
        mean: moments.mean,
        whitening: whitenMoments(moments, images, lambda),
      }));
      mean.set(found.mean, first * width);
      const part = Math.floor(block / cut.blocksPerPart);
      const offset = first - part * cut.blocksPerPart * cut.block;
      floats(parts[part]).set(found.whitening, offset * width * width);
      yield first + count;
    }
    return {
      mean: floatTensor([cut.positions, width], mean),
      count: floatTensor([1], [this.#images + this.#inGroup]),
      ...Object.fromEntries(parts.map((part, i) => [`whitening.${i}`, part])),
    };
  }

  async #fold(): Promise<void> {
    const earlier = [];
    for (let block = 0; block < this.cut.blocks; block++) {
      const { mean, scatter } = await this.#run(block, (moments) => ({
        mean: moments.mean,
        scatter: moments.scatter,
      }));
      earlier.push({ mean, scatter });
    }
    this.#earlier = earlier;
    this.#images += this.#inGroup;
    this.#inGroup = 0;
  }

  /** Runs a graph on the moments of everything added so far at one block of positions. */
  async #run<K extends string>(
    block: number,
    build: (moments: Moments, images: number) => Record<K, Value>,
  ): Promise<Record<K, Float32Array>> {
    const { width } = this;
    const [, count] = rangeOf(this.cut, block);
    const images = this.#inGroup;
    const graph = new GraphBuilder();
    const vectors = graph.input('vectors', [images, count, width]);
    const feeds: Record<string, ReturnType<typeof floatTensor>> = {
      vectors: floatTensor([images, count, width], this.#group[block].subarray(0, images * count * width)),
    };
    let moments: Moments = momentsOf(vectors);
    // Not by the names of the outputs: ONNX has one space of names for both.
    const before = this.#earlier?.[block];
    if (before) {
      const earlier = {
        mean: graph.input('earlier.mean', [count, width]),
        scatter: graph.input('earlier.scatter', [count, width, width]),
      };
      feeds['earlier.mean'] = floatTensor([count, width], before.mean);
      feeds['earlier.scatter'] = floatTensor([count, width, width], before.scatter);
      moments = mergeMoments(earlier, this.#images, moments, images);
    }
    const outputs = build(moments, this.#images + images);
    for (const [name, value] of Object.entries<Value>(outputs)) graph.output(name, value);
    const { values } = await (await this.context.compile(graph.build())).run(feeds);
    return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, floats(value)])) as Record<
      K,
      Float32Array
    >;
  }
}

interface Moments {
  /** [P,D] */
  readonly mean: Value;
  /** Σ(x−μ)(x−μ)ᵀ, [P,D,D] */
  readonly scatter: Value;
  /** x−μ, [P,N,D]; only of a single group. */
  readonly centred?: Value;
}

/** @param vectors [N,P,D] */
function momentsOf(vectors: Value): Moments {
  const mean = reduceMean(vectors, [0]);
  const centred = transpose(sub(vectors, mean), [1, 0, 2]);
  return { mean, scatter: matMul(transposeLast(centred), centred), centred };
}

/**
 * U with Uᵀ·(scatter/(n−1) + λI)·U = I. With few images the covariance is λ in most directions, which float32 loses
 * beside features a hundred times larger; one Newton step, with Uᵀ·Σ·U taken from the vectors instead of from Σ,
 * brings the digits back.
 */
function whitenMoments({ scatter, centred }: Moments, images: number, lambda: number): Value {
  const share = 1 / Math.max(images - 1, 1);
  const u = whiten(addToDiagonal(mul(scatter, share), lambda));
  if (!centred || images > u.shape[2] / 2) return u;
  const projected = matMul(centred, u);
  const unit = add(
    mul(matMul(transposeLast(u), u), lambda),
    mul(matMul(transposeLast(projected), projected), share),
  );
  return matMul(u, addToDiagonal(mul(unit, -0.5), 1.5));
}

/** @source Chan, Golub, LeVeque 1979: updating formulae and a pairwise algorithm for sample variances */
function mergeMoments(a: Moments, na: number, b: Moments, nb: number): Moments {
  const n = na + nb;
  const shift = sub(b.mean, a.mean);
  const [positions, width] = shift.shape;
  const outer = matMul(reshape(shift, [positions, width, 1]), reshape(shift, [positions, 1, width]));
  return {
    mean: add(a.mean, mul(shift, nb / n)),
    scatter: add(add(a.scatter, b.scatter), mul(outer, (na * nb) / n)),
  };
}

/**
 * Squared Mahalanobis length of vectors at every position.
 * @param vectors [B,P,D]
 * @param parts whitening matrices, [Pi,D,D] each
 * @returns [B,P]
 */
export function squaredLengths(vectors: Value, mean: Value, parts: readonly Value[]): Value {
  const centred = transpose(sub(vectors, mean), [1, 0, 2]);
  let first = 0;
  const lengths = parts.map((part) => {
    const whitened = matMul(slice(centred, 0, first, (first += part.shape[0])), part);
    return reduceSum(mul(whitened, whitened), [2]);
  });
  return transpose(concat(lengths, 0), [1, 0]);
}
