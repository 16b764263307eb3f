import { expect, it } from 'vitest';
import { CLASS_NAMES } from '../../src/sample/classes';
import { FAR_RANGES, RANGES } from '../../src/sample/ranges';
import type { Range, Ranges } from '../../src/sample/ranges';
import { PATTERN, classOf, pictureOf, trainingPictures } from '../../scripts/train-clip/pictures';
import { CLOSE_RANGES, OTHER_RANGES, WIDE_RANGES } from '../../scripts/train-clip/ranges';

const names = Object.keys(RANGES) as (keyof Ranges)[];
const disjoint = ([a, b]: Range, [c, d]: Range): boolean => b < c || d < a;

it('wide ranges hold the usual ones; neither they nor close ones hold any of the far ones', () => {
  for (const name of names) {
    const [[low, high], [least, most]] = [RANGES[name], WIDE_RANGES[name]];
    expect(least <= low && high <= most, name).toBe(true);
    for (const ranges of [WIDE_RANGES, CLOSE_RANGES])
      expect(disjoint(ranges[name], FAR_RANGES[name]), name).toBe(true);
  }
});

it('other ranges are of an instrument that no training image was taken with', () => {
  const beyond = names.filter((name) => disjoint(OTHER_RANGES[name], WIDE_RANGES[name]));
  expect(beyond).toEqual(
    expect.arrayContaining(['spotPx', 'noise', 'edge', 'charging', 'mean', 'deviation']),
  );
  for (const name of names.filter((own) => !beyond.includes(own)))
    expect(OTHER_RANGES[name], name).toEqual(RANGES[name]);
});

it('any image of a set can be drawn by itself', () => {
  const set = trainingPictures(160, 4);
  const image = pictureOf(set, 13);
  expect(image.pixels).toEqual(pictureOf(set, 13).pixels);
  expect(image.className).toBe(CLASS_NAMES[classOf(13)]);
  expect(image.pixels).not.toEqual(pictureOf(set, 13 + PATTERN.length).pixels);
});

it('pictures drawn at another side are brought to the one that is wanted, masks with them', () => {
  const set = trainingPictures(160, 4);
  expect(set.sources.map(({ rescaled = false }) => rescaled)).toEqual([false, true, false]);
  for (let i = PATTERN.length; i < 2 * PATTERN.length; i++) {
    const { width, height, pixels, mask, className } = pictureOf(set, i);
    expect([width, height, pixels.length, mask.length]).toEqual([160, 160, 160 * 160, 160 * 160]);
    expect(mask.every((inside) => inside === 0 || inside === 1)).toBe(true);
    expect(mask.includes(1)).toBe(className !== 'good');
  }
});
