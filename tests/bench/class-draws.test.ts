import { describe, expect, it } from 'vitest';
import { drawLongTail, drawShots } from '../../scripts/bench/class-draws';
import type { BenchImage } from '../../scripts/bench/dataset';
import type { ImageId } from '../../src/base/ids';

const image = (className: string, i: number): BenchImage => {
  const name = `${className}.${String(i).padStart(4, '0')}`;
  return {
    id: name as ImageId,
    path: `test/${className}/${name}.png`,
    file: '',
    className,
    maskFile: undefined,
  };
};
const CLASSES = ['a', 'b', 'c', 'd', 'e'];
const IMAGES = CLASSES.flatMap((name) => Array.from({ length: 200 }, (_, i) => image(name, i)));

describe('what classifiers are taught with in the bench', () => {
  it('shots: so many of each class, never all, the rest is tested', () => {
    const small = IMAGES.filter((_, i) => i % 200 < 4);
    const { trainCounts, train, test } = drawShots(small, 3, 0);
    expect(trainCounts).toEqual([3, 3, 3, 3, 3]);
    expect(test).toHaveLength(5);
    expect(drawShots(small, 9, 0).trainCounts).toEqual([3, 3, 3, 3, 3]);
    expect(drawShots(small, 2, 1).train).not.toEqual(drawShots(small, 2, 2).train);
    expect(new Set([...train, ...test].map(({ id }) => id)).size).toBe(20);
  });

  it('a long tail: from the most to a hundredth, in an order that the draw tells; the same images are tested', () => {
    const first = drawLongTail(IMAGES, 100, 0);
    expect([...first.trainCounts].sort((a, b) => b - a)).toEqual([100, 32, 10, 3, 1]);
    const second = drawLongTail(IMAGES, 100, 1);
    expect(second.trainCounts).not.toEqual(first.trainCounts);
    expect(second.test).toEqual(first.test);
    expect(first.test).toHaveLength(500);
    const tested = new Set(first.test.map(({ id }) => id));
    expect(first.train.some(({ id }) => tested.has(id))).toBe(false);
  });

  it('a class that the test takes whole is refused', () => {
    expect(() => drawLongTail(IMAGES.slice(0, 100), 100, 0)).toThrow('a class has 100 images');
  });
});
