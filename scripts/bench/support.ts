import { Rng } from '../../src/base/rng';
import { classScores, confusionMatrix } from '../../src/metrics/confusion';
import type { SupportSpec } from '../../src/protocol/engine-api';
import { DETAILED_PROMPTS } from '../../src/text/prompt-presets';
import { defaultStates, spelledOut } from '../../src/text/prompts';
import type { BenchImage, Dataset } from './dataset';
import type { HostResult } from './host';

const GOOD = 'good';

/** A support set drawn from a data set's labelled folders, and what is tested. */
export interface DrawnSupport {
  readonly spec: SupportSpec;
  readonly good: readonly BenchImage[];
  readonly defects: readonly BenchImage[];
  readonly rest: readonly BenchImage[];
}

/** What a file shows, by the convention of sets that cut several tiles of one defect: its name up to the first `_`. */
const groupOf = ({ path }: BenchImage): string => path.split('/').at(-1)!.split('_')[0];

/** Groups of the defective images, for leaving one out at a time. */
export const defectGroups = ({ test }: Dataset): readonly string[] =>
  [...new Set(test.filter(({ className }) => className !== GOOD).map(groupOf))].sort();

/**
 * So many images of each class, by the draw, but never all of a class; the rest is tested. With a group left out, the
 * support has so many of every other group instead, and of defects that group alone is tested.
 * @param shots 0 for no images: the classes are then those of the preset, since nothing is known of the set
 */
export function drawSupport(dataset: Dataset, shots: number, draw: number, leftOut?: string): DrawnSupport {
  const all = [...dataset.good, ...dataset.test];
  const classes = shots
    ? [...new Set(all.map(({ className }) => className))].sort()
    : DETAILED_PROMPTS.classes.map(({ name }) => name);
  const prompts = classes.map((name) => ({ name, states: defaultStates(name) }));
  const spec = { prompts: { ...DETAILED_PROMPTS, classes: prompts }, normal: classes.indexOf(GOOD) };
  if (!shots) return { spec, good: [], defects: [], rest: all };
  const drawn = (name: string, from: readonly BenchImage[], count: number) =>
    new Rng(draw, `support.${name}`).some(from, count);
  const few = (name: string, from: readonly BenchImage[]) =>
    drawn(name, from, Math.min(shots, from.length - 1));
  const ofClass = (name: string) => all.filter(({ className }) => className === name);
  const good = few(GOOD, ofClass(GOOD));
  const ofGroup = (group: string) => all.filter((own) => own.className !== GOOD && groupOf(own) === group);
  const defects = leftOut
    ? defectGroups(dataset)
        .filter((group) => group !== leftOut)
        .flatMap((group) => drawn(group, ofGroup(group), shots))
    : classes.filter((name) => name !== GOOD).flatMap((name) => few(name, ofClass(name)));
  const taken = new Set([...good, ...defects].map(({ id }) => id));
  const rest = all.filter((own) => !taken.has(own.id));
  return {
    spec,
    good,
    defects,
    rest: leftOut ? rest.filter((own) => own.className === GOOD || groupOf(own) === leftOut) : rest,
  };
}

/** How well classes are told apart, over the images whose class is among those of the support. */
export interface ClassFigures {
  readonly accuracy: number | null;
  readonly macroPrecision: number | null;
  readonly macroRecall: number | null;
  readonly macroF1: number | null;
  /** Images that count. */
  readonly nClassified: number;
}

/** All null for a method that tells no classes apart. */
export function classFigures(
  { spec }: DrawnSupport,
  images: readonly BenchImage[],
  results: readonly HostResult[],
): ClassFigures {
  const names = spec.prompts.classes.map(({ name }) => name);
  const pairs = images.flatMap(({ className }, i) => {
    const { classes } = results[i];
    if (!classes) return [];
    const actual = names.findIndex((name) => spelledOut(name) === spelledOut(className));
    return actual < 0 ? [] : [{ actual, predicted: classes.fused.indexOf(Math.max(...classes.fused)) }];
  });
  // Macro means are over the classes that occur: a class without an image has no recall.
  const present = [...new Set(pairs.map(({ actual }) => actual))];
  if (!pairs.length)
    return { accuracy: null, macroPrecision: null, macroRecall: null, macroF1: null, nClassified: 0 };
  const scores = classScores(
    confusionMatrix(
      pairs.map(({ actual }) => actual),
      pairs.map(({ predicted }) => predicted),
      names.length,
    ),
  );
  const mean = (values: readonly number[]) =>
    present.reduce((sum, of) => sum + values[of], 0) / present.length;
  return {
    accuracy: scores.accuracy,
    macroPrecision: mean(scores.precision),
    macroRecall: mean(scores.recall),
    macroF1: mean(scores.f1),
    nClassified: pairs.length,
  };
}

/** Share of images that are unlike those that the encoder was trained on; null where it can't tell. */
export function shareUnlike(results: readonly HostResult[]): number | null {
  const known = results.flatMap(({ strangeness }) => strangeness ?? []);
  return known.length ? known.filter((own) => own > 1).length / known.length : null;
}
