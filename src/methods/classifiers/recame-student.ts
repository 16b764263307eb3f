import { sizeOf, floats } from '../../base/tensor';
import { GraphBuilder } from '../../graph/builder';
import { concat, reshape, slice } from '../../graph/ops/index';
import { FittedNet } from '../../nn/net';
import type { ClassifierContext } from '../classifier';
import type { FitProgress, MethodState } from '../contract';
import { FeatureStore } from '../kit/feature-cache';
import type { FeatureCache } from '../kit/feature-cache';
import { fitByGradient } from '../kit/gradient-fit';
import { stateInputs } from '../kit/state-inputs';
import type { StepSpec } from '../kit/training-graph';
import type { ViewCache } from '../kit/view-cache';
import { Batches, OPTIMISER, batchOf, course, stepsOf } from './recame-batches';
import type { Shapes } from './recame-batches';
import { answersOf, distillationLoss } from './recame-losses';
import {
  EMBEDDING,
  EXPERTS,
  STUDENT,
  countOf,
  expert,
  expertName,
  expertsOf,
  formOf,
  unfinished,
} from './recame-network';
import type { RecameOptions } from './recame-options';

/** The expert that takes all classes alike. */
const BALANCED = 1;
/** Views in one run of the experts. */
const BATCH = 32;

/** Two thirds of the experts': a student starts from the balanced one. */
export const studentSteps = (experts: number): number => Math.ceil((2 * experts) / 3);

export function studentStep(size: Shapes, batch: number, classes: number, o: RecameOptions): StepSpec {
  return {
    nets: { [STUDENT]: { optimiser: OPTIMISER } },
    build(step) {
      const { x, lesson } = batchOf(step, size, batch, classes);
      const answers = step.input('answers', [batch, classes + EMBEDDING]);
      const student = expert(step.net(STUDENT), x, STUDENT, formOf(o, classes));
      const taught = { logits: slice(answers, 1, 0, classes), direction: slice(answers, 1, classes) };
      return { loss: distillationLoss(taught, student, lesson) };
    },
  };
}

/** Bytes of what is kept of the experts' answers. */
export const answersBytes = (views: number, classes: number): number => 4 * views * (classes + EMBEDDING);

/** What the experts say of every kept view, once: logits, then the direction of their vectors. */
async function* answersOfViews(
  context: ClassifierContext,
  { store }: ViewCache,
  experts: MethodState,
  classes: number,
  o: RecameOptions,
): AsyncGenerator<FitProgress, FeatureCache> {
  const shape = context.taps.level3!;
  const graph = new GraphBuilder();
  const x = reshape(graph.input('packed', [BATCH, sizeOf(shape)]), [BATCH, ...shape]);
  const net = new FittedNet(graph, stateInputs(graph, experts), `${EXPERTS}.`);
  const { logits, direction } = answersOf(expertsOf(net, x, countOf(o), formOf(o, classes)));
  graph.output('answers', concat([logits, direction], 1));
  const program = await context.compile(graph.build());
  const width = classes + EMBEDDING;
  const answers = new FeatureStore(context.checkpoint, 'answers', width, store.count);
  for (let first = 0; first < store.count && !context.ending; first += BATCH) {
    const places = Array.from({ length: BATCH }, (_, i) => Math.min(first + i, store.count - 1));
    const run = await program.run({ ...experts, packed: await store.batch(places) });
    const found = floats(run.values.answers);
    const count = Math.min(BATCH, store.count - first);
    for (let i = 0; i < count; i++) await answers.add(found.slice(i * width, (i + 1) * width));
    yield { phase: "the experts' answers", done: first + count, total: store.count, unit: 'images' };
  }
  return answers;
}

/** The tensors of one expert as a student's. */
const studentFrom = (state: MethodState, e: number): MethodState => {
  const prefix = `${EXPERTS}.${expertName(e)}.`;
  return Object.fromEntries(
    Object.entries(state).flatMap(([name, tensor]) =>
      name.startsWith(prefix) ? [[`${STUDENT}.${STUDENT}.${name.slice(prefix.length)}`, tensor]] : [],
    ),
  );
};

/**
 * Trains one expert to answer like all.
 * @param experts as `fitByGradient` returned them
 * @returns `student.*`; nothing when the end was asked for before
 */
export async function* fitStudent(
  context: ClassifierContext,
  cache: ViewCache,
  counts: readonly number[],
  experts: MethodState,
  o: RecameOptions,
): AsyncGenerator<FitProgress, MethodState> {
  const answers = yield* answersOfViews(context, cache, experts, counts.length, o);
  if (context.ending) return {};
  const batches = new Batches(context, cache, counts, {
    wanted: o.batch,
    alternating: true,
    // It learns what the experts say of whole features, from whole features.
    dropout: 0,
    stream: STUDENT,
    answers,
  });
  return yield* fitByGradient(context, {
    key: unfinished(STUDENT),
    phase: 'training of the student',
    steps: { student: studentStep(context, batches.size, counts.length, o) },
    start: studentFrom(experts, BALANCED),
    ...course(batches, studentSteps(stepsOf(batches, o)), o),
  });
}
