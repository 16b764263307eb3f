import { describe, expect, it } from 'vitest';
import type { FitId, ImageId } from '../../../src/base/ids';
import {
  calledOf,
  compareFits,
  curveOf,
  reportRequest,
  reviewOf,
  sureOf,
} from '../../../src/app/state/class-review';
import type { Entry } from '../../../src/app/state/library.svelte';
import type { ClassFitRecord, ClassResultRecord } from '../../../src/store/schema';

const entry = (id: string, className?: string): Entry =>
  ({ imageId: id as ImageId, name: `${id}.png`, ...(className && { className }) }) as Entry;
const told = (id: string, ...probabilities: number[]): [ImageId, ClassResultRecord] => [
  id as ImageId,
  {
    imageId: id as ImageId,
    fitId: 'fit' as FitId,
    probabilities: Float32Array.from(probabilities),
    durationMs: 1,
  },
];

/** Taught by a, b, c, d; a and b were set aside while it was trained. */
const FIT = {
  id: 'fit',
  spec: { classes: ['bridge', 'hole'] },
  taught: ['a', 'b', 'c', 'd'].map((id, i) => ({ imageId: id, classIndex: i % 2 })),
  summary: {
    heldOut: [
      { imageId: 'a', probabilities: Float32Array.of(0.9, 0.1) },
      { imageId: 'b', probabilities: Float32Array.of(0.6, 0.4) },
    ],
  },
} as unknown as ClassFitRecord;
const ENTRIES = [
  entry('a', 'bridge'),
  entry('b', 'hole'),
  entry('c', 'bridge'),
  entry('d', 'hole'),
  entry('e', 'hole'),
  entry('f', 'bridge'),
  entry('g', 'scratch'),
  entry('h'),
];
const RESULTS = new Map([told('c', 1, 0), told('e', 0.2, 0.8), told('h', 0.5, 0.5)]);

describe('the review of a fit', () => {
  const review = reviewOf(FIT, ENTRIES, RESULTS);

  it('counts images that it had not seen: those set aside, and those it was not taught by', () => {
    expect(
      review.items.map(({ entry: { imageId }, actual, predicted }) => [imageId, actual, predicted]),
    ).toEqual([
      ['a', 0, 0],
      ['b', 1, 0],
      ['e', 1, 1],
    ]);
    expect(review.taught).toBe(2);
    expect(review.untold).toBe(1);
    expect([...review.unknown]).toEqual([['scratch', 1]]);
  });

  it('below the threshold an image is unknown', () => {
    expect(review.items.map((item) => calledOf(item, 0.7))).toEqual([0, 2, 1]);
    expect(reportRequest(FIT, review.items, 0.7)).toEqual({
      actual: [0, 1, 1],
      predicted: [0, 2, 1],
      trained: [2, 2],
    });
  });

  it('the curve and the sure ones are of the same images', () => {
    const last = curveOf(review.items).at(-1)!;
    expect(last.coverage).toBe(1);
    expect(last.risk).toBeCloseTo(1 / 3, 12);
    expect(sureOf(review.items)).toEqual({ n: 0, right: 0 });
  });

  it('two fits are compared on the images that both can be judged by, whatever the order of their classes', () => {
    const turned = {
      ...FIT,
      spec: { classes: ['hole', 'bridge'] },
      taught: [],
      summary: { heldOut: [] },
    } as unknown as ClassFitRecord;
    const other = reviewOf(
      turned,
      ENTRIES,
      new Map([told('b', 0.9, 0.1), told('e', 0.4, 0.6), told('f', 0, 1)]),
    );
    expect(compareFits(review.items, other.items)).toEqual({
      bothRight: 0,
      onlyFirst: 1,
      onlySecond: 1,
      bothWrong: 0,
      p: 1,
    });
    expect(compareFits(review.items, [])).toBeNull();
  });
});
