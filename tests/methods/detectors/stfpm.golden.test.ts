import { expect, it } from 'vitest';
import { floats } from '../../../src/base/tensor';
import { gradients } from '../../../src/graph/autodiff';
import { mul, reduceMax, resizeBilinear } from '../../../src/graph/ops/index';
import type { Value } from '../../../src/graph/value';
import { directionDistance, directionLoss } from '../../../src/methods/kit/direction';
import { describeGolden, goldenJson, goldenTensors, relativeError } from '../../support/golden';
import { evaluate, openNodeRuntime } from '../../support/node-runtime';

interface Golden {
  stfpm: {
    loss: number;
    loss_per_level: number[];
    scores: number[];
    map_at_zero_position: number[];
  };
}

const LEVELS = [1, 2, 3] as const;

describeGolden(['detectors.json', 'stfpm.safetensors'], 'STFPM', () => {
  const golden = goldenJson<Golden>('detectors.json').stfpm;
  const runtime = openNodeRuntime();
  const inputs = async () => {
    const tensors = await goldenTensors('stfpm.safetensors');
    return {
      tensors,
      feeds: Object.fromEntries(
        LEVELS.flatMap((level) => [
          [`teacher${level}`, tensors[`in.teacher${level}`]],
          [`student${level}`, tensors[`in.student${level}`]],
        ]),
      ),
    };
  };
  const pick = (values: Record<string, Value>, who: string) =>
    LEVELS.map((level) => values[`${who}${level}`]);

  it('loss, over all levels and of each', async () => {
    const { feeds } = await inputs();
    const found = await evaluate(runtime, feeds, (values) => {
      const [teacher, student] = [pick(values, 'teacher'), pick(values, 'student')];
      const found: Record<string, Value> = { loss: directionLoss(teacher, student) };
      LEVELS.forEach((level, i) => (found[`l${level}`] = directionLoss([teacher[i]], [student[i]])));
      return found;
    });
    expect(floats(found.loss)[0]).toBeCloseTo(golden.loss, 4);
    LEVELS.forEach((level, i) =>
      expect(floats(found[`l${level}`])[0]).toBeCloseTo(golden.loss_per_level[i], 5),
    );
  });

  it('gradients by the student', async () => {
    const { feeds, tensors } = await inputs();
    const found = await evaluate(runtime, feeds, (values) => {
      const student = pick(values, 'student');
      const dStudent = gradients(directionLoss(pick(values, 'teacher'), student), student);
      return Object.fromEntries(LEVELS.map((level, i) => [`d${level}`, dStudent[i]]));
    });
    for (const level of LEVELS)
      expect(relativeError(floats(found[`d${level}`]), floats(tensors[`grad.student${level}`]))).toBeLessThan(
        1e-3,
      );
  });

  it('maps of each level, their product, scores', async () => {
    const { feeds, tensors } = await inputs();
    const found = await evaluate(runtime, feeds, (values) => {
      const maps = LEVELS.map((_, i) =>
        directionDistance(pick(values, 'teacher')[i], pick(values, 'student')[i]),
      );
      const product = maps.map((map) => resizeBilinear(map, 16, 12)).reduce((a, b) => mul(a, b));
      return { map1: maps[0], map2: maps[1], map3: maps[2], product, score: reduceMax(product, [1, 2, 3]) };
    });
    for (const level of LEVELS)
      expect(relativeError(floats(found[`map${level}`]), floats(tensors[`map${level}`]))).toBeLessThan(1e-5);
    expect(relativeError(floats(found.product), floats(tensors['map.product16x12']))).toBeLessThan(1e-5);
    golden.scores.forEach((score, i) => expect(floats(found.score)[i]).toBeCloseTo(score, 4));
    // Teacher 1 is all zero at its first position: half of the student's direction is left.
    golden.map_at_zero_position.forEach((value, image) =>
      expect(floats(found.map1)[image * 48]).toBeCloseTo(value, 5),
    );
  });
});
