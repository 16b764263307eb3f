import { expect, it } from 'vitest';
import { aupro, pooledSweep } from '../../src/metrics/aupro';
import type { LabelledMap } from '../../src/metrics/aupro';
import { pixelMetrics } from '../../src/metrics/pixel-metrics';
import { anomalibArea, trapezoidArea } from '../../src/metrics/sweep';
import { describeGolden, goldenJson, goldenTensors } from '../support/golden';

interface GoldenPixels {
  n: number;
  positives: number;
  auroc: number;
  ap: number;
  aupr_trapezoid: number;
  aupr_anomalib: number;
  f1max: number;
  f1max_threshold: number;
  aupro: Record<string, { value: number; with_4_neighbours: number; anomalib: number }>;
}

interface Golden {
  pixels: { connectivity: Record<'4' | '8', number> } & Record<'smooth' | 'ties', GoldenPixels>;
  ramp_400x7_limit_third: Record<string, number>;
}

const near = (actual: number | null, expected: number, tolerance: number) =>
  expect(Math.abs(actual! - expected)).toBeLessThanOrEqual(tolerance);

/** Half goes to the even neighbour, as numpy rounds. */
function roundToEven(value: number): number {
  const below = Math.floor(value);
  if (value - below === 0.5) return below % 2 ? below + 1 : below;
  return Math.round(value);
}

async function goldenMaps(kind: 'smooth' | 'ties'): Promise<LabelledMap[]> {
  const tensors = await goldenTensors('metrics.safetensors');
  const { shape } = tensors['pixels.masks'];
  const [count, height, width] = shape;
  const masks = tensors['pixels.masks'].data as Uint8Array;
  const smooth = tensors['pixels.smooth'].data as Float32Array;
  const values = kind === 'smooth' ? smooth : smooth.map((value) => roundToEven(16 * value) / 16);
  const size = width * height;
  return Array.from({ length: count }, (_, i) => ({
    map: values.slice(i * size, (i + 1) * size),
    mask: masks.slice(i * size, (i + 1) * size),
    width,
    height,
  }));
}

describeGolden(['metrics.json', 'metrics.safetensors'], 'pixel metrics', () => {
  const golden = goldenJson<Golden>('metrics.json');

  it.each(['smooth', 'ties'] as const)('%s maps', async (kind) => {
    const maps = await goldenMaps(kind);
    const expected = golden.pixels[kind];
    for (const { exactBelow, tolerance } of [
      { exactBelow: Infinity, tolerance: 1e-9 },
      { exactBelow: 0, tolerance: 1e-4 },
    ]) {
      const metrics = pixelMetrics(maps, { exactBelow });
      near(metrics.auroc, expected.auroc, tolerance);
      near(metrics.ap, expected.ap, tolerance);
      near(metrics.f1, expected.f1max, tolerance);
      near(metrics.f1Threshold, expected.f1max_threshold, tolerance);
      expect([metrics.pixels, metrics.positives]).toEqual([expected.n, expected.positives]);
      expect(metrics.regions).toBe(golden.pixels.connectivity['8']);
      for (const [limit, { value }] of Object.entries(expected.aupro))
        near(pixelMetrics(maps, { exactBelow, fprLimit: Number(limit) }).aupro, value, tolerance);
    }
    for (const [limit, { value, with_4_neighbours, anomalib }] of Object.entries(expected.aupro)) {
      near(aupro(maps, { limit: Number(limit) }), value, 1e-9);
      near(aupro(maps, { limit: Number(limit), connectivity: 4 }), with_4_neighbours, 1e-9);
      // Their float32 sums differ from the exact value by up to 1e-6.
      near(aupro(maps, { limit: Number(limit) }), anomalib, 2e-6);
    }
    expect(pooledSweep(maps, 4).regions).toBe(golden.pixels.connectivity['4']);
    near(trapezoidArea(pooledSweep(maps)), expected.aupr_trapezoid, 1e-9);
    near(anomalibArea(pooledSweep(maps)), expected.aupr_anomalib, 1e-5);
  });

  it.each(Object.entries(golden.ramp_400x7_limit_third))(
    '400×7 ramp, defect columns %s',
    (columns, expected) => {
      const defects = JSON.parse(columns) as number[];
      const item = {
        map: Float32Array.from({ length: 2800 }, (_, i) => i / 2800),
        mask: Uint8Array.from({ length: 2800 }, (_, i) => (defects.includes(i % 7) ? 1 : 0)),
        width: 7,
        height: 400,
      };
      near(aupro([item], { limit: 1 / 3 }), expected, 1e-9);
      near(pixelMetrics([item], { fprLimit: 1 / 3, exactBelow: 0 }).aupro, expected, 1e-4);
    },
  );
});
