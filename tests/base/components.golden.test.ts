import { expect, it } from 'vitest';
import { connectedComponents } from '../../src/base/components';
import { describeGolden, goldenJson, goldenTensors } from '../support/golden';

interface GoldenMask {
  mask: number;
  pixels: number;
  count4: number;
  count8: number;
  sizes4_descending: number[];
  sizes8_descending: number[];
}

describeGolden(['image.json', 'image.safetensors'], 'connected components', () => {
  const { components } = goldenJson<{ components: GoldenMask[] }>('image.json');

  it.each(components)('mask $mask', async (golden) => {
    const tensors = await goldenTensors('image.safetensors');
    const { data, shape } = tensors[`components.mask${golden.mask}`];
    const [height, width] = shape;
    expect((data as Uint8Array).filter(Boolean)).toHaveLength(golden.pixels);
    for (const connectivity of [4, 8] as const) {
      const { labels, count } = connectedComponents(data as Uint8Array, width, height, connectivity);
      const sizes = new Array<number>(count).fill(0);
      for (const label of labels) if (label) sizes[label - 1]++;
      expect(count).toBe(golden[`count${connectivity}`]);
      const largest = golden[`sizes${connectivity}_descending`];
      expect(sizes.sort((a, b) => b - a).slice(0, largest.length)).toEqual(largest);
    }
  });

  it('label images, number by number', async () => {
    const tensors = await goldenTensors('image.safetensors');
    const names = Object.keys(tensors).filter((name) => name.startsWith('components.labels'));
    expect(names).not.toEqual([]);
    for (const name of names) {
      const [, connectivity, mask] = /labels([48])\.(mask\d+)$/.exec(name)!;
      const { data, shape } = tensors[`components.${mask}`];
      const actual = connectedComponents(
        data as Uint8Array,
        shape[1],
        shape[0],
        Number(connectivity) as 4 | 8,
      );
      expect(actual.labels).toEqual(tensors[name].data);
    }
  });
});
