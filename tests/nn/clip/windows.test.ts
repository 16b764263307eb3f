import { describe, expect, it } from 'vitest';
import { Rng } from '../../../src/base/rng';
import { floatTensor, floats } from '../../../src/base/tensor';
import { GraphBuilder } from '../../../src/graph/builder';
import { slice } from '../../../src/graph/ops/index';
import { clipBackbone } from '../../../src/nn/clip/clip-backbone';
import { VisionTower } from '../../../src/nn/clip/vision';
import { windowPatches } from '../../../src/nn/clip/windows';
import { openNodeRuntime } from '../../support/node-runtime';
import { SMALL, randomLayers } from './small-clip';

/** @source methods.md 12.8 */
describe('windows of a grid', () => {
  it('of 3×3 patches', () => {
    expect(windowPatches([3, 3], 2)).toEqual([
      [0, 1, 3, 4],
      [1, 2, 4, 5],
      [3, 4, 6, 7],
      [4, 5, 7, 8],
    ]);
    expect(windowPatches([3, 3], 3)).toEqual([[0, 1, 2, 3, 4, 5, 6, 7, 8]]);
  });

  it('that is wider than high', () => {
    const windows = windowPatches([3, 4], 3);
    expect(windows).toEqual([
      [0, 1, 2, 4, 5, 6, 8, 9, 10],
      [1, 2, 3, 5, 6, 7, 9, 10, 11],
    ]);
    expect(windowPatches([15, 15], 2).length).toBe(196);
    expect(windowPatches([15, 15], 3).length).toBe(169);
  });

  it('too small for one are refused', () => {
    expect(() => windowPatches([2, 5], 3)).toThrow(
      expect.objectContaining({
        code: 'fit/backbone',
        message: 'an image of 2×5 patches has no window of 3×3',
      }) as Error,
    );
  });
});

const SHAPE = [2, 3, 16, 16];

/** What SMALL gives of two images beside each other, and of one by itself. */
async function tapped(data: Float32Array, shape = SHAPE) {
  const graph = new GraphBuilder();
  const layers = randomLayers(graph, SMALL);
  const x = graph.input('x', shape);
  const taps = clipBackbone(SMALL).forward(layers, x, ['windows2', 'windows3', 'finalPatches', 'tokens4']);
  const post = new VisionTower(layers, SMALL).post(taps.tokens4);
  graph.output('post', slice(post, 1, 1));
  for (const role of ['windows2', 'windows3', 'finalPatches']) graph.output(role, taps[role]);
  const program = await openNodeRuntime().compile(graph.build());
  return (await program.run({ x: floatTensor(shape, data) })).values;
}

describe('taps of a CLIP', () => {
  const rng = new Rng(4, 'pixels');
  const pixels = Float32Array.from({ length: 2 * 3 * 16 * 16 }, () => rng.normal());

  it('have the shapes of their grid; patches are those behind the last norm', async () => {
    const found = await tapped(pixels);
    expect(found.windows2.shape).toEqual([2, 9, SMALL.embed]);
    expect(found.windows3.shape).toEqual([2, 4, SMALL.embed]);
    expect(found.finalPatches.shape).toEqual([2, 16, SMALL.vision.width]);
    expect(floats(found.finalPatches)).toEqual(floats(found.post));
  });

  it('a window sees its own patches and nothing else', async () => {
    const changed = pixels.slice();
    // The last patch of the second image, in all three colours.
    for (let c = 0; c < 3; c++)
      for (let y = 12; y < 16; y++) for (let x = 12; x < 16; x++) changed[((3 + c) * 16 + y) * 16 + x] += 1;
    const [before, after] = [await tapped(pixels), await tapped(changed)];
    for (const [role, last] of [
      ['windows2', 17],
      ['windows3', 7],
    ] as const) {
      const rows = (values: Float32Array) =>
        Array.from({ length: last + 1 }, (_, w) => [...values.slice(w * SMALL.embed, (w + 1) * SMALL.embed)]);
      const [own, other] = [rows(floats(before[role])), rows(floats(after[role]))];
      expect(other.slice(0, -1)).toEqual(own.slice(0, -1));
      expect(other[last]).not.toEqual(own[last]);
    }
  });
});
