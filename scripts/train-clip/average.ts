import type { NetVectors } from '../../src/methods/kit/trainer';

/** Steps between two looks at the weights: reading them takes a while, and a mean over hundreds misses nothing. */
export const AVERAGE_EVERY = 10;

/** A running mean of a network's weights, which generalises better than any of them. @source Polyak and Juditsky 1992; Izmailov et al. 2018 */
export class WeightAverage {
  #looks = 0;

  /**
   * @param decay for each step
   * @param vectors the mean so far, which is changed in place
   * @param looks that it has taken
   */
  constructor(
    private readonly decay: number,
    readonly vectors: NetVectors,
    looks = 0,
  ) {
    this.#looks = looks;
  }

  get looks(): number {
    return this.#looks;
  }

  /** Every `AVERAGE_EVERY` steps. The first looks count more, or the random start would stay in for long. */
  add(now: NetVectors): void {
    const keep = Math.min(this.decay ** AVERAGE_EVERY, this.#looks / (this.#looks + 10));
    this.#looks++;
    for (const [part, { parameters }] of Object.entries(this.vectors)) {
      const fresh = now[part].parameters;
      for (let i = 0; i < parameters.length; i++) parameters[i] += (1 - keep) * (fresh[i] - parameters[i]);
    }
  }
}
