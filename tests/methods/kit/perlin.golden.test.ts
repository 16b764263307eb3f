import { expect, it } from 'vitest';
import { floats } from '../../../src/base/tensor';
import { perlinNoise } from '../../../src/methods/kit/perlin';
import { describeGolden, goldenTensors, relativeError } from '../../support/golden';

describeGolden(['supersimplenet.safetensors'], 'Perlin noise', () => {
  it.each(['1x1', '2x4', '8x2'])('lattice of %s', async (name) => {
    const tensors = await goldenTensors('supersimplenet.safetensors');
    const [rows, columns] = name.split('x').map(Number);
    const noise = perlinNoise(floats(tensors[`perlin.${name}.angles`]), [rows, columns], 16, 16);
    expect(relativeError(noise, floats(tensors[`perlin.${name}`]))).toBeLessThan(1e-5);
  });
});
