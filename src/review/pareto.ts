/** One bar of a Pareto chart. */
export interface ParetoBar<Name> {
  readonly name: Name;
  readonly count: number;
  /** Of all items, 0 … 1. */
  readonly share: number;
  /** Share of this bar and all before it; 1 at the last. */
  readonly cumulative: number;
}

/**
 * Counts classes, the most frequent first, equal ones in the order of their first item.
 * @param classes one class per item
 * @param apart classes that stand at the end in this order whatever their count, such as unknown and unclassified;
 *   left out where no item has them
 */
export function pareto<Name>(classes: Iterable<Name>, apart: readonly Name[] = []): ParetoBar<Name>[] {
  const counts = new Map<Name, number>();
  let total = 0;
  for (const name of classes) {
    counts.set(name, (counts.get(name) ?? 0) + 1);
    total++;
  }
  const sorted = [...counts].filter(([name]) => !apart.includes(name)).sort((a, b) => b[1] - a[1]);
  const last = apart.flatMap((name) => (counts.has(name) ? [[name, counts.get(name)!] as const] : []));
  let seen = 0;
  return [...sorted, ...last].map(([name, count]) => {
    seen += count;
    return { name, count, share: count / total, cumulative: seen / total };
  });
}
