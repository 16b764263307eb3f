import { describe, expect, it } from 'vitest';
import { findRegions } from '../../src/review/regions';
import { ruleMadeSentence } from '../../src/review/sentence';

const [WIDTH, HEIGHT] = [90, 60];
const LABEL = 'Rule-made sentence; no language model runs.';

type Square = readonly [x: number, y: number, side: number, value: number];

function regionsOf(...squares: Square[]) {
  const map = new Float32Array(WIDTH * HEIGHT);
  for (const [left, top, side, value] of squares)
    for (let y = top; y < top + side; y++) map.fill(value, y * WIDTH + left, y * WIDTH + left + side);
  return findRegions(map, WIDTH, HEIGHT, 0.5);
}

const sentence = (...squares: Square[]): string =>
  ruleMadeSentence(true, regionsOf(...squares), WIDTH, HEIGHT);

describe('the rule-made sentence', () => {
  it.each([
    [0, 0, 'upper left'],
    [40, 5, 'upper middle'],
    [80, 5, 'upper right'],
    [5, 26, 'middle left'],
    [42, 28, 'middle'],
    [85, 28, 'middle right'],
    [5, 50, 'lower left'],
    [42, 54, 'lower middle'],
    [84, 54, 'lower right'],
  ])('a region from (%i, %i) lies at the %s', (x, y, place) => {
    expect(sentence([x, y, 5, 1])).toBe(
      `Yes, there is an anomaly at the ${place}; it takes 0.5 % of the image. ${LABEL}`,
    );
  });

  it('of several names the strongest and takes all together', () => {
    // 900 + 324 of 5,400 pixels.
    expect(sentence([0, 0, 30, 0.7], [70, 40, 18, 0.9])).toBe(
      `Yes, there are anomalies at 2 places, the strongest at the lower right; together they take 22.7 % of the image. ${LABEL}`,
    );
  });

  it('tells of what is hardly there', () => {
    expect(sentence([4, 4, 2, 1])).toMatch(/it takes below 0\.1 % of the image/);
  });

  it('says no where the verdict is good, whatever the map shows', () => {
    const expected = `No, there is no anomaly in this image. ${LABEL}`;
    expect(ruleMadeSentence(false, [], WIDTH, HEIGHT)).toBe(expected);
    expect(ruleMadeSentence(false, regionsOf([4, 4, 9, 1]), WIDTH, HEIGHT)).toBe(expected);
  });

  it('says yes without a place where the map stays below the threshold', () => {
    expect(ruleMadeSentence(true, [], WIDTH, HEIGHT)).toBe(
      `Yes, there is an anomaly in this image, but no place is above the threshold. ${LABEL}`,
    );
  });
});
