import { expect, it } from 'vitest';
import { floatTensor, floats } from '../../../src/base/tensor';
import { textTrust, trustRemark, wordShares } from '../../../src/methods/clip/trust';

/** Four classes along four directions; the first has no defect. */
const TEXTS = floatTensor([4, 4], [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]);
const TWO = floatTensor([2, 4], [1, 0, 0, 0, 0, 0.6, 0.6, 0.6]);
const token = (c: number) => Float32Array.from([0, 1, 2, 3], (k) => (k === c ? 5 : 0));
const trust = (seen: readonly number[], classOf: readonly number[]) =>
  [...floats(textTrust({ rows: seen.map(token), classOf }, 0, TEXTS, TWO))].map((own) =>
    Number(own.toFixed(5)),
  );

it('is 1 where words are always right, 0 where they are at chance or worse', () => {
  expect(trust([0, 1, 2, 3], [0, 1, 2, 3])).toEqual([1, 1]);
  expect(trust([1, 0, 0, 0], [0, 1, 2, 3])).toEqual([0, 0]);
  // Everything is called a defect of one class: every other image of two kinds, one of four classes.
  expect(trust([1, 1, 1, 1], [0, 1, 2, 3])).toEqual([0, 0]);
});

it('counts classes alike, not images', () => {
  // Of class 1 three of four are right, of good the one: (1 + 3/4)/2 twice over; of 4 classes chance is 1/4.
  const [defects, classes] = trust([0, 1, 1, 1, 0], [0, 1, 1, 1, 1]);
  expect(defects).toBeCloseTo(2 * ((1 + 3 / 4) / 2) - 1, 5);
  expect(classes).toBeCloseTo(((1 + 3 / 4) / 2 - 1 / 4) / (3 / 4), 5);
});

it('says nothing of defects without a good image beside them', () => {
  expect(trust([1, 2], [1, 2])).toEqual([0, 1]);
});

it('leaves the head a share of what words are in doubt of, squared', () => {
  const shares = (defects: number, classes: number) => [
    ...floats(wordShares(floatTensor([2], [defects, classes]))),
  ];
  expect(shares(0, 0)).toEqual([0, 0]);
  expect(shares(1, 1)).toEqual([1, 1]);
  expect(shares(0.5, 0.5)).toEqual([0.5, 0.75]);
});

it('says of a fit how far words count', () => {
  expect(trustRemark(floatTensor([2], [0.304, 0.67]))).toBe(
    "Words alone were right of the support set's own images, above chance: 30 % in telling defects, 67 % in telling " +
      "classes. They make up 89 % of a class's probability.",
  );
});
