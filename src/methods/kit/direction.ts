import { add, l2Normalise, mul, reduceMean, reduceSum, sub } from '../../graph/ops/index';
import type { Value } from '../../graph/value';

/** ½‖t̂ − ŝ‖² at every position, directions over the channels: [B,1,h,w]. @source methods.md 8.3 */
export function directionDistance(teacher: Value, student: Value): Value {
  const difference = sub(l2Normalise(teacher, 1), l2Normalise(student, 1));
  return mul(reduceSum(mul(difference, difference), [1], true), 0.5);
}

/** Σ over levels of the mean over batch and positions of ‖t̂ − ŝ‖². @source methods.md 8.2 */
export const directionLoss = (teacher: readonly Value[], student: readonly Value[]): Value =>
  teacher
    .map((level, i) => mul(reduceMean(directionDistance(level, student[i])), 2))
    .reduce((sum, level) => add(sum, level));
