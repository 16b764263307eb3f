/** The definitions of the metrics, computed as they are written: every threshold over every item. */
import type { LabelledMap } from '../../src/metrics/aupro';
import type { Rng } from '../../src/base/rng';

type Numbers = ArrayLike<number>;

const distinct = (scores: Numbers): number[] => [...new Set(Array.from(scores))].sort((a, b) => b - a);

const caughtAt = (scores: Numbers, labels: Numbers, threshold: number, label: 0 | 1): number =>
  Array.from(scores).filter((score, i) => score >= threshold && (labels[i] ? 1 : 0) === label).length;

/** Share of pairs ordered right, ties half. */
export function pairAuroc(scores: Numbers, labels: Numbers): number | null {
  let won = 0;
  let pairs = 0;
  for (let i = 0; i < scores.length; i++)
    for (let j = 0; j < scores.length; j++) {
      if (!labels[i] || labels[j]) continue;
      pairs++;
      won += scores[i] > scores[j] ? 1 : scores[i] === scores[j] ? 0.5 : 0;
    }
  return pairs ? won / pairs : null;
}

/** Precision and recall at every distinct score, descending. */
export function curve(scores: Numbers, labels: Numbers) {
  const positives = Array.from(labels).filter(Boolean).length;
  return distinct(scores).map((threshold) => {
    const right = caughtAt(scores, labels, threshold, 1);
    const wrong = caughtAt(scores, labels, threshold, 0);
    return { threshold, right, wrong, precision: right / (right + wrong), recall: right / positives };
  });
}

export const averagePrecision = (scores: Numbers, labels: Numbers): number =>
  curve(scores, labels).reduce(
    (sum, { precision, recall }, i, all) => sum + (recall - (all[i - 1]?.recall ?? 0)) * precision,
    0,
  );

export function trapezoid(points: readonly { x: number; y: number }[]): number {
  let area = 0;
  for (let i = 1; i < points.length; i++)
    area += ((points[i].x - points[i - 1].x) * (points[i].y + points[i - 1].y)) / 2;
  return area;
}

export const trapezoidAupr = (scores: Numbers, labels: Numbers): number =>
  trapezoid([
    { x: 0, y: 1 },
    ...curve(scores, labels).map(({ recall, precision }) => ({ x: recall, y: precision })),
  ]);

/** As torchmetrics does it: points by rising threshold, the end point last, then a stable sort by recall. */
export const anomalibAupr = (scores: Numbers, labels: Numbers): number =>
  trapezoid(
    [
      ...curve(scores, labels)
        .reverse()
        .map(({ recall, precision }) => ({ x: recall, y: precision })),
      { x: 0, y: 1 },
    ].sort((a, b) => a.x - b.x),
  );

/** Flood fill, one region after the other in scan order. */
export function floodFill(mask: ArrayLike<number>, width: number, height: number, connectivity: 4 | 8) {
  const labels = new Int32Array(width * height);
  let count = 0;
  for (let start = 0; start < labels.length; start++) {
    if (!mask[start] || labels[start]) continue;
    count++;
    const stack = [start];
    while (stack.length) {
      const i = stack.pop()!;
      if (labels[i]) continue;
      labels[i] = count;
      const x = i % width;
      const y = (i - x) / width;
      for (let dy = -1; dy <= 1; dy++)
        for (let dx = -1; dx <= 1; dx++) {
          const inside = x + dx >= 0 && x + dx < width && y + dy >= 0 && y + dy < height;
          const joined = connectivity === 8 || dx === 0 || dy === 0;
          if (inside && joined && mask[i + dy * width + dx]) stack.push(i + dy * width + dx);
        }
    }
  }
  return { labels, count };
}

/** PRO over FPR at every distinct score, from scratch, then the area up to the limit. */
export function aupro(maps: readonly LabelledMap[], limit: number, connectivity: 4 | 8 = 8): number | null {
  const regions: number[][] = [];
  const normal: number[] = [];
  for (const { map, mask, width, height } of maps) {
    const { labels, count } = floodFill(mask ?? new Uint8Array(map.length), width, height, connectivity);
    for (let r = 1; r <= count; r++) regions.push(Array.from(map).filter((_, i) => labels[i] === r));
    normal.push(...Array.from(map).filter((_, i) => !labels[i]));
  }
  if (!regions.length || !normal.length) return null;
  const share = (values: number[], t: number) => values.filter((v) => v >= t).length / values.length;
  const points = distinct(maps.flatMap(({ map }) => [...map])).map((t) => ({
    x: share(normal, t),
    y: regions.reduce((sum, values) => sum + share(values, t), 0) / regions.length,
  }));
  const all = [{ x: 0, y: 0 }, ...points];
  const beyond = all.findIndex(({ x }) => x > limit);
  if (beyond < 0) return trapezoid(all) / limit;
  const [a, b] = [all[beyond - 1], all[beyond]];
  const cut = { x: limit, y: a.y + ((b.y - a.y) * (limit - a.x)) / (b.x - a.x) };
  return trapezoid([...all.slice(0, beyond), cut]) / limit;
}

/** A random set with many ties: scores are multiples of 1/levels. */
export function randomSet(rng: Rng, n: number, levels: number) {
  const scores = Float32Array.from({ length: n }, () => (rng.integer(levels) - levels / 2) / levels);
  const labels = Uint8Array.from(scores, (score) => (rng.uniform() < 0.3 + 0.5 * score ? 1 : 0));
  return { scores, labels };
}

/** Maps with random masks; the first has none. `shape` turns a number of [0, 1) plus the defect's 0.3 into a score. */
export function randomMaps(
  rng: Rng,
  count: number,
  width: number,
  height: number,
  shape: (u: number) => number = (u) => u,
): LabelledMap[] {
  return Array.from({ length: count }, (_, index) => {
    const mask = index
      ? Uint8Array.from({ length: width * height }, () => (rng.uniform() < 0.1 ? 1 : 0))
      : null;
    const map = Float32Array.from({ length: width * height }, (_, i) =>
      shape(rng.uniform() + (mask?.[i] ? 0.3 : 0)),
    );
    return { map, mask, width, height };
  });
}
