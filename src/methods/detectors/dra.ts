import type { TensorData } from '../../base/tensor';
import type { DeviceTensor } from '../../runtime/device-tensor';
import { gradients } from '../../graph/autodiff';
import { GraphBuilder } from '../../graph/builder';
import { add, concat, matMul, reduceMean, reduceSum, reshape, slice } from '../../graph/ops/index';
import type { Value } from '../../graph/value';
import { FittedNet } from '../../nn/net';
import { multiStep } from '../../nn/schedules';
import type { Detector, FitContext, FitProgress, FitSize, MethodState, StateValues } from '../contract';
import { MOST_VIEWS, batchPlan, drawBatch, itemCount, trainingImages } from '../kit/anomaly-batches';
import type { Batch } from '../kit/anomaly-batches';
import {
  anomalyScore,
  gradientMap,
  headLosses,
  meanScores,
  positionMap,
  scaleScores,
} from '../kit/deviation-heads';
import { cacheBytes } from '../kit/feature-cache';
import { fitByGradient } from '../kit/gradient-fit';
import { packMaps, packedWidth, unpackMaps } from '../kit/packed-taps';
import { stateInputs } from '../kit/state-inputs';
import { TRUNK_LEVELS, pretrained, trunkOf, trunkRole, trunkWidth } from '../kit/trained-trunk';
import type { Trunk } from '../kit/trained-trunk';
import { Trainer } from '../kit/trainer';
import { netBytes, trainingBytes } from '../kit/training-graph';
import type { StepSpec } from '../kit/training-graph';
import { batchOption, blurOption, rateOption, stepsOption } from '../kit/training-options';

export type DraOptions = {
  readonly form: string;
  readonly steps: number;
  readonly batch: number;
  readonly learningRate: number;
  readonly views: number;
  readonly pseudo: number;
  readonly map: string;
  readonly blurSigma: number;
};

/** Good images that all others are held against. @source methods.md 14.2 */
const REFERENCES = 5;
/** Shares of the training after which the rate falls to a tenth: epochs 9, 19 and 29 of 30. @source methods.md 14.3 */
const MILESTONES = [9 / 30, 19 / 30, 29 / 30];
const CLIP_NORM = 1;

/** Batches that the norms of a stage from random weights are measured on, and the share of each in them. */
const MEASURED = 8;
const MOMENTUM = 0.3;

/** Side that the smoothing is given for. @source methods.md 14.1 */
const USUAL_SIDE = 448;

const referenceCount = ({ goodImages }: Pick<FitSize, 'goodImages'>): number =>
  Math.min(REFERENCES, goodImages);

const rows = (x: Value, from: number, to: number): Value => slice(x, 0, from, to);

/** Mean features of the references, weighed for each image. @param shares [B,n] @param references [n,C,h,w] */
function weighed(shares: Value, references: Value): Value {
  const [count, ...shape] = references.shape;
  return reshape(matMul(shares, reshape(references, [count, -1])), [shares.shape[0], ...shape]);
}

/** One step of training; references go through the trunk with the batch. @source methods.md 14.2 and 14.3 */
function trainStep(size: FitSize, trunk: Trunk, batch: number): StepSpec {
  const shapes = trunk.shapes(size);
  const width = packedWidth(shapes);
  const count = referenceCount(size);
  return {
    nets: {
      [trunk.net]: trunkRole(trunk, size.backbone),
      heads: { optimiser: { kind: 'adam', weightDecay: 1e-5 } },
    },
    clipNorm: CLIP_NORM,
    build({ net, input }) {
      const fed = concat([input('references', [count, width]), input('packed', [batch, width])], 0);
      const shares = input('shares', [batch, count]);
      const scales = trunk.scales(net(trunk.net), unpackMaps(fed, shapes), size).map((x) => {
        const reference = weighed(shares, rows(x, 0, count));
        return scaleScores(net('heads'), rows(x, count, count + batch), reference);
      });
      const { holistic, seen, pseudo, composite } = headLosses(
        meanScores(scales),
        input('kinds', [batch, 3]),
      );
      const terms = { holistic, seen, pseudo, composite };
      return { loss: Object.values(terms).reduce((sum, term) => add(sum, term)), terms };
    },
  };
}

/** A pass that moves the batch norms of the trunk and nothing else. */
function measureStep(size: FitSize, trunk: Trunk, batch: number): StepSpec {
  const shapes = trunk.shapes(size);
  return {
    nets: { [trunk.net]: { momentum: MOMENTUM } },
    build({ net, input }) {
      const parts = unpackMaps(input('packed', [batch, packedWidth(shapes)]), shapes);
      const means = trunk.scales(net(trunk.net), parts, size).map((x) => reduceMean(x));
      return { loss: means.reduce((sum, mean) => add(sum, mean)) };
    },
  };
}

const referenceName = (scale: number): string => `reference.${scale + 1}`;

/** Features of both scales by a trained trunk. */
const scalesOf = (
  trunk: Trunk,
  state: StateValues,
  parts: readonly Value[],
  origin: Pick<FitSize, 'backbone' | 'side'>,
): readonly Value[] => {
  const { epsilon } = trunkRole(trunk, origin.backbone);
  return trunk.scales(new FittedNet(parts[0].graph, state, `${trunk.net}.`, { epsilon }), parts, origin);
};

/**
 * Batch norms of a trunk without weights of its own, measured on batches of the training.
 * @returns its tensors
 */
async function* measuredNorms(
  context: FitContext,
  trunk: Trunk,
  batch: number,
  packed: (pass: number) => Promise<TensorData>,
): AsyncGenerator<FitProgress, MethodState> {
  const trainer = new Trainer(context, { measure: measureStep(context, trunk, batch) });
  try {
    for (let pass = 0; pass < MEASURED; pass++) {
      const { report } = await trainer.step('measure', { packed: await packed(pass) }, () => 0);
      report.dispose();
      yield { phase: 'batch norms', done: (pass + 1) * batch, total: MEASURED * batch, unit: 'images' };
    }
    return trainer.tensors(await trainer.vectors());
  } finally {
    trainer.dispose();
  }
}

/** Mean features of the references after training, `reference.1` and `.2`. @shape [1,C,h,w] */
async function referenceMeans(
  context: FitContext,
  trunk: Trunk,
  state: MethodState,
  references: DeviceTensor,
): Promise<MethodState> {
  const graph = new GraphBuilder();
  const values = stateInputs(graph, state);
  const parts = unpackMaps(graph.input('references', references.shape), trunk.shapes(context));
  scalesOf(trunk, values, parts, context).forEach((x, i) =>
    graph.output(referenceName(i), reduceMean(x, [0], true)),
  );
  const program = await context.compile(graph.build());
  return (await program.run({ ...state, references })).values;
}

const FORMS: Readonly<Record<Trunk['net'], string>> = {
  upper: 'Reduced form: only the layers of the backbone above its third level were trained.',
  stage: 'Reduced form: the backbone stayed as it is; a stage of its own was trained on its third level.',
  backbone: 'Full form: the whole backbone was trained.',
};

function remarkOn(context: FitContext, { net }: Trunk): void {
  context.remark(FORMS[net]);
  if (context.goodImages === 1)
    context.remark('One good image is its own reference: others are held against it alone.');
}

/** Learns from a few known defects, from made-up ones and against references; four heads on two scales. */
export const dra: Detector<DraOptions> = {
  title: 'DRA',
  source: {
    authors: 'Ding, Pang, Shen',
    title: 'Catching Both Gray and Black Swans: Open-set Supervised Anomaly Detection',
    where: 'CVPR 2022',
    reference:
      "The authors' code, as in open-iad. The reduced form freezes the backbone up to its third level and trains the " +
      'layers above it, on features of turned images that are computed once; of transformers, which have no layers above ' +
      'a map, a ResNet-18 stage from random weights. The full form trains all of the backbone. Batch norms of the ' +
      'backbone stay as they are. References are clean good images, always the same, and an image is not among its own; ' +
      'the code draws them anew, half of them with pasted pieces. The normal distribution of scores is exact instead of ' +
      'drawn. Images are flipped and turned by quarters, not freely. Batches and steps are fewer. Maps are the ' +
      "heads' scores of positions; the paper has none. The other map is DevNet's gradient: by the image in the full form, " +
      'by the features of the third level in the reduced one.',
  },
  about: {
    summary:
      'Learns from a few known defects, from pieces pasted in good images and against good references.',
    assumes:
      'Good images and images of defects, without masks; their classes and the words of a support set play no part.',
    fails:
      'It prefers the kinds of defects that it was shown; few of them are learnt by heart. Maps are coarse, of one ' +
      'value for 32 pixels of the input. Scores have no scale of their own. One good image is a poor reference for others.',
    cost:
      'Minutes of heavy training on features that are computed once; the full form trains the whole backbone and needs ' +
      'a GPU. Inspection costs one and a quarter passes of the backbone.',
  },
  options: {
    form: {
      kind: 'choice',
      default: 'reduced',
      choices: [
        { value: 'reduced', label: 'the last layers of the backbone' },
        { value: 'full', label: 'the whole backbone, as in the paper' },
      ],
      label: 'Training',
      help: 'The paper trains everything, on images of side 448: heavy without a GPU.',
    },
    steps: stepsOption(250, 'fixed'),
    batch: {
      ...batchOption(12),
      min: 3,
      help: 'Pictures in one step: a third known defects, the others good ones or made of them. The paper: 48, and 600 steps.',
    },
    learningRate: rateOption(2e-4),
    views: {
      kind: 'number',
      default: MOST_VIEWS,
      min: 1,
      max: MOST_VIEWS,
      integer: true,
      unit: '',
      label: 'Views of an image',
      help: 'How many ways each image is turned over; beyond 4 by quarter turns too. 1 where a turned image is no good one.',
    },
    pseudo: {
      kind: 'number',
      default: 96,
      min: 1,
      max: 10_000,
      integer: true,
      unit: 'images',
      label: 'Pseudo anomalies',
      help: 'Good images with a piece of themselves pasted elsewhere, made once; at least one of each good image.',
    },
    map: {
      kind: 'choice',
      default: 'mil',
      choices: [
        { value: 'mil', label: 'scores of positions' },
        { value: 'gradient', label: 'gradient of the score' },
      ],
      label: 'Map',
      help: "The gradient is stretched image by image: it shows where, and can't be compared between images.",
    },
    blurSigma: {
      ...blurOption(4),
      help: 'Gaussian smoothing of the map, in pixels of an input of side 448.',
    },
  },
  needs: { taps: TRUNK_LEVELS, leastGoodImages: 1, defects: 'required', support: true },
  // The full form sees the pixels.
  taps: ({ form }) => (form === 'full' ? [] : TRUNK_LEVELS),
  leavesOut: false,
  pictures: itemCount,

  memory(size, o) {
    const trunk = trunkOf(o.form, size.backbone);
    const width = packedWidth(trunk.shapes(size));
    const steps = [trainStep(size, trunk, o.batch)];
    if (trunk.net === 'stage') steps.push(measureStep(size, trunk, o.batch));
    return {
      fitBytes:
        cacheBytes(itemCount(size, o), width) +
        trainingBytes(steps) +
        4 * width * (referenceCount(size) + 2 * o.batch),
      stateBytes: netBytes(steps) + 4 * trunkWidth(trunk, size),
    };
  },

  async *fit(context, o) {
    const trunk = trunkOf(o.form, context.backbone);
    const width = packedWidth(trunk.shapes(context));
    const images = yield* trainingImages(context, (inputs) => packMaps(trunk.parts(inputs)), width, o);
    const chosen = [...context.rng('references').choose(context.goodImages, referenceCount(context))];
    const plan = batchPlan(o.batch);
    const draw = (stream: string) => drawBatch(images, chosen, plan, context.rng(stream));
    const packed = ({ items }: Batch) => images.store.batch(items);
    const own = pretrained(trunk, context);
    remarkOn(context, trunk);
    const start =
      own ??
      (context.trial
        ? undefined
        : yield* measuredNorms(context, trunk, o.batch, (i) => packed(draw(`norms.${i}`))));
    const references = context.upload(await images.store.batch(chosen.map((image) => images.good[image].at)));
    try {
      const falls = multiStep(
        o.learningRate,
        MILESTONES.map((share) => Math.floor(share * o.steps)),
        0.1,
      );
      const state = yield* fitByGradient(context, {
        key: 'heads',
        steps: { tell: trainStep(context, trunk, o.batch) },
        iterations: o.steps,
        start,
        rate: (_net, iteration) => falls(iteration),
        feeds: async (_step, iteration) => {
          const batch = draw(`batch.${iteration}`);
          return { references, packed: await packed(batch), kinds: batch.kinds, shares: batch.shares };
        },
      });
      return context.trial
        ? state
        : { ...state, ...(await referenceMeans(context, trunk, state, references)) };
    } finally {
      references.dispose();
    }
  },

  score(graph, inputs, state, o) {
    const trunk = trunkOf(o.form, inputs.backbone);
    const parts = trunk.parts(inputs);
    const heads = new FittedNet(graph, state, 'heads.');
    const side = inputs.image.shape[2];
    const scales = scalesOf(trunk, state, parts, { backbone: inputs.backbone, side }).map((x, i) =>
      scaleScores(heads, x, state[referenceName(i)]),
    );
    const score = anomalyScore(meanScores(scales));
    const sigma = (o.blurSigma * side) / USUAL_SIDE;
    const map =
      o.map === 'gradient'
        ? gradientMap(gradients(reduceSum(score), parts), side, sigma)
        : positionMap(
            scales.map(({ positions }) => positions),
            side,
            sigma,
          );
    return { map, score };
  },
};
