import type { ImageId } from '../../base/ids';
import { coverageRisk } from '../../metrics/coverage';
import type { CoveragePoint } from '../../metrics/coverage';
import { mcnemar } from '../../metrics/mcnemar';
import type { PairedComparison } from '../../metrics/mcnemar';
import { rightWhenSure } from '../../metrics/reliability';
import type { ClassReportRequest } from '../../protocol/pixels-api';
import type { ClassFitRecord, ClassResultRecord } from '../../store/schema';
import type { Entry } from './library.svelte';

/** A labelled image with what a fit that had not seen it says. */
export interface Reviewed {
  readonly entry: Entry;
  /** Among the fit's classes. */
  readonly actual: number;
  readonly probabilities: Float32Array;
  /** The first of the most probable. */
  readonly predicted: number;
  readonly probability: number;
}

/** What can be counted of a fit, and what can't and why. */
export interface Review {
  readonly items: readonly Reviewed[];
  /** Labelled images that it was taught by and that no fit told without having seen them. */
  readonly taught: number;
  /** Labelled images that were not told yet. */
  readonly untold: number;
  /** Labels that the fit doesn't know, by how many images have them. */
  readonly unknown: ReadonlyMap<string, number>;
}

/**
 * The labelled images of a set that a fit had not seen: those set aside while it was trained, and those that it was not
 * taught by.
 */
export function reviewOf(
  fit: ClassFitRecord,
  entries: readonly Entry[],
  results: ReadonlyMap<ImageId, ClassResultRecord>,
): Review {
  const { classes } = fit.spec;
  const aside = new Map(fit.summary?.heldOut.map((own) => [own.imageId, own.probabilities]));
  const taughtBy = new Set(fit.taught.map(({ imageId }) => imageId));
  const items: Reviewed[] = [];
  const unknown = new Map<string, number>();
  let [taught, untold] = [0, 0];
  for (const entry of entries) {
    const { imageId, className } = entry;
    if (className === undefined) continue;
    const actual = classes.indexOf(className);
    const seen = taughtBy.has(imageId);
    const probabilities = aside.get(imageId) ?? (seen ? undefined : results.get(imageId)?.probabilities);
    if (actual < 0) unknown.set(className, (unknown.get(className) ?? 0) + 1);
    else if (!probabilities) {
      if (seen) taught++;
      else untold++;
    } else {
      const { index: predicted, probability } = topOf(probabilities);
      items.push({ entry, actual, probabilities, predicted, probability });
    }
  }
  return { items, taught, untold, unknown };
}

/** The first of the most probable classes. */
export function topOf(probabilities: Float32Array): { readonly index: number; readonly probability: number } {
  const probability = Math.max(...probabilities);
  return { index: probabilities.indexOf(probability), probability };
}

/** Index of the class that an image gets; as many as classes for unknown. */
export const calledOf = ({ predicted, probability, probabilities }: Reviewed, threshold: number): number =>
  probability >= threshold ? predicted : probabilities.length;

/**
 * What the figures of a review are counted from.
 * @param threshold below which an image is unknown
 */
export const reportRequest = (
  fit: ClassFitRecord,
  items: readonly Reviewed[],
  threshold: number,
): ClassReportRequest => ({
  actual: items.map(({ actual }) => actual),
  predicted: items.map((item) => calledOf(item, threshold)),
  trained: fit.spec.classes.map((_, c) => fit.taught.filter(({ classIndex }) => classIndex === c).length),
});

export const curveOf = (items: readonly Reviewed[]): CoveragePoint[] =>
  coverageRisk(
    items.map(({ probability }) => probability),
    items.map(({ actual, predicted }) => Number(actual === predicted)),
  );

/** How many are said with 99 % or more, and how many of those are right. */
export function sureOf(items: readonly Reviewed[]): { readonly n: number; readonly right: number } {
  const classes = items.at(0)?.probabilities.length ?? 0;
  const probabilities = new Float32Array(items.length * classes);
  items.forEach((item, i) => probabilities.set(item.probabilities, i * classes));
  return rightWhenSure(
    probabilities,
    items.map(({ actual }) => actual),
  );
}

/** Two fits on the images that both can be judged by; null where there is none. */
export function compareFits(a: readonly Reviewed[], b: readonly Reviewed[]): PairedComparison | null {
  const others = new Map(b.map((item) => [item.entry.imageId, item]));
  const both = a.filter(({ entry }) => others.has(entry.imageId));
  if (!both.length) return null;
  // Their classes may lie in another order: all that counts is whether each is wrong.
  const wrong = ({ actual, predicted }: Reviewed) => Number(actual !== predicted);
  return mcnemar(
    both.map(() => 0),
    both.map(wrong),
    both.map(({ entry }) => wrong(others.get(entry.imageId)!)),
  );
}
