/** Classifiers, taught on a few made-up features: every provider has to give the same. */
import { Rng } from '../../src/base/rng';
import { floatTensor } from '../../src/base/tensor';
import type { Classifier, ClassifierContext } from '../../src/methods/classifier';
import type { MethodState } from '../../src/methods/contract';
import * as registry from '../../src/methods/classifier-registry';
import { completeOptions, optionProblem } from '../../src/methods/options';
import type { Options } from '../../src/methods/options';
import type { Runtime } from '../../src/runtime/runtime';
import type { Taps } from './fixed-taps';
import { classesOf, classifyTaps, labelledContext, labelsOf, spotMaps } from './labelled-world';

const SIDE = 32;
const TAUGHT = classesOf([6, 4, 3, 2]);
const ASKED = classesOf([1, 1, 1, 1]);

/** The baselines are the linear head on other weights. */
export const tinyClassifiers = ['recame', 'linear', 'mlp', 'nearest-mean', 'knn'] as const;
export type TinyClassifier = (typeof tinyClassifiers)[number];

const featuresOf = (classOf: readonly number[], stream: string): Taps => {
  const rng = new Rng(2, stream);
  const pooled = Float32Array.from({ length: classOf.length * 8 }, () => rng.normal());
  return { level3: spotMaps(classOf, [8, 6, 6], stream), pooled: floatTensor([classOf.length, 8], pooled) };
};

const QUICK: Options = {
  flips: false,
  views: 1,
  epochs: 1,
  width: 16,
  batch: 8,
  steps: 20,
  // As in `tiny-fits`: at its own rate a training drifts from itself when inputs change by 1e-7.
  learningRate: 3e-6,
};

/** A step takes seconds on Chromium's software adapter. */
const STEPS = 5;

/** A fit that is ended by hand after so many steps. */
async function endedAfter(
  steps: number,
  classifier: Classifier,
  world: ClassifierContext,
  options: Options,
): Promise<MethodState> {
  let ending = false;
  const fit = classifier.fit(Object.defineProperty(world, 'ending', { get: () => ending }), options);
  let step = await fit.next();
  for (; !step.done; step = await fit.next())
    ending ||= step.value.unit === 'steps' && step.value.done >= steps;
  return step.value;
}

/** Logits of four images. */
export async function tinyClasses(runtime: Runtime, id: TinyClassifier): Promise<number[]> {
  const classifier = (registry as unknown as Readonly<Record<string, Classifier>>)[id];
  const wanted = Object.entries(QUICK).filter(([name, value]) => {
    const spec = classifier.options[name];
    return spec && !optionProblem(spec, value);
  });
  const options = completeOptions(classifier.options, Object.fromEntries(wanted));
  const [role] = classifier.needs.taps as ['level3' | 'pooled'];
  const of = (taps: Taps): Taps => ({ [role]: taps[role]! });
  const context = labelledContext(runtime, of(featuresOf(TAUGHT, 'taught')), labelsOf(TAUGHT), {
    side: SIDE,
  });
  const state = await endedAfter(STEPS, classifier, context, options);
  const asked = of(featuresOf(ASKED, 'asked'));
  return [...(await classifyTaps(runtime, classifier, state, options, asked, SIDE)).logits];
}
