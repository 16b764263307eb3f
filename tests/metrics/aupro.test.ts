import { describe, expect, it } from 'vitest';
import { Rng } from '../../src/base/rng';
import { aupro, pooledSweep } from '../../src/metrics/aupro';
import type { LabelledMap } from '../../src/metrics/aupro';
import * as brute from './brute-force';

const labelled = (width: number, map: number[], mask: number[] | null): LabelledMap => ({
  map: Float32Array.from(map),
  mask: mask && Uint8Array.from(mask),
  width,
  height: map.length / width,
});

/** The 4×4 case of methods 20.7. */
const FOUR = labelled(
  4,
  [0.9, 0.8, 0.1, 0.1, 0.2, 0.1, 0.1, 0.1, 0.1, 0.1, 0.7, 0.6, 0.1, 0.05, 0.5, 0.4],
  [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 1, 1],
);

describe('aupro', () => {
  it('the 4×4 case of methods 20.7', () => {
    expect(aupro([FOUR])).toBeCloseTo(0.848485, 6);
  });

  it.each([
    [[3], 0.1666656],
    [[1, 3, 5], 0.1666661],
  ])('the rising 400×7 ramp with defect columns %j', (columns, expected) => {
    const map = Array.from({ length: 2800 }, (_, i) => i / 2800);
    const mask = map.map((_, i) => (columns.includes(i % 7) ? 1 : 0));
    expect(aupro([labelled(7, map, mask)], { limit: 1 / 3 })).toBeCloseTo(expected, 7);
  });

  it('overlap of one region with even scores falls evenly', () => {
    const scores = Array.from({ length: 100 }, (_, i) => (i + 0.5) / 100);
    const { thresholds, overlap } = pooledSweep([
      labelled(20, [...scores, ...scores], [...scores.map(() => 1), ...scores.map(() => 0)]),
    ]);
    const at = (threshold: number) => overlap[thresholds.findLastIndex((score) => score >= threshold)] ?? 0;
    [0, 0.2, 0.4, 0.6, 0.8, 1].forEach((threshold) => expect(at(threshold)).toBeCloseTo(1 - threshold, 12));
  });

  it('counts two diagonal pixels as one region, or as two with 4 neighbours', () => {
    const map = labelled(3, [9, 1, 2, 3, 4, 5, 6, 7, 8], [1, 0, 0, 0, 1, 0, 0, 0, 0]);
    expect([pooledSweep([map]).regions, pooledSweep([map], 4).regions]).toEqual([1, 2]);
  });

  it('follows the definition on random maps with many ties', () => {
    const rng = new Rng(3, 'aupro');
    for (let round = 0; round < 40; round++) {
      const levels = 2 + rng.integer(30);
      const maps = brute.randomMaps(rng, 1 + rng.integer(4), 5 + rng.integer(6), 5 + rng.integer(6), (u) =>
        Math.round(u * levels),
      );
      for (const limit of [0.05, 0.3, 1])
        for (const connectivity of [4, 8] as const) {
          const expected = brute.aupro(maps, limit, connectivity);
          const actual = aupro(maps, { limit, connectivity });
          if (expected === null) expect(actual).toBeNull();
          else expect(actual).toBeCloseTo(expected, 12);
        }
    }
  });

  it('stays the same under a rising transform and another order of the maps', () => {
    const maps = brute.randomMaps(new Rng(4, 'aupro'), 4, 12, 9);
    const value = aupro(maps)!;
    expect(aupro([...maps].reverse())).toBeCloseTo(value, 12);
    expect(aupro(maps.map((item) => ({ ...item, map: item.map.map((v) => v ** 3 * 8 - 5) })))).toBeCloseTo(
      value,
      12,
    );
  });

  it('is 1 for a map that is its mask, and half the limit for a constant one', () => {
    const { mask } = FOUR;
    expect(aupro([{ ...FOUR, map: Float32Array.from(mask!) }])).toBe(1);
    expect(aupro([{ ...FOUR, map: new Float32Array(16) }], { limit: 0.4 })).toBeCloseTo(0.2, 12);
  });

  it('is null without a region and without a good pixel', () => {
    expect(aupro([])).toBeNull();
    expect(
      aupro([
        { ...FOUR, mask: null },
        { ...FOUR, mask: new Uint8Array(16) },
      ]),
    ).toBeNull();
    expect(aupro([{ ...FOUR, mask: new Uint8Array(16).fill(1) }])).toBeNull();
  });

  it.each([
    [[FOUR, { ...FOUR, width: 5 }], {}, 'map 1 has 16 values for 5×4'],
    [[{ ...FOUR, mask: new Uint8Array(9) }], {}, 'mask 0 has 9 pixels for a map of 16'],
    [[FOUR], { limit: 0 }, 'false-positive limit 0 is not in (0, 1]'],
    [[FOUR], { limit: 1.5 }, 'false-positive limit 1.5 is not in (0, 1]'],
  ])('refuses what fits no definition (%#)', (maps, options, message) => {
    expect(() => aupro(maps, options)).toThrow(
      expect.objectContaining({ code: 'internal', message }) as Error,
    );
  });
});
