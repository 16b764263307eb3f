import { confusionMatrix } from './confusion';
import { binomialInterval, bootstrapIntervals } from './intervals';
import type { Interval } from './intervals';
import { groupsFor, recallByGroup } from './long-tail';
import type { ChosenGroups, LongTailGroups } from './long-tail';
import { mean } from './statistics';

type Numbers = ArrayLike<number>;

/** A share with what it was counted on. */
export interface CountedShare {
  readonly count: number;
  readonly of: number;
  /** null without items, as is its interval. */
  readonly value: number | null;
  /** Exact, 95 %. */
  readonly interval: Interval | null;
}

/** A figure over all classes with its bootstrap interval, 95 %. */
export interface Estimate {
  /** null where it is not defined. */
  readonly value: number | null;
  /** null where no draw of the items changes the figure. */
  readonly interval: Interval | null;
}

export interface ClassFigures {
  /** Right ones of the images of the class, unknown counted as wrong. */
  readonly recall: CountedShare;
  /** Right ones of the images of the class that got a class. */
  readonly recallOfClassified: CountedShare;
  /** Right ones of the images that were said to be of the class (precision). */
  readonly purity: CountedShare;
  /** 0 where nothing is right. */
  readonly f1: number;
  /** Images that the class was taught with. */
  readonly trained: number;
  readonly group: keyof LongTailGroups;
}

interface Overall<T> {
  readonly macroRecall: T;
  readonly macroPrecision: T;
  /** Mean of the F1 per class, not the F1 of the means. */
  readonly macroF1: T;
  /** Cohen's, unknown counted as a disagreement. */
  readonly kappa: T;
}

/**
 * What the review of a classifier shows. Macro figures are plain means over the classes that occur; where all do, they
 * are `classScores`'.
 */
export interface ClassReport extends Overall<Estimate> {
  /** [C][C + 1], rows actual, the last column unknown. */
  readonly confusion: readonly (readonly number[])[];
  readonly classes: readonly ClassFigures[];
  /** Classes with an image to be judged by. */
  readonly occurring: number;
  /** Right ones of all, unknown counted as wrong. */
  readonly accuracy: CountedShare;
  /** Unknown ones of all. */
  readonly rejected: CountedShare;
  readonly groups: ChosenGroups;
  /** Mean recall of the classes of a group that occur. */
  readonly groupRecall: Readonly<Record<keyof LongTailGroups, number | null>>;
}

/**
 * @param actual class index per image, 0 … C − 1
 * @param predicted class index per image, C for unknown
 * @param trainCounts [C], images that each class was taught with
 * @param seed of the bootstrap
 * @throws internal when the lengths differ or an index is no class
 * @source methods 18.7, 20.5
 */
export function classReport(
  actual: Numbers,
  predicted: Numbers,
  trainCounts: readonly number[],
  seed = 0,
): ClassReport {
  const confusion = confusionMatrix(actual, predicted, trainCounts.length, true);
  const everything = Int32Array.from({ length: actual.length }, (_, i) => i);
  const overallOf = (items: Int32Array) => overall(tally(actual, predicted, trainCounts.length, items));
  const values = overallOf(everything);
  const intervals = bootstrapIntervals(actual.length, overallOf, seed);
  const estimate = (name: keyof Overall<Estimate>) => ({ value: values[name], interval: intervals[name] });
  const groups = groupsFor(trainCounts);
  const counts = tally(actual, predicted, trainCounts.length, everything);
  const classes = trainCounts.map((trained, c) => ({
    ...classFigures(counts, c, confusion[c].at(-1)!),
    trained,
    group: groupOf(groups, c),
  }));
  return {
    confusion,
    classes,
    occurring: classes.filter(({ recall }) => recall.of).length,
    accuracy: countedShare(total(counts.right), actual.length),
    rejected: countedShare(counts.said.at(-1)!, actual.length),
    macroRecall: estimate('macroRecall'),
    macroPrecision: estimate('macroPrecision'),
    macroF1: estimate('macroF1'),
    kappa: estimate('kappa'),
    groups,
    groupRecall: occurringRecall(classes, groups),
  };
}

/** The margins of the confusion matrix: all that the figures need, and fast enough for a thousand draws. */
interface Tally {
  readonly right: Int32Array;
  /** Items per actual class. */
  readonly are: Int32Array;
  /** Items per predicted class, unknown last. */
  readonly said: Int32Array;
}

function tally(actual: Numbers, predicted: Numbers, classes: number, items: Int32Array): Tally {
  const right = new Int32Array(classes);
  const are = new Int32Array(classes);
  const said = new Int32Array(classes + 1);
  for (const item of items) {
    are[actual[item]]++;
    said[predicted[item]]++;
    if (actual[item] === predicted[item]) right[actual[item]]++;
  }
  return { right, are, said };
}

const total = (counts: Int32Array): number => counts.reduce((sum, count) => sum + count, 0);

function overall({ right, are, said }: Tally): Overall<number | null> {
  const n = total(are);
  const chance = are.reduce((sum, count, c) => sum + count * said[c], 0);
  const meanOf = (figure: (c: number) => number) => mean([...are.keys()].filter((c) => are[c]).map(figure));
  return {
    macroRecall: meanOf((c) => right[c] / are[c]),
    macroPrecision: meanOf((c) => right[c] / Math.max(said[c], 1)),
    macroF1: meanOf((c) => f1(right[c], are[c], said[c])),
    kappa: chance === n * n ? null : (total(right) * n - chance) / (n * n - chance),
  };
}

/** 2PR / (P + R). */
const f1 = (right: number, are: number, said: number): number => (2 * right) / Math.max(are + said, 1);

function classFigures({ right, are, said }: Tally, c: number, unknown: number) {
  return {
    recall: countedShare(right[c], are[c]),
    recallOfClassified: countedShare(right[c], are[c] - unknown),
    purity: countedShare(right[c], said[c]),
    f1: f1(right[c], are[c], said[c]),
  };
}

const countedShare = (count: number, of: number): CountedShare => ({
  count,
  of,
  value: of ? count / of : null,
  interval: binomialInterval(count, of),
});

const groupOf = ({ many, medium }: LongTailGroups, c: number): keyof LongTailGroups =>
  many.includes(c) ? 'many' : medium.includes(c) ? 'medium' : 'few';

function occurringRecall(classes: readonly ClassFigures[], groups: LongTailGroups) {
  const occurring = (group: readonly number[]) => group.filter((c) => classes[c].recall.of);
  return recallByGroup(
    classes.map(({ recall }) => recall.value ?? 0),
    { many: occurring(groups.many), medium: occurring(groups.medium), few: occurring(groups.few) },
  );
}
