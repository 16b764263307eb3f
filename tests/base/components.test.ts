import { describe, expect, it } from 'vitest';
import { connectedComponents } from '../../src/base/components';
import { Rng } from '../../src/base/rng';
import { floodFill } from '../metrics/brute-force';

describe('connectedComponents', () => {
  it('numbers regions in scan order', () => {
    const mask = [
      [0, 1, 0, 1],
      [1, 0, 0, 1],
      [0, 0, 0, 0],
      [1, 1, 0, 1],
    ].flat();
    expect(connectedComponents(mask, 4, 4)).toEqual({
      labels: Int32Array.of(0, 1, 0, 2, 1, 0, 0, 2, 0, 0, 0, 0, 3, 3, 0, 4),
      count: 4,
    });
    expect(connectedComponents(mask, 4, 4, 4)).toEqual({
      labels: Int32Array.of(0, 1, 0, 2, 3, 0, 0, 2, 0, 0, 0, 0, 4, 4, 0, 5),
      count: 5,
    });
  });

  it('joins arms that meet late, the end of one row not with the start of the next', () => {
    const comb = [
      [1, 0, 1, 0, 1],
      [1, 0, 1, 0, 1],
      [1, 1, 1, 1, 1],
    ].flat();
    expect(connectedComponents(comb, 5, 3).count).toBe(1);
    expect(connectedComponents([0, 0, 1, 1, 0, 0], 3, 2).count).toBe(2);
  });

  it.each([4, 8] as const)('agrees with a flood fill on random masks, %i neighbours', (connectivity) => {
    const rng = new Rng(connectivity, 'components');
    for (let round = 0; round < 300; round++) {
      const [width, height] = [1 + rng.integer(24), 1 + rng.integer(24)];
      const density = rng.uniform();
      const mask = Uint8Array.from({ length: width * height }, () =>
        rng.uniform() < density ? 1 + rng.integer(255) : 0,
      );
      expect(connectedComponents(mask, width, height, connectivity)).toEqual(
        floodFill(mask, width, height, connectivity),
      );
    }
  });

  it('copes with the worst case of a scan: a fine diagonal weave of 512×512', () => {
    const mask = Uint8Array.from({ length: 512 * 512 }, (_, i) => ((i % 512) + Math.floor(i / 512)) % 2);
    expect(connectedComponents(mask, 512, 512).count).toBe(1);
    expect(connectedComponents(mask, 512, 512, 4).count).toBe(512 * 256);
  });

  it('has none in an empty mask or picture', () => {
    expect(connectedComponents(new Uint8Array(6), 3, 2).count).toBe(0);
    expect(connectedComponents([], 0, 0)).toEqual({ labels: new Int32Array(0), count: 0 });
  });
});
