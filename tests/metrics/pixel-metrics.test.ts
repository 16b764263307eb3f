import { describe, expect, it } from 'vitest';
import { Rng } from '../../src/base/rng';
import type { LabelledMap } from '../../src/metrics/aupro';
import { PixelHistogram } from '../../src/metrics/histogram';
import { pixelMetrics } from '../../src/metrics/pixel-metrics';
import type { PixelMetrics } from '../../src/metrics/pixel-metrics';
import * as brute from './brute-force';

const FIELDS = ['auroc', 'ap', 'f1', 'aupro'] as const;

function expectClose(actual: PixelMetrics, expected: PixelMetrics, tolerance: number): void {
  for (const field of FIELDS)
    expect(Math.abs(actual[field]! - expected[field]!), field).toBeLessThan(tolerance);
  expect([actual.pixels, actual.positives, actual.regions]).toEqual([
    expected.pixels,
    expected.positives,
    expected.regions,
  ]);
}

describe('pixelMetrics', () => {
  it('the 4×4 case of methods 20.7, by sort and by histogram', () => {
    const maps: LabelledMap[] = [
      {
        map: Float32Array.of(0.9, 0.8, 0.1, 0.1, 0.2, 0.1, 0.1, 0.1, 0.1, 0.1, 0.7, 0.6, 0.1, 0.05, 0.5, 0.4),
        mask: Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 1, 1),
        width: 4,
        height: 4,
      },
    ];
    for (const exactBelow of [17, 16]) {
      const metrics = pixelMetrics(maps, { exactBelow });
      expect(metrics.auroc).toBeCloseTo(0.927273, 6);
      expect(metrics.ap).toBeCloseTo(0.81, 6);
      expect(metrics.f1).toBeCloseTo(0.909091, 6);
      expect(metrics.f1Threshold).toBeCloseTo(0.4, 4);
      expect(metrics.aupro).toBeCloseTo(0.848485, 6);
      expect(metrics).toMatchObject({ pixels: 16, positives: 5, regions: 2 });
    }
    // The sort finds the score itself, the histogram the lower edge of its bin.
    expect(pixelMetrics(maps, { exactBelow: 17 }).f1Threshold).toBe(Math.fround(0.4));
    expect(pixelMetrics(maps, { exactBelow: 16 }).f1Threshold).toBeLessThan(Math.fround(0.4));
  });

  it('agrees with the definitions on pooled pixels', () => {
    const maps = brute.randomMaps(new Rng(1, 'pixels'), 3, 9, 8, (u) => Math.round(u * 20));
    const scores = maps.flatMap(({ map }) => [...map]);
    const labels = maps.flatMap(({ map, mask }) => [...(mask ?? new Uint8Array(map.length))]);
    const metrics = pixelMetrics(maps, { fprLimit: 0.2 });
    expect(metrics.auroc).toBeCloseTo(brute.pairAuroc(scores, labels)!, 12);
    expect(metrics.ap).toBeCloseTo(brute.averagePrecision(scores, labels), 12);
    expect(metrics.aupro).toBeCloseTo(brute.aupro(maps, 0.2)!, 12);
  });

  it.each<[string, (u: number) => number]>([
    ['even', (u) => u],
    ['negative', (u) => u - 7],
    ['around zero', (u) => u - 0.6],
    ['a small spread on a large offset', (u) => 1000 + u / 50],
    ['eighty decades', (u) => 10 ** (50 * u - 45)],
    ['a single wild value', (u) => (u > 1.2999 ? 1e30 : u)],
    ['sixteen values', (u) => Math.round(u * 16)],
    ['a constant', () => 3],
  ])('the histogram is within 1e-4 of the sort: %s', (_, shape) => {
    const maps = brute.randomMaps(new Rng(2, 'shapes'), 20, 90, 70, shape);
    expectClose(pixelMetrics(maps, { exactBelow: 0 }), pixelMetrics(maps), 1e-4);
  });

  it('a threshold of the histogram flags exactly what it counts', () => {
    const rng = new Rng(5, 'edges');
    const maps = brute.randomMaps(rng, 3, 40, 40, (u) => (u - 0.5) * 10 ** rng.between(-3, 3));
    // Neighbouring float32 values, so that every edge has a pixel right below it.
    const dense = Float32Array.from({ length: 4096 }, (_, i) => 1 + i * 2 ** -23);
    maps.push({ map: dense, mask: null, width: 64, height: 64 });
    const histogram = new PixelHistogram();
    maps.forEach((item) => histogram.survey(item));
    maps.forEach((item) => histogram.count(item));
    const { thresholds, truePositives, falsePositives } = histogram.sweep();
    const values = Float32Array.from(maps.flatMap(({ map }) => [...map])).sort();
    expect(thresholds.length).toBeGreaterThan(1000);
    thresholds.forEach((threshold, i) => {
      const flagged = values.length - values.findIndex((value) => value >= threshold);
      expect(truePositives[i] + falsePositives[i]).toBe(flagged);
      expect(i === 0 || threshold < thresholds[i - 1]).toBe(true);
    });
  });

  it('is null for what is not defined', () => {
    const good = { map: Float32Array.of(1, 2, 3, 4), mask: null, width: 2, height: 2 };
    const counts = { pixels: 4, positives: 0, regions: 0 };
    for (const exactBelow of [0, 5])
      expect(pixelMetrics([good], { exactBelow })).toEqual({
        auroc: null,
        ap: null,
        f1: null,
        f1Threshold: null,
        aupro: null,
        ...counts,
      });
    expect(pixelMetrics([])).toMatchObject({ auroc: null, pixels: 0 });
  });

  it('walks any collection, but refuses one that is spent after a walk', () => {
    const maps = brute.randomMaps(new Rng(6, 'walks'), 3, 6, 6);
    expect(pixelMetrics(new Set(maps))).toEqual(pixelMetrics(maps));
    for (const exactBelow of [0, 1e6])
      expect(() => pixelMetrics(maps.values(), { exactBelow })).toThrow(
        expect.objectContaining({
          code: 'internal',
          message: 'the first pass saw 108 pixels, the second 0',
        }) as Error,
      );
  });

  it.each([NaN, Infinity, -Infinity])('names the pixel that is %d', (value) => {
    const maps = brute.randomMaps(new Rng(7, 'holes'), 2, 5, 4);
    maps[1].map[13] = value;
    expect(() => pixelMetrics(maps)).toThrow(
      expect.objectContaining({
        code: 'run/not-finite',
        message: `map 1 at x 3, y 2 is ${value}`,
        hint: 'Run the images again; if it stays, fit the method again.',
      }) as Error,
    );
  });

  it('refuses sides that disagree', () => {
    const map = { map: new Float32Array(6), mask: null, width: 4, height: 2 };
    expect(() => pixelMetrics([map])).toThrow(
      expect.objectContaining({ code: 'internal', message: 'map 0 has 6 values for 4×2' }) as Error,
    );
  });
});
