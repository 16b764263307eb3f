import type { Rng } from '../../base/rng';

/** Classes in a batch where there are as many. @source methods.md 18.6 */
const CLASSES = 8;

/**
 * Batches in which classes stand alike, however many images each has: 8 classes, 4 images of each in a batch of 32.
 * Batch `iteration` depends on nothing but the seed, so that a resumed fit goes on with the batches it would have had.
 */
export class ClassSampler {
  readonly #members: readonly (readonly number[])[];

  /**
   * @param items images to draw from
   * @param classOf class of every image
   */
  constructor(
    private readonly context: { rng(stream: string): Rng },
    items: Iterable<number>,
    classOf: readonly number[],
    private readonly batch: number,
  ) {
    const members = new Map<number, number[]>();
    for (const item of items) members.set(classOf[item], [...(members.get(classOf[item]) ?? []), item]);
    this.#members = [...members.values()];
  }

  /** Images of one batch; a class with too few gives some of them again. */
  at(iteration: number): Int32Array {
    const rng = this.context.rng(`classes.${iteration}`);
    const chosen = rng.some(this.#members, CLASSES).map((members) => {
      const order = rng.permutation(members.length);
      return (draw: number) => members[order[draw % members.length]];
    });
    return Int32Array.from({ length: this.batch }, (_, i) =>
      chosen[i % chosen.length](Math.floor(i / chosen.length)),
    );
  }
}
