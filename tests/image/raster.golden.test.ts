import { expect, it } from 'vitest';
import { toGrey8 } from '../../src/image/raster';
import { describeGolden, goldenTensors } from '../support/golden';

describeGolden(['image.safetensors'], 'luma', () => {
  it("is Pillow's", async () => {
    const { 'luma.rgb': rgb, 'luma.grey': grey } = await goldenTensors('image.safetensors');
    expect(toGrey8(rgb.data as Uint8Array)).toEqual(grey.data);
  });
});
