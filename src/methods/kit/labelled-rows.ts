import type { Value } from '../../graph/value';
import type { ClassifierContext } from '../classifier';
import type { FitProgress, Inputs } from '../contract';
import type { LabelledRows } from './class-head';
import { cacheFeatures } from './feature-cache';
import { mirrorView } from './mirror';
import type { Mirror } from './mirror';

/**
 * One vector for each image that is trained on and each way of turning it over, with its class.
 * @param build from features to [B,D]
 */
export async function* labelledRows(
  context: ClassifierContext,
  build: (inputs: Inputs) => Value,
  mirrors: readonly Mirror[],
): AsyncGenerator<FitProgress, LabelledRows> {
  const { trained, classOf } = context.labels;
  const rows: Float32Array[] = [];
  for (const [i, mirror] of mirrors.entries()) {
    const view = mirrorView(context.side, mirror);
    const cache = yield* cacheFeatures(context, `rows.${i}`, build, 'labelled', view);
    for (const index of trained) rows.push(await cache.of(index));
  }
  return { rows, classOf: mirrors.flatMap(() => trained.map((index) => classOf[index])) };
}
