import { formatShape, sameShape } from '../base/tensor';
import type { Shape } from '../base/tensor';

/** Wrappers that training code leaves in front of every name. */
export const PREFIXES: readonly string[] = ['', 'module.', 'model.', 'backbone.', 'encoder.', 'state_dict.'];

/** The tensors behind a prefix, without it. */
export function withoutPrefix(
  shapes: ReadonlyMap<string, Shape>,
  prefix: string,
): ReadonlyMap<string, Shape> {
  const own = [...shapes].filter(([name]) => name.startsWith(prefix));
  return new Map(own.map(([name, shape]) => [name.slice(prefix.length), shape]));
}

/** How the tensors of a file differ from those that a network expects. */
export interface Difference {
  readonly missing: readonly string[];
  readonly misshapen: readonly string[];
  /** Tensors of the file that the network has no use for. */
  readonly unknown: readonly string[];
}

/** @param beside names that a published file may have without being another network for it */
export function differenceOf(
  expected: ReadonlyMap<string, Shape>,
  found: ReadonlyMap<string, Shape>,
  beside: RegExp,
): Difference {
  const missing: string[] = [];
  const misshapen: string[] = [];
  for (const [name, shape] of expected) {
    const own = found.get(name);
    if (!own) missing.push(name);
    else if (!sameShape(own, shape))
      misshapen.push(`${name} is ${formatShape(own)}, expected ${formatShape(shape)}`);
  }
  const unknown = [...found.keys()].filter((name) => !expected.has(name) && !beside.test(name));
  return { missing, misshapen, unknown };
}

/** The difference in words, three names of each kind; empty when there is none. */
export function describeDifference({ missing, misshapen, unknown }: Difference): string {
  const list = (what: string, names: readonly string[]) => {
    const shown = names.slice(0, 3).join('; ');
    return names.length ? [`${what} ${shown}${names.length > 3 ? ` and ${names.length - 3} more` : ''}`] : [];
  };
  return [
    ...list('it lacks', missing),
    ...list('misshapen:', misshapen),
    ...list('it has also', unknown),
  ].join('; ');
}
