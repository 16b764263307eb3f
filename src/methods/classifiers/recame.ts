import { floatTensor, sizeOf } from '../../base/tensor';
import type { TensorData } from '../../base/tensor';
import { reshape } from '../../graph/ops/index';
import type { Value } from '../../graph/value';
import { logPriors, perClass } from '../../nn/losses/long-tail';
import { FittedNet } from '../../nn/net';
import { cosine } from '../../nn/schedules';
import type { Classifier, ClassifierContext, ClassifierSize } from '../classifier';
import type { FitProgress, Inputs, MethodState } from '../contract';
import { cacheViews } from '../kit/augmented-views';
import type { ViewCache } from '../kit/augmented-views';
import { ClassSampler } from '../kit/class-sampling';
import { cacheBytes } from '../kit/feature-cache';
import { fitByGradient } from '../kit/gradient-fit';
import { oneHot } from '../kit/one-hot';
import { BatchSampler } from '../kit/sampling';
import { netBytes, trainingBytes } from '../kit/training-graph';
import type { NetRole, StepGraph, StepSpec } from '../kit/training-graph';
import { distillationLoss, ensembleLosses } from './recame-losses';
import { expert, expertName, expertsOf, meanOf } from './recame-network';
import type { ExpertForm } from './recame-network';
import { RECAME_OPTIONS } from './recame-options';
import type { RecameOptions } from './recame-options';

/** Names of the networks in a state. */
const EXPERTS = 'experts';
const STUDENT = 'student';

/** The expert that takes all classes alike. */
const BALANCED = 1;
/** @source methods.md 18.6 */
const OPTIMISER: NetRole['optimiser'] = { kind: 'adamw', weightDecay: 1e-4 };
/** Epochs in which experts come to learn from each other. @source methods.md 18.9 */
const RAMP_EPOCHS = 5;
/** A handful of images is seen more often than epochs say: fewer steps than this teach nothing. */
const LEAST_STEPS = 200;
/** Share of the experts' steps that the student takes: it starts from the balanced one. */
const STUDENT_SHARE = 1 / 3;
/** Steps at rate 0 that running statistics forget batches of classes in: 0.9²⁵ is 7 %. */
const SETTLING = 25;

const countOf = ({ experts }: RecameOptions): number => Number(experts);
const formOf = ({ width, attention }: RecameOptions, classes: number): ExpertForm => ({
  classes,
  width,
  attention,
});
const wantsStudent = (o: RecameOptions): boolean => o.distillation && countOf(o) > 1;
const wantsPairs = ({ metric }: RecameOptions): boolean => metric === 'triplet' || metric === 'contrastive';

type Shapes = Pick<ClassifierSize, 'taps'>;

/** Features, labels and drawing of a batch inside a step. */
function batchOf({ input }: StepGraph, { taps }: Shapes, batch: number, classes: number) {
  const shape = taps.level3!;
  return {
    x: reshape(input('packed', [batch, sizeOf(shape)]), [batch, ...shape]),
    lesson: { labels: input('labels', [batch, classes]), drawn: input('drawn', [1, classes]) },
  };
}

function expertStep(size: Shapes, batch: number, counts: readonly number[], o: RecameOptions): StepSpec {
  return {
    nets: { [EXPERTS]: { optimiser: OPTIMISER } },
    build(step) {
      const { x, lesson } = batchOf(step, size, batch, counts.length);
      const net = step.net(EXPERTS);
      const experts = expertsOf(net, x, countOf(o), formOf(o, counts.length));
      return ensembleLosses(net, experts, lesson, counts, step.input('ramp', []), o);
    },
  };
}

function studentStep(size: Shapes, batch: number, classes: number, o: RecameOptions): StepSpec {
  return {
    nets: { [EXPERTS]: { frozen: true }, [STUDENT]: { optimiser: OPTIMISER } },
    build(step) {
      const { x, lesson } = batchOf(step, size, batch, classes);
      const form = formOf(o, classes);
      const teachers = expertsOf(step.net(EXPERTS), x, countOf(o), form);
      const student = expert(step.net(STUDENT), x, STUDENT, form);
      return { loss: distillationLoss(teachers, student, lesson) };
    },
  };
}

/** Images of each class that are trained on. */
function trainedCounts({ classes, classOf, trained }: ClassifierContext['labels']): number[] {
  const counts = new Array<number>(classes.length).fill(0);
  for (const image of trained) counts[classOf[image]]++;
  return counts;
}

/** Batches of a training: images as often as they are, and where that is wanted, every other time classes alike. */
class Batches {
  readonly #images: BatchSampler;
  readonly #classes: ClassSampler | undefined;
  readonly #prior: TensorData;
  readonly #alike: TensorData;
  readonly size: number;

  constructor(
    private readonly context: ClassifierContext,
    private readonly cache: ViewCache,
    counts: readonly number[],
    wanted: number,
    readonly alternating: boolean,
    private readonly stream: string,
  ) {
    const { classOf, trained } = context.labels;
    this.#images = new BatchSampler(context, Int32Array.from(trained), wanted, `${stream} order`);
    this.size = this.#images.batch;
    this.#classes = alternating ? new ClassSampler(context, trained, classOf, this.size) : undefined;
    this.#prior = perClass(logPriors(counts));
    this.#alike = perClass(logPriors(counts.map(() => 1)));
  }

  get perEpoch(): number {
    return Math.ceil(this.context.labels.trained.length / this.size);
  }

  /** @param settled whether running statistics shall be those of images as often as they are */
  async at(iteration: number, settled: boolean): Promise<Record<string, TensorData>> {
    const classes = settled || iteration % 2 === 0 ? undefined : this.#classes;
    const images = classes?.at(iteration) ?? this.#images.at(iteration);
    const rng = this.context.rng(`${this.stream} views.${iteration}`);
    const places = Array.from(images, (image) => this.cache.at(image, rng.integer(this.cache.views)));
    const { classOf } = this.context.labels;
    const labels = Array.from(images, (image) => classOf[image]);
    return {
      packed: await this.cache.store.batch(places),
      labels: oneHot(labels, this.#prior.shape[1]),
      drawn: classes ? this.#alike : this.#prior,
    };
  }
}

/** Length, rates and batches of a training: along half a cosine, and then at rate 0 until running statistics settle. */
function course(batches: Batches, steps: number, { learningRate }: RecameOptions) {
  const rate = cosine(learningRate, steps);
  return {
    iterations: steps + (batches.alternating ? SETTLING : 0),
    rate: (_net: string, iteration: number) => (iteration < steps ? rate(iteration) : 0),
    feeds: (_step: string, iteration: number) => batches.at(iteration, iteration >= steps),
  };
}

const stepsOf = ({ perEpoch }: Batches, { epochs }: RecameOptions): number =>
  Math.max(epochs * perEpoch, LEAST_STEPS);

async function* fitExperts(
  context: ClassifierContext,
  cache: ViewCache,
  counts: readonly number[],
  o: RecameOptions,
): AsyncGenerator<FitProgress, MethodState> {
  const batches = new Batches(context, cache, counts, o.batch, wantsPairs(o), EXPERTS);
  const { feeds, ...plan } = course(batches, stepsOf(batches, o), o);
  const ramp = (iteration: number) => Math.min(iteration / (RAMP_EPOCHS * batches.perEpoch), 1);
  return yield* fitByGradient(context, {
    key: EXPERTS,
    phase: 'training of the experts',
    steps: { experts: expertStep(context, batches.size, counts, o) },
    ...plan,
    feeds: async (step, iteration) => ({
      ...(await feeds(step, iteration)),
      ramp: floatTensor([], [ramp(iteration)]),
    }),
  });
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

async function* fitStudent(
  context: ClassifierContext,
  cache: ViewCache,
  counts: readonly number[],
  experts: MethodState,
  o: RecameOptions,
): AsyncGenerator<FitProgress, MethodState> {
  const batches = new Batches(context, cache, counts, o.batch, true, STUDENT);
  return yield* fitByGradient(context, {
    key: STUDENT,
    phase: 'training of the student',
    steps: { student: studentStep(context, batches.size, counts.length, o) },
    start: { ...experts, ...studentFrom(experts, BALANCED) },
    ...course(batches, Math.ceil(STUDENT_SHARE * stepsOf(batches, o)), o),
  });
}

const features = ({ taps }: Inputs): Value => taps.level3!;

/** Three experts on frozen features, each with a prior of its own, and a student of them: our construction. */
export const recame: Classifier<RecameOptions> = {
  title: 'After ReCAME-Net',
  source: {
    authors: 'Shao, Chang, Lin, Lin, Fang, Liu',
    title:
      "Exploring 'Many in Few' and 'Few in Many' Properties in Long-Tailed, Highly-Imbalanced IC Defect Classification",
    where: 'arXiv 2510.19463',
    reference:
      'None: neither full text nor code was to be had. From the abstract are the parts: several experts, regional ' +
      'channel attention, metric losses, hard categories, distillation. How each is made is ours, after NCL (hard ' +
      "categories, mutual distillation), RIDE (slim experts on one trunk), SADE (the experts' skills), SE and CBAM " +
      '(attention) and SoftTriple (sub-centres). The trunk stays frozen, every other batch has its classes alike, and ' +
      'the student starts from the balanced expert. The branch for what classes have in common is left out.',
  },
  about: {
    summary:
      'Three experts for sets with many images of few classes and few of many; built after an abstract.',
    assumes: 'The third level of the backbone tells the classes apart, and each has some images.',
    fails:
      'It is made for many images: with a handful of every class, hold it against the nearest mean. Classes with one or two are ' +
      "learnt by heart. The attention shows where an answer came from, not where a defect's border is.",
    cost: 'Minutes of training on features that are computed once for each view; inspection costs little more than the backbone.',
  },
  options: RECAME_OPTIONS,
  needs: { taps: ['level3'] },
  refits: () => false,
  passes: ({ views }) => views,

  memory(size, o) {
    const batch = Math.min(o.batch, size.images);
    const counts = new Array<number>(size.classes).fill(Math.ceil(size.images / size.classes));
    const steps = [expertStep(size, batch, counts, o)];
    if (wantsStudent(o)) steps.push(studentStep(size, batch, size.classes, o));
    return {
      fitBytes: cacheBytes(size.images * o.views, sizeOf(size.taps.level3!)) + trainingBytes(steps),
      stateBytes: netBytes(steps),
    };
  },

  async *fit(context, o) {
    const counts = trainedCounts(context.labels);
    const cache = yield* cacheViews(context, features, sizeOf(context.taps.level3!), o.views);
    const experts = yield* fitExperts(context, cache, counts, o);
    if (context.trial) return experts;
    if (!wantsStudent(o)) {
      if (o.answer === 'student') context.remark('There is no student: the experts answer.');
      return experts;
    }
    if (context.ending) {
      context.remark('Ended by hand before the student: the experts answer.');
      return experts;
    }
    return yield* fitStudent(context, cache, counts, experts, o);
  },

  classify(graph, inputs, state, o) {
    const x = features(inputs);
    const form = formOf(o, state[`${EXPERTS}.${expertName(0)}.classifier.weight`].shape[0]);
    const experts = expertsOf(new FittedNet(graph, state, `${EXPERTS}.`), x, countOf(o), form);
    const student =
      `${STUDENT}.${STUDENT}.classifier.weight` in state
        ? expert(new FittedNet(graph, state, `${STUDENT}.`), x, STUDENT, form)
        : undefined;
    const answering = o.answer === 'student' && student ? [student] : experts;
    const regions = answering.flatMap((one) => (one.regions ? [one.regions] : []));
    return {
      logits: meanOf(answering.map(({ logits }) => logits)),
      ...(experts.length > 1 && { experts: experts.map(({ logits }) => logits) }),
      ...(regions.length && { attention: meanOf(regions) }),
      ...(student && { student: student.logits }),
    };
  },
};
