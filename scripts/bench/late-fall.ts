import type { Look } from './host';

/** The last part of a training: a fifth of its looks' steps. */
const LATE = 0.2;

/**
 * How flat a training ended: the share of all that its best held-out loss fell by that fell in its last fifth.
 * @param looks of one fit; those of its last phase count
 * @returns 0 where nothing late was better; null where fewer than two looks were taken or none was better than the first
 */
export function lateFall(looks: readonly Look[]): number | null {
  const phase = looks.at(-1)?.phase;
  const own = looks.filter((look) => look.phase === phase);
  if (own.length < 2) return null;
  const best = (some: readonly Look[]) => Math.min(...some.map(({ loss }) => loss));
  const late = own[own.length - 1].step * (1 - LATE);
  const [first] = own;
  const fell = first.loss - best(own);
  return fell > 0
    ? (best(own.filter(({ step }) => step <= Math.max(late, first.step))) - best(own)) / fell
    : null;
}
