import { describe, expect, it } from 'vitest';
import type { Review, Reviewed } from '../../../src/app/state/class-review';
import { acquaintance, disagreement, reviewSentence } from '../../../src/app/state/review-words';
import type { ImageId } from '../../../src/base/ids';
import type { ClassFitRecord } from '../../../src/store/schema';

const id = (name: string) => name as ImageId;
const fit = {
  spec: { classes: ['bridge', 'hole'] },
  taught: ['a', 'b', 'c'].map((name, i) => ({ imageId: id(name), classIndex: i % 2 })),
  summary: { heldOut: [{ imageId: id('a'), probabilities: Float32Array.of(1, 0) }] },
} as unknown as ClassFitRecord;
const item = (name: string) => ({ entry: { imageId: id(name) } }) as Reviewed;
const review = (more: Partial<Review>): Review => ({
  items: [],
  taught: 0,
  untold: 0,
  unknown: new Map(),
  ...more,
});

describe('what a review counts, in words', () => {
  it('images set aside, not taught, left out, not classified, of classes that the fit does not know', () => {
    const whole = review({
      items: [item('a'), item('x'), item('y')],
      taught: 2,
      untold: 4,
      unknown: new Map([['pit', 3]]),
    });
    expect(reviewSentence(fit, whole)).toBe(
      '3 labelled images that the fit had not seen: 1 set aside while it was trained, 2 not taught; 2 taught are left out; 4 not classified yet; 3 labelled pit, which this fit doesn’t know',
    );
  });
  it('only what there is', () => {
    expect(reviewSentence(fit, review({ items: [item('x')], taught: 1 }))).toBe(
      '1 labelled image that the fit had not seen: 1 not taught; 1 taught is left out',
    );
    expect(reviewSentence(fit, review({}))).toBe('0 labelled images that the fit had not seen');
  });
});

it('an image was set aside, taught or never seen', () => {
  expect(['a', 'b', 'x'].map((name) => acquaintance(fit, id(name)))).toEqual(['aside', 'taught', 'unseen']);
});

describe('disagreement of experts', () => {
  const [left, right, half] = [
    [1, 0],
    [0, 1],
    [0.5, 0.5],
  ].map((row) => Float32Array.from(row));
  it.each([
    ['the same', [left, left, left], 0],
    ['nothing in common', [left, right], 1],
    ['mean over the pairs', [left, right, half], 2 / 3],
    ['one expert has nobody to disagree with', [left], 0],
  ] as const)('%s', (_, experts, expected) => {
    expect(disagreement(experts)).toBeCloseTo(expected, 6);
  });
});
