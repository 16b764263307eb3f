import { expect, it } from 'vitest';
import { floatTensor, floats } from '../../../src/base/tensor';
import { GraphBuilder } from '../../../src/graph/builder';
import { VisionTower, clipNormalise } from '../../../src/nn/clip/vision';
import { evaluate, openNodeRuntime } from '../../support/node-runtime';
import { SMALL, randomLayers } from './small-clip';

/** @source methods.md 1.2 */
it('normalises grey and RGB images by the means and deviations of CLIP', async () => {
  const { grey, rgb } = await evaluate(
    openNodeRuntime(),
    { one: floatTensor([1, 1, 1, 1], [0.5]), three: floatTensor([1, 3, 1, 1], [0.5, 0.5, 0.25]) },
    ({ one, three }) => ({ grey: clipNormalise(one), rgb: clipNormalise(three) }),
  );
  expect(grey.shape).toEqual([1, 3, 1, 1]);
  const expected = [0.069, 0.1614, 0.3328];
  floats(grey).forEach((value, i) => expect(value).toBeCloseTo(expected[i], 4));
  const [red, green, blue] = floats(rgb);
  expect([red, green]).toEqual([...floats(grey).subarray(0, 2)]);
  expect(blue).toBeCloseTo((0.25 - 0.40821073) / 0.27577711, 5);
});

it('refuses an image that patches do not fill', () => {
  const graph = new GraphBuilder();
  const tower = new VisionTower(randomLayers(graph, SMALL), SMALL);
  expect(() => tower.place(graph.input('image', [1, 3, 16, 18]))).toThrow(
    expect.objectContaining({
      code: 'fit/backbone',
      message: 'an image of [16,18] is no multiple of 4',
    }) as Error,
  );
});

it('takes oblong images, their positions resampled', () => {
  const graph = new GraphBuilder();
  const tower = new VisionTower(randomLayers(graph, SMALL), SMALL);
  const tokens = tower.run(tower.place(graph.input('image', [2, 3, 8, 24])), 2);
  expect(tokens.map(({ shape }) => shape)).toEqual([0, 1, 2].map(() => [2, 1 + 2 * 6, 16]));
  expect(tower.projectPatches(tokens[2]).shape).toEqual([2, 12, 8]);
});
