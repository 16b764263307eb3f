import { expect, it } from 'vitest';
import { findRegions } from '../../src/review/regions';
import { describeGolden, goldenJson, goldenTensors } from '../support/golden';

interface GoldenMask {
  mask: number;
  count8: number;
  sizes8_descending: number[];
  largest8: { area: number; bbox_y0x0y1x1_exclusive: number[]; centroid_yx: number[] };
}

describeGolden(['image.json', 'image.safetensors'], 'regions of masks', () => {
  const { components } = goldenJson<{ components: GoldenMask[] }>('image.json');

  it.each(components)('mask $mask', async ({ mask, count8, sizes8_descending, largest8 }) => {
    const { data, shape } = (await goldenTensors('image.safetensors'))[`components.mask${mask}`];
    const [height, width] = shape;
    const regions = findRegions(Float32Array.from(data as Uint8Array), width, height, 0.5);
    // All peaks are 1, so that the largest comes first.
    const [{ area, box, centroid }] = regions;
    const [y0, x0, y1, x1] = largest8.bbox_y0x0y1x1_exclusive;
    expect(regions).toHaveLength(count8);
    expect(regions.map((region) => region.area).slice(0, sizes8_descending.length)).toEqual(
      sizes8_descending,
    );
    expect(area).toBe(largest8.area);
    expect(box).toEqual({ x: x0, y: y0, width: x1 - x0, height: y1 - y0 });
    // Theirs counts from the pixel's centre, ours from its corner.
    expect(centroid.y - 0.5).toBeCloseTo(largest8.centroid_yx[0], 9);
    expect(centroid.x - 0.5).toBeCloseTo(largest8.centroid_yx[1], 9);
  });
});
