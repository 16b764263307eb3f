import { describe, expect, it } from 'vitest';
import type { ImageId } from '../../src/base/ids';
import type { BenchImage, Dataset } from '../../scripts/bench/dataset';
import { classFigures, defectGroups, drawSupport } from '../../scripts/bench/support';

const image = (className: string, name: string): BenchImage => ({
  id: `${className}.${name}` as ImageId,
  path: `test/${className}/${name}.png`,
  file: '',
  className,
  maskFile: undefined,
});

const DATASET: Dataset = {
  name: 'made up',
  good: Array.from({ length: 6 }, (_, i) => image('good', `g${i}`)),
  test: [
    image('good', 'g_6'),
    ...['a_1', 'a_2', 'a_3', 'b_1', 'b_2'].map((name) => image('particle', name)),
    ...['c_1', 'c_2'].map((name) => image('edge_break', name)),
  ],
};

const count = (images: readonly BenchImage[], name: string) =>
  images.filter(({ className }) => className === name).length;

describe('support sets of the bench', () => {
  it('hold so many images of each class, never all of one, and what is left is tested', () => {
    const { spec, good, defects, rest } = drawSupport(DATASET, 2, 0);
    expect(spec.prompts.classes.map(({ name }) => name)).toEqual(['edge_break', 'good', 'particle']);
    expect(spec.normal).toBe(1);
    expect([good.length, count(defects, 'particle'), count(defects, 'edge_break')]).toEqual([2, 2, 1]);
    expect(new Set([...good, ...defects, ...rest].map(({ id }) => id)).size).toBe(14);
    expect(good.length + defects.length + rest.length).toBe(14);
  });

  it('are others with another draw, and the same with the same', () => {
    const ids = (draw: number) => drawSupport(DATASET, 2, draw).defects.map(({ id }) => id);
    expect(ids(0)).toEqual(ids(0));
    expect([1, 2, 3].some((draw) => ids(draw).join() !== ids(0).join())).toBe(true);
  });

  it('without images know the preset classes, and everything is tested', () => {
    const { spec, good, defects, rest } = drawSupport(DATASET, 0, 0);
    expect(spec.prompts.classes).toHaveLength(7);
    expect([good.length, defects.length, rest.length]).toEqual([0, 0, 14]);
  });

  it('lack the defect that is left out, which alone is tested', () => {
    expect(defectGroups(DATASET)).toEqual(['a', 'b', 'c']);
    const { defects, rest } = drawSupport(DATASET, 2, 0, 'a');
    expect(defects.map(({ path }) => path.split('/').at(-1)![0]).sort()).toEqual(['b', 'b', 'c', 'c']);
    expect(rest.filter(({ className }) => className !== 'good').map(({ id }) => id)).toEqual([
      'particle.a_1',
      'particle.a_2',
      'particle.a_3',
    ]);
  });
});

describe('figures of classes', () => {
  const result = (...fused: number[]) => {
    const shares = Float32Array.from(fused);
    return { score: 0, map: new Float32Array(), classes: { fused: shares, text: shares, head: shares } };
  };

  it('are over the images whose class the support has', () => {
    const support = drawSupport(DATASET, 2, 0);
    // edge_break, good, particle
    const images = [image('good', '1'), image('particle', '2'), image('particle', '3'), image('crack', '4')];
    const results = [result(0, 1, 0), result(0, 0, 1), result(1, 0, 0), result(1, 0, 0)];
    const figures = classFigures(support, images, results);
    expect(figures.nClassified).toBe(3);
    expect(figures.accuracy).toBeCloseTo(2 / 3);
    expect(figures.macroRecall).toBeCloseTo((1 + 0.5) / 2);
    expect(figures.macroPrecision).toBeCloseTo(1);
    expect(figures.macroF1).toBeCloseTo((1 + 2 / 3) / 2);
  });

  it('are not defined of a method that tells none', () => {
    const told = { score: 0, map: new Float32Array() };
    const figures = classFigures(drawSupport(DATASET, 2, 0), [image('particle', '1')], [told]);
    expect(figures).toMatchObject({ accuracy: null, macroF1: null, nClassified: 0 });
  });

  it('are not defined without any', () => {
    const support = drawSupport(DATASET, 0, 0);
    expect(classFigures(support, [image('crack', '1')], [result(1, 0, 0, 0, 0, 0, 0)]).accuracy).toBeNull();
  });
});
