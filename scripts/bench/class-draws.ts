import { AppError } from '../../src/base/errors';
import { Rng } from '../../src/base/rng';
import type { BenchImage } from './dataset';

/** What a classifier is taught with, and what it is asked. */
export interface ClassDraw {
  readonly classes: readonly string[];
  readonly train: readonly BenchImage[];
  readonly test: readonly BenchImage[];
  /** Taught images of each class. */
  readonly trainCounts: readonly number[];
}

const classesOf = (images: readonly BenchImage[]): string[] =>
  [...new Set(images.map(({ className }) => className))].sort();

function toDraw(
  classes: readonly string[],
  train: readonly BenchImage[],
  test: readonly BenchImage[],
): ClassDraw {
  const trainCounts = classes.map((name) => train.filter(({ className }) => className === name).length);
  return { classes, train, test, trainCounts };
}

/** So many images of each class, by the draw, but never all of a class; the rest is tested. */
export function drawShots(images: readonly BenchImage[], shots: number, draw: number): ClassDraw {
  const classes = classesOf(images);
  const train = classes.flatMap((name) => {
    const all = images.filter(({ className }) => className === name);
    return new Rng(draw, `shots.${name}`).some(all, Math.min(shots, all.length - 1));
  });
  const taken = new Set(train.map(({ id }) => id));
  return toDraw(
    classes,
    train,
    images.filter(({ id }) => !taken.has(id)),
  );
}

/** Images of each class that are tested, whatever the draw: of 30, two frequent classes tell recall to 5 points only. */
const TESTED = 100;

/**
 * A long tail: the k-th of C classes has n·imbalance^(−k/(C−1)) images, in an order of classes that the draw tells. The
 * last images of each class by name are tested, the same in every draw.
 * @throws usage for a class with too few images
 * @source methods.md 18.7
 */
export function drawLongTail(images: readonly BenchImage[], imbalance: number, draw: number): ClassDraw {
  const classes = classesOf(images);
  const byClass = classes.map((name) => images.filter(({ className }) => className === name));
  const least = Math.min(...byClass.map(({ length }) => length));
  if (least <= TESTED)
    throw new AppError('usage', `--imbalance: a class has ${least} images, ${TESTED} of which are tested`);
  const most = least - TESTED;
  const order = new Rng(draw, 'imbalance.order').permutation(classes.length);
  const train = byClass.flatMap((all, c) => {
    const rank = order.indexOf(c);
    const count = Math.max(1, Math.round(most * imbalance ** (-rank / (classes.length - 1))));
    return new Rng(draw, `imbalance.${classes[c]}`).some(all.slice(0, -TESTED), count);
  });
  return toDraw(
    classes,
    train,
    byClass.flatMap((all) => all.slice(-TESTED)),
  );
}
