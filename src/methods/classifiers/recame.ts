import { floatTensor, sizeOf } from '../../base/tensor';
import { add, reshape } from '../../graph/ops/index';
import type { Value } from '../../graph/value';
import { FittedNet } from '../../nn/net';
import type { Classifier, ClassifierContext, ClassifierSize } from '../classifier';
import type { FitProgress, Inputs, MethodState } from '../contract';
import { cacheViews } from '../kit/augmented-views';
import type { ViewCache } from '../kit/augmented-views';
import { cacheBytes } from '../kit/feature-cache';
import { fitByGradient } from '../kit/gradient-fit';
import { netBytes, trainingBytes } from '../kit/training-graph';
import type { NetRole, StepGraph, StepSpec } from '../kit/training-graph';
import { DOMAINS, agnosticLosses, pseudoDomains, statisticsWidth } from './recame-agnostic';
import type { Domains } from './recame-agnostic';
import { Batches, course } from './recame-batches';
import { distillationLoss, ensembleLosses } from './recame-losses';
import { expert, expertName, expertsOf, meanOf, sumOf } from './recame-network';
import type { ExpertForm } from './recame-network';
import { RECAME_OPTIONS } from './recame-options';
import type { RecameOptions } from './recame-options';

/** Names of the networks in a state. */
const EXPERTS = 'experts';
const STUDENT = 'student';
/** The network of the class-agnostic branch: of training alone, no state has it. */
const AGNOSTIC = 'agnostic';

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

/** @param domains that the class-agnostic branch tells; 0 without it */
function expertStep(
  size: Shapes,
  batch: number,
  counts: readonly number[],
  domains: number,
  o: RecameOptions,
): StepSpec {
  return {
    nets: {
      [EXPERTS]: { optimiser: OPTIMISER },
      ...(domains && { [AGNOSTIC]: { optimiser: OPTIMISER } }),
    },
    build(step) {
      const { x, lesson } = batchOf(step, size, batch, counts.length);
      const net = step.net(EXPERTS);
      const experts = expertsOf(net, x, countOf(o), formOf(o, counts.length));
      const own = ensembleLosses(net, experts, lesson, counts, step.input('ramp', []), o);
      if (!domains) return own;
      const common = agnosticLosses(step.net(AGNOSTIC), experts, step.input('domains', [batch, domains]));
      return { loss: add(own.loss, sumOf(Object.values(common))), terms: { ...own.terms, ...common } };
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

const stepsOf = ({ perEpoch }: Batches, { epochs }: RecameOptions): number =>
  Math.max(epochs * perEpoch, LEAST_STEPS);

async function* fitExperts(
  context: ClassifierContext,
  cache: ViewCache,
  counts: readonly number[],
  domains: Domains | undefined,
  o: RecameOptions,
): AsyncGenerator<FitProgress, MethodState> {
  const batches = new Batches(context, cache, counts, {
    wanted: o.batch,
    alternating: wantsPairs(o),
    stream: EXPERTS,
    domains,
  });
  const { feeds, ...plan } = course(batches, stepsOf(batches, o), o);
  const ramp = (iteration: number) => Math.min(iteration / (RAMP_EPOCHS * batches.perEpoch), 1);
  const found = yield* fitByGradient(context, {
    key: EXPERTS,
    phase: 'training of the experts',
    steps: { experts: expertStep(context, batches.size, counts, domains?.count ?? 0, o) },
    ...plan,
    feeds: async (step, iteration) => ({
      ...(await feeds(step, iteration)),
      ramp: floatTensor([], [ramp(iteration)]),
    }),
  });
  return withoutBranch(found);
}

const withoutBranch = (state: MethodState): MethodState =>
  Object.fromEntries(Object.entries(state).filter(([name]) => !name.startsWith(`${AGNOSTIC}.`)));

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
  const batches = new Batches(context, cache, counts, {
    wanted: o.batch,
    alternating: true,
    stream: STUDENT,
  });
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
      '(attention) and SoftTriple (sub-centres). The trunk stays frozen; pairs, for which every other batch has its ' +
      'classes alike, are an option, and the student starts from the balanced expert. The class-agnostic branch is an ' +
      'option: its domains are k-means clusters of the first level, found once, since no label says which product an ' +
      'image is of.',
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
  fitTaps: ({ agnostic }) => (agnostic ? ['level1'] : []),
  refits: () => false,
  passes: ({ views, agnostic }) => views + Number(agnostic),

  memory(size, o) {
    const batch = Math.min(o.batch, size.images);
    const counts = new Array<number>(size.classes).fill(Math.ceil(size.images / size.classes));
    const student = wantsStudent(o) ? [studentStep(size, batch, size.classes, o)] : [];
    const steps = (domains: number) => [expertStep(size, batch, counts, domains, o), ...student];
    const cached =
      cacheBytes(size.images * o.views, sizeOf(size.taps.level3!)) +
      (o.agnostic ? cacheBytes(size.images, statisticsWidth(size)) : 0);
    return {
      fitBytes: cached + trainingBytes(steps(o.agnostic ? DOMAINS : 0)),
      stateBytes: netBytes(steps(0)),
    };
  },

  async *fit(context, o) {
    const counts = trainedCounts(context.labels);
    const cache = yield* cacheViews(context, features, sizeOf(context.taps.level3!), o.views);
    const domains = o.agnostic ? yield* pseudoDomains(context) : undefined;
    const experts = yield* fitExperts(context, cache, counts, domains, o);
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
