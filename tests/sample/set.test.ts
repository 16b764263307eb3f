import { describe, expect, it } from 'vitest';
import { connectedComponents } from '../../src/base/components';
import { sampleSet } from '../../src/sample/set';
import type { SampleImage } from '../../src/sample/set';

const numbered = (folder: string, count: number, suffix = ''): string[] =>
  Array.from({ length: count }, (_, k) => `${folder}/${String(k).padStart(3, '0')}${suffix}.png`);

const mean = (values: Uint8Array): number => values.reduce((a, b) => a + b, 0) / values.length;

/** Correlation of two pictures: 1 for the same place. */
function correlation(a: Uint8Array, b: Uint8Array): number {
  const [meanA, meanB] = [mean(a), mean(b)];
  let [ab, aa, bb] = [0, 0, 0];
  a.forEach((value, i) => {
    ab += (value - meanA) * (b[i] - meanB);
    aa += (value - meanA) ** 2;
    bb += (b[i] - meanB) ** 2;
  });
  return ab / Math.sqrt(aa * bb);
}

describe.each([1, 2, 3])('sample set of seed %i', (seed) => {
  const set = sampleSet(seed);
  const at = (path: string): SampleImage => set.find((image) => image.path === path)!;

  it('has the MVTec layout', () => {
    expect(set.map((image) => image.path).sort()).toEqual(
      [
        ...numbered('train/good', 16),
        ...numbered('test/good', 6),
        ...['bridge', 'particle'].flatMap((name) => [
          ...numbered(`test/${name}`, 6),
          ...numbered(`ground_truth/${name}`, 6, '_mask'),
        ]),
      ].sort(),
    );
    for (const { width, height, pixels } of set)
      expect([width, height, pixels.length]).toEqual([160, 160, 25600]);
  });

  it('shows one product at different places under one set-up', () => {
    const pictures = set.filter((image) => !image.path.startsWith('ground_truth'));
    for (const { pixels } of pictures) expect(Math.abs(mean(pixels) - 110)).toBeLessThan(12);
    for (let k = 1; k < pictures.length; k++)
      expect(correlation(pictures[0].pixels, pictures[k].pixels)).toBeLessThan(0.9);
  });

  it.each(['bridge', 'particle'])(
    'has a third of its %s defects subtle, all with masks of 0 and 255',
    (name) => {
      const areas = numbered(`ground_truth/${name}`, 6, '_mask').map((path) => {
        const { pixels } = at(path);
        expect(new Set(pixels)).toEqual(new Set([0, 255]));
        return pixels.filter(Boolean).length;
      });
      expect(Math.max(...areas)).toBeLessThan(0.1 * 25600);
      expect(Math.min(...areas)).toBeGreaterThanOrEqual(12);
      for (const k of [0, 1, 3, 4]) expect(areas[k]).toBeGreaterThanOrEqual(50);
      if (name === 'bridge')
        // A bridge is one piece, but for single pixels that its rough edge sheds.
        for (const path of numbered('ground_truth/bridge', 6, '_mask'))
          expect(connectedComponents(at(path).pixels, 160, 160).count).toBeLessThanOrEqual(3);
    },
  );
});

it('is the same for the same seed and another for another', () => {
  const [a, b, c] = [sampleSet(7), sampleSet(7), sampleSet(8)];
  expect(a).toEqual(b);
  expect(a[0].pixels).not.toEqual(c[0].pixels);
});
