import { assert } from '../base/errors';
import { mean } from './statistics';

/** Class indices by how many images they were taught with. */
export interface LongTailGroups {
  /** More than 100. */
  readonly many: readonly number[];
  /** 20 to 100. */
  readonly medium: readonly number[];
  /** Fewer than 20. */
  readonly few: readonly number[];
}

/** @param trainCounts images per class in the training set. @source methods 18.7 */
export function longTailGroups(trainCounts: readonly number[]): LongTailGroups {
  const classesWhere = (test: (count: number) => boolean) =>
    trainCounts.flatMap((count, index) => (test(count) ? [index] : []));
  return {
    many: classesWhere((count) => count > 100),
    medium: classesWhere((count) => count >= 20 && count <= 100),
    few: classesWhere((count) => count < 20),
  };
}

/** The groups and the rule that they follow. */
export interface ChosenGroups extends LongTailGroups {
  readonly by: 'thresholds' | 'terciles';
}

/**
 * By the thresholds of `longTailGroups` when they part the classes, else by terciles: the upper, middle and lower third
 * of the ranks, with classes of equal counts in one group.
 * @param trainCounts images per class in the training set
 * @source methods 18.7, "or terciles for small sets"
 */
export function groupsFor(trainCounts: readonly number[]): ChosenGroups {
  const groups = longTailGroups(trainCounts);
  if (Object.values(groups).filter(({ length }) => length).length > 1) return { ...groups, by: 'thresholds' };
  // 0 … 1 from the class with most images to the one with fewest, equal counts at their mean rank.
  const rank = (count: number) =>
    trainCounts.reduce((sum, other) => sum + (other > count ? 1 : other === count ? 0.5 : 0), 0) /
    trainCounts.length;
  const ranked = (test: (rank: number) => boolean) =>
    trainCounts.flatMap((count, index) => (test(rank(count)) ? [index] : []));
  return {
    many: ranked((at) => at < 1 / 3),
    medium: ranked((at) => at >= 1 / 3 && at <= 2 / 3),
    few: ranked((at) => at > 2 / 3),
    by: 'terciles',
  };
}

/** Mean recall of the classes of each group; null for an empty group. */
export function recallByGroup(
  recall: readonly number[],
  groups: LongTailGroups,
): Record<keyof LongTailGroups, number | null> {
  const meanOf = (classes: readonly number[]) =>
    mean(
      classes.map((index) => {
        assert(index < recall.length, `class ${index} of ${recall.length}`);
        return recall[index];
      }),
    );
  return { many: meanOf(groups.many), medium: meanOf(groups.medium), few: meanOf(groups.few) };
}

/** Largest over smallest count; null without classes or with a class of no images. */
export function imbalanceFactor(trainCounts: readonly number[]): number | null {
  const smallest = Math.min(...trainCounts);
  return trainCounts.length && smallest ? Math.max(...trainCounts) / smallest : null;
}
