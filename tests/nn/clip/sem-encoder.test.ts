import { expect, it } from 'vitest';
import { GraphBuilder } from '../../../src/graph/builder';
import { semStem, tokenRows } from '../../../src/nn/clip/sem-encoder';
import { DeclaringLayers } from '../../../src/nn/layers';

const stemOf = (height: number, width: number) => {
  const graph = new GraphBuilder();
  return semStem(new DeclaringLayers(graph), graph.input('x', [2, 3, height, width]));
};

it('the stem stands on the grid of stride 16', () => {
  expect(stemOf(240, 160).shape).toEqual([2, 320, 15, 10]);
});

it('other sides are refused', () => {
  expect(() => stemOf(240, 200)).toThrow(
    expect.objectContaining({
      code: 'fit/backbone',
      message: 'an image of [240,200] is no multiple of 16',
    }) as Error,
  );
});

it('tokens have the rows that were kept, and others are named', () => {
  const kept = Int32Array.of(87, 320, 49406, 49407);
  expect(tokenRows(kept, [49406, 320, 320, 49407])).toEqual([2, 1, 1, 3]);
  expect(() => tokenRows(kept, [49406, 5, 320, 6, 49407])).toThrow(
    expect.objectContaining({
      code: 'text/prompt',
      message: 'the built-in encoder knows 4 tokens, and not 5, 6',
    }) as Error,
  );
});
