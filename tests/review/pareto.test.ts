import { describe, expect, it } from 'vitest';
import { pareto } from '../../src/review/pareto';

const repeat = (counts: Record<string, number>) =>
  Object.entries(counts).flatMap(([name, count]) => new Array<string>(count).fill(name));

describe('pareto', () => {
  it('sorts by count and adds up to 1', () => {
    expect(pareto(repeat({ bridge: 1, particle: 5, hole: 2, scratch: 2 }))).toEqual([
      { name: 'particle', count: 5, share: 0.5, cumulative: 0.5 },
      { name: 'hole', count: 2, share: 0.2, cumulative: 0.7 },
      { name: 'scratch', count: 2, share: 0.2, cumulative: 0.9 },
      { name: 'bridge', count: 1, share: 0.1, cumulative: 1 },
    ]);
  });

  it('keeps unknown and unclassified apart at the end', () => {
    const bars = pareto(repeat({ unknown: 6, hole: 1, unclassified: 1, bridge: 2 }), [
      'unclassified',
      'unknown',
      'none',
    ]);
    expect(bars.map(({ name, count }) => [name, count])).toEqual([
      ['bridge', 2],
      ['hole', 1],
      ['unclassified', 1],
      ['unknown', 6],
    ]);
    expect(bars.at(-1)!.cumulative).toBe(1);
  });

  it('has no bars for no items', () => {
    expect(pareto([])).toEqual([]);
  });
});
