/** A classifier's world made of given feature maps, as `fixed-taps` makes a detector's. */
import { Rng } from '../../src/base/rng';
import { floatTensor, floats } from '../../src/base/tensor';
import type { TensorData } from '../../src/base/tensor';
import { GraphBuilder } from '../../src/graph/builder';
import type { Classifier, ClassifierContext, Labels } from '../../src/methods/classifier';
import type { FitProgress, MethodState } from '../../src/methods/contract';
import type { Options } from '../../src/methods/options';
import type { Runtime } from '../../src/runtime/runtime';
import { contextOf, feedsFor, inputsFor, weightsOf } from './fixed-taps';
import type { Taps } from './fixed-taps';

/** Class of each image: so many of the first class, of the second, … */
export const classesOf = (counts: readonly number[]): number[] =>
  counts.flatMap((count, c) => new Array<number>(count).fill(c));

/** Labels of images that are all trained on. */
export function labelsOf(classOf: readonly number[], trained = classOf.map((_, i) => i)): Labels {
  const classes = Array.from({ length: Math.max(...classOf) + 1 }, (_, c) => `class ${c}`);
  return { classes, classOf, trained };
}

/**
 * Feature maps of noise; the channel of the image's class is higher everywhere and has a bright spot somewhere.
 * @param shape [C,h,w], at least as many channels as classes
 */
export function spotMaps(
  classOf: readonly number[],
  shape: readonly [number, number, number],
  stream = 'maps',
): TensorData {
  const [channels, height, width] = shape;
  const rng = new Rng(3, stream);
  const area = height * width;
  const data = Float32Array.from({ length: classOf.length * channels * area }, () => 0.3 * rng.normal());
  classOf.forEach((own, image) => {
    const first = (image * channels + own) * area;
    for (let i = first; i < first + area; i++) data[i] += 0.5;
    data[first + rng.integer(area)] += 3;
  });
  return floatTensor([classOf.length, ...shape], data);
}

/** Views of fixed features are the features themselves. */
export function labelledContext(
  runtime: Runtime,
  taps: Taps,
  labels: Labels,
  options: { side: number; seed?: number; world?: Partial<ClassifierContext> },
): ClassifierContext {
  const { side, seed, world } = options;
  return {
    ...contextOf(runtime, taps, { side, seed }),
    count: (of) => (of === 'labelled' ? labels.classOf.length : 0),
    labels,
    ...world,
  };
}

/** A fit that is ended by hand after so many steps. @param seen is told of its progress */
export async function fitFor<O extends Options>(
  steps: number,
  classifier: Classifier<O>,
  context: ClassifierContext,
  options: O,
  seen: (progress: FitProgress) => void = () => undefined,
): Promise<MethodState> {
  let ending = false;
  const fitting = classifier.fit(Object.defineProperty(context, 'ending', { get: () => ending }), options);
  let step = await fitting.next();
  for (; !step.done; step = await fitting.next()) {
    seen(step.value);
    ending ||= step.value.unit === 'steps' && step.value.done >= steps;
  }
  return step.value;
}

/** What a classifier tells of features. */
export interface Told {
  readonly logits: Float32Array;
  readonly experts: readonly Float32Array[];
  readonly attention?: TensorData;
  readonly student?: Float32Array;
}

/** What a classifier tells of given features, one value a graph's output. */
export async function classifyTaps<O extends Options>(
  runtime: Runtime,
  classifier: Classifier<O>,
  state: MethodState,
  options: O,
  taps: Taps,
  side: number,
): Promise<Told> {
  const graph = new GraphBuilder();
  const { logits, experts, attention, student } = classifier.classify(
    graph,
    inputsFor(graph, taps, side),
    weightsOf(graph, state),
    options,
  );
  graph.output('logits', logits);
  experts?.forEach((expert, e) => graph.output(`expert${e}`, expert));
  if (attention) graph.output('attention', attention);
  if (student) graph.output('student', student);
  const { values } = await (await runtime.compile(graph.build())).run(feedsFor(taps, side));
  return {
    logits: floats(values.logits),
    experts: (experts ?? []).map((_, e) => floats(values[`expert${e}`])),
    ...(attention && { attention: values.attention }),
    ...(student && { student: floats(values.student) }),
  };
}

/** Share of the images whose largest logit is their class's. */
export function accuracyOf(logits: Float32Array, classOf: readonly number[]): number {
  const classes = logits.length / classOf.length;
  const right = classOf.filter((own, i) => {
    const row = logits.subarray(i * classes, (i + 1) * classes);
    return row.indexOf(Math.max(...row)) === own;
  });
  return right.length / classOf.length;
}
