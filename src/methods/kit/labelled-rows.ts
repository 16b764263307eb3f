import type { Value } from '../../graph/value';
import type { ClassifierContext } from '../classifier';
import type { FitProgress, Inputs, View } from '../contract';
import type { LabelledRows } from './class-head';
import { cacheFeatures } from './feature-cache';
import { mirrored } from './mirror';
import type { Mirror } from './mirror';

const AS_IT_IS: Mirror = { x: false, y: false };
const TURNED: readonly Mirror[] = [
  { x: true, y: false },
  { x: false, y: true },
  { x: true, y: true },
];

/** How images are turned over to learn from. @source methods.md 19.3 */
export const mirrorsOf = (flips: boolean): readonly Mirror[] => (flips ? [AS_IT_IS, ...TURNED] : [AS_IT_IS]);

/** A view that turns an image over; none for one that leaves it. */
export const mirrorView =
  (side: number, mirror: Mirror): View =>
  (image) =>
    mirrored(image, side, mirror);

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
    const view = i ? mirrorView(context.side, mirror) : undefined;
    const cache = yield* cacheFeatures(context, `rows.${i}`, build, 'labelled', view);
    for (const index of trained) rows.push(await cache.of(index));
  }
  return { rows, classOf: mirrors.flatMap(() => trained.map((index) => classOf[index])) };
}
