import type { FitContext } from '../contract';

/**
 * Batches of a training set: every image once in each round, in an order drawn anew for the round; what doesn't fill a
 * batch is left for another round. Batch `iteration` depends on nothing but the seed, so that a resumed fit goes on
 * with the batches it would have had.
 */
export class BatchSampler {
  #round = -1;
  #order = new Int32Array();
  readonly batch: number;

  /** @param wanted images in a batch; the fit remarks on it where there are fewer, and takes them all each time */
  constructor(
    private readonly context: Pick<FitContext, 'rng' | 'remark'>,
    private readonly items: Int32Array,
    wanted: number,
    private readonly stream = 'order',
  ) {
    this.batch = Math.min(wanted, items.length);
    if (wanted > items.length)
      context.remark(
        `A batch of ${wanted} is more than there is to train on: each step took all ${items.length} images.`,
      );
  }

  /** Items of one batch. */
  at(iteration: number): Int32Array {
    const perRound = Math.floor(this.items.length / this.batch);
    const round = Math.floor(iteration / perRound);
    if (round !== this.#round) {
      this.#round = round;
      this.#order = this.context
        .rng(`${this.stream}.${round}`)
        .permutation(this.items.length)
        .map((i) => this.items[i]);
    }
    const first = (iteration % perRound) * this.batch;
    return this.#order.slice(first, first + this.batch);
  }
}

/** Made of all items in batches of one size, in their order; the last batch is filled up from the start. */
export function ofBatches<T>(
  items: Int32Array,
  size: number,
  make: (batch: Int32Array, index: number) => Promise<T>,
): Promise<T[]> {
  const batches = Array.from({ length: Math.ceil(items.length / size) }, (_, b) =>
    Int32Array.from({ length: size }, (_, i) => items[(b * size + i) % items.length]),
  );
  return Promise.all(batches.map(make));
}
