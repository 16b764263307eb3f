import type { ImageId } from '../../base/ids';
import type { ClassFitRecord } from '../../store/schema';
import { plural } from '../actions/format';
import type { Review } from './class-review';

/** What is counted of a fit and what isn't, in words. */
export function reviewSentence(fit: ClassFitRecord, { items, taught, untold, unknown }: Review): string {
  const aside = new Set(fit.summary?.heldOut.map(({ imageId }) => imageId));
  const apart = items.filter(({ entry }) => aside.has(entry.imageId)).length;
  const counted = [
    apart ? `${apart} set aside while it was trained` : '',
    items.length - apart ? `${items.length - apart} not taught` : '',
  ].filter(Boolean);
  return [
    `${plural(items.length, 'labelled image')} that the fit had not seen${counted.length ? `: ${counted.join(', ')}` : ''}`,
    taught ? `${taught} taught ${taught === 1 ? 'is' : 'are'} left out` : '',
    untold ? `${untold} not classified yet` : '',
    ...[...unknown].map(([name, count]) => `${count} labelled ${name}, which this fit doesn’t know`),
  ]
    .filter(Boolean)
    .join('; ');
}

/** How a fit came to know an image. */
export function acquaintance(fit: ClassFitRecord, imageId: ImageId): 'aside' | 'taught' | 'unseen' {
  if (fit.summary?.heldOut.some((own) => own.imageId === imageId)) return 'aside';
  return fit.taught.some((own) => own.imageId === imageId) ? 'taught' : 'unseen';
}

/** Mean total variation over the pairs of experts: 0 where all say the same, 1 where they have nothing in common. */
export function disagreement(experts: readonly Float32Array[]): number {
  const apart = (a: Float32Array, b: Float32Array) =>
    a.reduce((sum, share, c) => sum + Math.abs(share - b[c]), 0) / 2;
  const pairs = experts.flatMap((a, i) => experts.slice(i + 1).map((b) => apart(a, b)));
  return pairs.reduce((sum, one) => sum + one, 0) / Math.max(pairs.length, 1);
}
