import { sizeOf } from '../../base/tensor';
import type { TensorData } from '../../base/tensor';
import { reshape } from '../../graph/ops/index';
import { logPriors, perClass } from '../../nn/losses/long-tail';
import { cosine } from '../../nn/schedules';
import type { ClassifierContext, ClassifierSize } from '../classifier';
import { dropChannels } from '../kit/channel-dropout';
import { ClassSampler } from '../kit/class-sampling';
import type { FeatureCache } from '../kit/feature-cache';
import { oneHot } from '../kit/one-hot';
import { BatchSampler } from '../kit/sampling';
import type { NetRole, StepGraph } from '../kit/training-graph';
import type { ViewCache } from '../kit/view-cache';
import type { Domains } from './recame-agnostic';
import type { RecameOptions } from './recame-options';

/** @source methods.md 18.6 */
export const OPTIMISER: NetRole['optimiser'] = { kind: 'adamw', weightDecay: 1e-4 };
/** A handful of images is seen more often than epochs say: fewer steps than this teach nothing. */
const LEAST_STEPS = 200;
/** Steps at rate 0 in which running statistics forget batches that inspection has none of: 0.9²⁵ is 7 %. */
const SETTLING = 25;

/** What the batches of a training are like. */
export interface BatchPlan {
  /** Images in a batch where there are as many. */
  readonly wanted: number;
  /** Whether every other batch has its classes alike. */
  readonly alternating: boolean;
  /** Share of the features' channels that is left out. */
  readonly dropout: number;
  /** Of the random numbers. */
  readonly stream: string;
  /** Fed beside the classes, where a branch learns them. */
  readonly domains?: Domains;
  /** What the ensemble says of every kept view, for a student. */
  readonly answers?: FeatureCache;
}

export type Shapes = Pick<ClassifierSize, 'taps'>;

/** Features, labels and drawing of a batch inside a step. */
export function batchOf({ input }: StepGraph, { taps }: Shapes, batch: number, classes: number) {
  const shape = taps.level3!;
  return {
    x: reshape(input('packed', [batch, sizeOf(shape)]), [batch, ...shape]),
    lesson: { labels: input('labels', [batch, classes]), drawn: input('drawn', [1, classes]) },
  };
}

/** Batches of a training: images as often as they are, and where that is wanted, every other time classes alike. */
export class Batches {
  readonly #images: BatchSampler;
  readonly #classes: ClassSampler | undefined;
  readonly #prior: TensorData;
  readonly #alike: TensorData;
  readonly size: number;

  constructor(
    private readonly context: ClassifierContext,
    private readonly cache: ViewCache,
    counts: readonly number[],
    private readonly plan: BatchPlan,
  ) {
    const { classOf, trained } = context.labels;
    this.#images = new BatchSampler(context, Int32Array.from(trained), plan.wanted, `${plan.stream} order`);
    this.size = this.#images.batch;
    this.#classes = plan.alternating ? new ClassSampler(context, trained, classOf, this.size) : undefined;
    this.#prior = perClass(logPriors(counts));
    this.#alike = perClass(logPriors(counts.map(() => 1)));
  }

  /** Whether its batches are others than inspection's: then running statistics have to settle. */
  get settles(): boolean {
    return this.plan.alternating || this.plan.dropout > 0;
  }

  get perEpoch(): number {
    return Math.ceil(this.context.labels.trained.length / this.size);
  }

  /** @param settled whether running statistics shall be those of whole images, as often as they are */
  async at(iteration: number, settled: boolean): Promise<Record<string, TensorData>> {
    const classes = settled || iteration % 2 === 0 ? undefined : this.#classes;
    const images = classes?.at(iteration) ?? this.#images.at(iteration);
    const { classOf } = this.context.labels;
    const { domains, answers, dropout, stream } = this.plan;
    const places = this.cache.drawn(images, this.context.rng(`${stream} views.${iteration}`));
    const packed = await this.cache.store.batch(places);
    if (dropout && !settled) {
      const [channels] = this.context.taps.level3!;
      dropChannels(packed, channels, dropout, this.context.rng(`${stream} dropped.${iteration}`));
    }
    const labels = images.map((image) => classOf[image]);
    return {
      packed,
      labels: oneHot(labels, this.#prior.shape[1]),
      drawn: classes ? this.#alike : this.#prior,
      ...(domains && {
        domains: oneHot(
          images.map((image) => domains.of[image]),
          domains.count,
        ),
      }),
      ...(answers && { answers: await answers.batch(places) }),
    };
  }
}

/** Steps of the experts. */
export const stepsOf = ({ perEpoch }: Batches, { epochs }: RecameOptions): number =>
  Math.max(epochs * perEpoch, LEAST_STEPS);

/** Length, rates and batches of a training: along half a cosine, and then at rate 0 until running statistics settle. */
export function course(batches: Batches, steps: number, { learningRate }: RecameOptions) {
  const rate = cosine(learningRate, steps);
  return {
    iterations: steps + (batches.settles ? SETTLING : 0),
    rate: (_net: string, iteration: number) => (iteration < steps ? rate(iteration) : 0),
    feeds: (_step: string, iteration: number) => batches.at(iteration, iteration >= steps),
  };
}
