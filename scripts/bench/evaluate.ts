import { pixelMetrics } from '../../src/metrics/pixel-metrics';
import { auroc, averagePrecision, f1Max } from '../../src/metrics/ranking';
import type { BenchImage } from './dataset';
import type { HostResult } from './host';
import { readMask } from './decode';

export interface Figures {
  readonly imageAuroc: number | null;
  readonly imageAp: number | null;
  readonly imageF1: number | null;
  readonly pixelAuroc: number | null;
  readonly pixelAp: number | null;
  /** Of the best threshold. */
  readonly pixelF1: number | null;
  readonly aupro: number | null;
}

/** Image figures over all test images; pixel figures over those whose pixels are known: good ones, and masked ones. */
export async function evaluate(
  images: readonly BenchImage[],
  results: readonly HostResult[],
  side: number,
): Promise<Figures> {
  const labels = images.map(({ className }) => Number(className !== 'good'));
  const scores = results.map(({ score }) => score);
  const maps = [];
  for (const [i, image] of images.entries()) {
    if (labels[i] && !image.maskFile) continue;
    const mask = image.maskFile ? await readMask(image.maskFile, side) : null;
    maps.push({ map: results[i].map, mask, width: side, height: side });
  }
  const pixels = pixelMetrics(maps);
  return {
    imageAuroc: auroc(scores, labels),
    imageAp: averagePrecision(scores, labels),
    imageF1: f1Max(scores, labels)?.f1 ?? null,
    pixelAuroc: pixels.auroc,
    pixelAp: pixels.ap,
    pixelF1: pixels.f1,
    aupro: pixels.aupro,
  };
}
