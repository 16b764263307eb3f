import { expect, it } from 'vitest';
import { lateFall } from '../../scripts/bench/late-fall';

const looks = (losses: readonly number[], phase = 'training') =>
  losses.map((loss, i) => ({ phase, step: 10 * (i + 1), loss }));

it('tells how much of the fall came in the last fifth', () => {
  expect(lateFall(looks([10, 8, 6, 4, 2]))).toBeCloseTo(2 / 8);
  expect(lateFall(looks([10, 5, 4, 4, 4]))).toBe(0);
});

it('counts the best so far, not what noise makes of the last look', () => {
  expect(lateFall(looks([10, 2, 5, 9, 3]))).toBe(0);
});

it('looks at the last of several trainings', () => {
  expect(lateFall([...looks([100, 1], 'first'), ...looks([4, 3, 3, 3, 3], 'second')])).toBe(0);
});

it('is not defined without a fall', () => {
  expect(lateFall([])).toBeNull();
  expect(lateFall(looks([3]))).toBeNull();
  expect(lateFall(looks([3, 3, 4]))).toBeNull();
});
