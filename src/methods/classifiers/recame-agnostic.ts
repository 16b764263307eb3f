import { concat, linear, mul, reduceMean, reshape, sqrt, sub } from '../../graph/ops/index';
import type { Value } from '../../graph/value';
import { filledWith, uniformFanIn } from '../../nn/initialisers';
import { crossEntropy } from '../../nn/losses/long-tail';
import { decorrelationLoss } from '../../nn/losses/metric';
import type { Net } from '../../nn/net';
import type { ClassifierContext, ClassifierSize } from '../classifier';
import type { FitProgress, Inputs } from '../contract';
import { cacheFeatures } from '../kit/feature-cache';
import { kMeans } from '../kit/k-means';
import { standardised } from '../kit/standardise';
import { expertName, sumOf } from './recame-network';
import type { Expert } from './recame-network';

/** Domains where there are as many. @source methods.md 18.5 e */
export const DOMAINS = 4;
/** Length of the vector that domains are told by. @source methods.md 18.3 */
const EMBEDDING = 32;
/** Weights of the losses. @source methods.md 18.5 */
const DOMAIN = 0.1;
const DECORRELATION = 0.05;

/** Which images are alike in what has nothing to do with their classes. */
export interface Domains {
  /** At least two. */
  readonly count: number;
  /** Domain of each labelled image that is trained on. */
  readonly of: readonly number[];
}

/** Numbers of an image that domains are found by. */
export const statisticsWidth = ({ taps }: Pick<ClassifierSize, 'taps'>): number => 2 * taps.level1![0];

/** Mean and deviation of every channel. @param map [B,C,h,w] @returns [B,2C] */
export function channelStatistics(map: Value): Value {
  const mean = reduceMean(map, [2, 3], true);
  const centred = sub(map, mean);
  const deviation = sqrt(reduceMean(mul(centred, centred), [2, 3], true));
  return reshape(concat([mean, deviation], 1), [map.shape[0], -1]);
}

/**
 * Pseudo-domains of the images that are trained on: k-means clusters of the mean and the deviation of every channel of
 * the first level, each brought to unit spread. The backbone is frozen and the images are taken as they are, so they are
 * found once: a second look would find the same.
 * @returns undefined where all images look alike
 * @source methods.md 18.5 e
 */
export async function* pseudoDomains(
  context: ClassifierContext,
): AsyncGenerator<FitProgress, Domains | undefined> {
  const { trained } = context.labels;
  const statistics = ({ taps }: Inputs) => channelStatistics(taps.level1!);
  const cache = yield* cacheFeatures(context, 'domains', statistics, 'labelled');
  const rows = await Promise.all(trained.map((image) => cache.of(image)));
  const clusters = kMeans(standardised(rows).rows, DOMAINS, context.rng('domains'));
  const of: number[] = [];
  trained.forEach((image, i) => (of[image] = clusters[i]));
  const sizes = sizesOf(clusters);
  if (sizes.length < 2) {
    context.remark('All images look alike at the first level: no domains, and no class-agnostic branch.');
    return undefined;
  }
  context.remark(`Domains found at the first level: ${sizes.length}, of ${listed(sizes)} images.`);
  return { count: sizes.length, of };
}

/** How many rows each cluster has. */
function sizesOf(clusters: Int32Array): number[] {
  const sizes: number[] = [];
  for (const cluster of clusters) sizes[cluster] = (sizes[cluster] ?? 0) + 1;
  return sizes;
}

/** "9, 5 and 2", the largest first. */
function listed(numbers: readonly number[]): string {
  const sorted = [...numbers].sort((a, b) => b - a);
  return `${sorted.slice(0, -1).join(', ')} and ${sorted.at(-1)}`;
}

/**
 * What the class-agnostic branch adds: each expert also tells domains, by a projection of its own that is uncorrelated
 * with what it tells classes by. Of training alone, in a network of its own.
 * @param domains one-hot, [B,D]
 * @source methods.md 18.3, 18.5 e
 */
export function agnosticLosses(
  net: Net,
  experts: readonly Expert[],
  domains: Value,
): Record<'domains' | 'decorrelation', Value> {
  const [, count] = domains.shape;
  const found = experts.map(({ z, u }, e) => {
    const name = expertName(e);
    const projection = net.parameter(`${name}.projection.weight`, [EMBEDDING, z.shape[1]], uniformFanIn);
    const weight = net.parameter(`${name}.classifier.weight`, [count, EMBEDDING], uniformFanIn);
    const bias = net.parameter(`${name}.classifier.bias`, [count], filledWith(0));
    const agnostic = linear(z, projection);
    const logits = linear(agnostic, weight, bias);
    return { domains: crossEntropy(logits, domains), decorrelation: decorrelationLoss(u, agnostic) };
  });
  return {
    domains: mul(sumOf(found.map((expert) => expert.domains)), DOMAIN),
    decorrelation: mul(sumOf(found.map((expert) => expert.decorrelation)), DECORRELATION),
  };
}
