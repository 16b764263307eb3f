import { floatTensor, sizeOf } from '../../base/tensor';
import type { TensorData } from '../../base/tensor';
import { add, mul } from '../../graph/ops/index';
import type { Value } from '../../graph/value';
import { perClass } from '../../nn/losses/long-tail';
import { FittedNet } from '../../nn/net';
import type { Classifier, ClassifierContext } from '../classifier';
import type { FitProgress, Inputs, MethodState } from '../contract';
import { augmentedViews } from '../kit/augmented-views';
import { cacheBytes } from '../kit/feature-cache';
import { fitByGradient } from '../kit/gradient-fit';
import { netBytes, trainingBytes } from '../kit/training-graph';
import type { StepSpec } from '../kit/training-graph';
import { cacheViews } from '../kit/view-cache';
import type { ViewCache } from '../kit/view-cache';
import { DOMAINS, agnosticLosses, pseudoDomains, statisticsWidth } from './recame-agnostic';
import type { Domains } from './recame-agnostic';
import { Batches, OPTIMISER, batchOf, course, stepsOf } from './recame-batches';
import type { Shapes } from './recame-batches';
import { ensembleLosses, isWithoutPrior } from './recame-losses';
import {
  EXPERTS,
  STUDENT,
  countOf,
  expert,
  expertName,
  expertsOf,
  formOf,
  meanOf,
  sumOf,
  unfinished,
} from './recame-network';
import type { Expert } from './recame-network';
import { RECAME_OPTIONS } from './recame-options';
import type { RecameOptions } from './recame-options';
import { answersBytes, fitStudent, studentStep, studentSteps } from './recame-student';

/** The network of the class-agnostic branch: of training alone, no state has it. */
const AGNOSTIC = 'agnostic';
/** Images of each class over those of the most frequent one, in a state. [1,C] */
const FREQUENCIES = 'frequencies';
/** In states whose experts take odd maps without padding: those of earlier versions padded them. */
const INSIDE = 'inside';
/** Epochs in which experts come to learn from each other. @source methods.md 18.9 */
const RAMP_EPOCHS = 5;

const wantsStudent = (o: RecameOptions): boolean => o.distillation && countOf(o) > 1;
const wantsPairs = ({ metric }: RecameOptions): boolean => metric === 'triplet' || metric === 'contrastive';

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

/** Images of each class that are trained on. */
function trainedCounts({ classes, classOf, trained }: ClassifierContext['labels']): number[] {
  const counts = new Array<number>(classes.length).fill(0);
  for (const image of trained) counts[classOf[image]]++;
  return counts;
}

function frequenciesOf(counts: readonly number[]): TensorData {
  const most = Math.max(...counts);
  return perClass(Float32Array.from(counts, (count) => count / most));
}

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
    dropout: o.dropout,
    stream: EXPERTS,
    domains,
  });
  const { feeds, ...plan } = course(batches, stepsOf(batches, o), o);
  // What a fit costs is told by the experts' steps: one of the student is as much of one as it is of them.
  const student =
    context.trial && wantsStudent(o) ? Math.ceil(studentSteps(stepsOf(batches, o)) / countOf(o)) : 0;
  const ramp = (iteration: number) => Math.min(iteration / (RAMP_EPOCHS * batches.perEpoch), 1);
  const found = yield* fitByGradient(context, {
    key: unfinished(EXPERTS),
    phase: 'training of the experts',
    steps: { experts: expertStep(context, batches.size, counts, domains?.count ?? 0, o) },
    ...plan,
    iterations: plan.iterations + student,
    feeds: async (step, iteration) => ({
      ...(await feeds(step, iteration)),
      ramp: floatTensor([], [ramp(iteration)]),
    }),
  });
  return withoutBranch(found);
}

const withoutBranch = (state: MethodState): MethodState =>
  Object.fromEntries(Object.entries(state).filter(([name]) => !name.startsWith(`${AGNOSTIC}.`)));

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
      'image is of. That channels are left out in training and answers lean to frequent classes is ours too.',
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
      (wantsStudent(o) ? answersBytes(size.images * o.views, size.classes) : 0) +
      (o.agnostic ? cacheBytes(size.images, statisticsWidth(size)) : 0);
    return {
      fitBytes: cached + trainingBytes(steps(o.agnostic ? DOMAINS : 0)),
      stateBytes: netBytes(steps(0)),
    };
  },

  async *fit(context, o) {
    const counts = trainedCounts(context.labels);
    const width = sizeOf(context.taps.level3!);
    const cache = yield* cacheViews(context, features, width, augmentedViews(context, o.views));
    const domains = o.agnostic ? yield* pseudoDomains(context) : undefined;
    const experts = yield* fitExperts(context, cache, counts, domains, o);
    if (context.trial) return experts;
    const found = { ...experts, [FREQUENCIES]: frequenciesOf(counts), [INSIDE]: floatTensor([1], [1]) };
    if (!wantsStudent(o)) {
      if (o.answer === 'student') context.remark('There is no student: the experts answer.');
      return found;
    }
    const student = yield* fitStudent(context, cache, counts, experts, o);
    if (!Object.keys(student).length) context.remark('Ended by hand before the student: the experts answer.');
    return { ...found, ...student };
  },

  classify(graph, inputs, state, o) {
    const x = features(inputs);
    const [classes] = state[`${EXPERTS}.${expertName(0)}.classifier.weight`].shape;
    const form = formOf(o, classes, INSIDE in state);
    const student =
      `${STUDENT}.${STUDENT}.classifier.weight` in state
        ? expert(new FittedNet(graph, state, `${STUDENT}.`), x, STUDENT, form)
        : undefined;
    // A student that answers costs a third: the experts are not asked beside it.
    const answering =
      o.answer === 'student' && student
        ? [student]
        : expertsOf(new FittedNet(graph, state, `${EXPERTS}.`), x, countOf(o), form);
    const regions = answering.flatMap((one) => (one.regions ? [one.regions] : []));
    // Fits of earlier versions lack them.
    const leant = ({ logits }: Expert) =>
      isWithoutPrior(o) && FREQUENCIES in state ? add(logits, mul(state[FREQUENCIES], o.lean)) : logits;
    const logits = answering.map(leant);
    return {
      logits: meanOf(logits),
      ...(logits.length > 1 && { experts: logits }),
      ...(regions.length && { attention: meanOf(regions) }),
      ...(student && { student: leant(student) }),
    };
  },
};
