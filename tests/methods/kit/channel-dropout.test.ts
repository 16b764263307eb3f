import { expect, it } from 'vitest';
import { Rng } from '../../../src/base/rng';
import { floatTensor, floats } from '../../../src/base/tensor';
import { dropChannels } from '../../../src/methods/kit/channel-dropout';

const [IMAGES, CHANNELS, PLANE] = [40, 50, 6];

function dropped(share: number, stream = 'one'): Float32Array {
  const values = Float32Array.from({ length: IMAGES * CHANNELS * PLANE }, (_, i) => 1 + (i % PLANE));
  const features = floatTensor([IMAGES, CHANNELS * PLANE], values);
  dropChannels(features, CHANNELS, share, new Rng(3, stream));
  return floats(features);
}

it('channels are left out whole, the others raised, as many as asked for, other ones in each image', () => {
  const found = dropped(0.25);
  const gone = Array.from({ length: IMAGES * CHANNELS }, (_, c) => {
    const plane = found.subarray(c * PLANE, (c + 1) * PLANE);
    const scale = plane[0];
    plane.forEach((value, i) => expect(value).toBeCloseTo(scale * (1 + i), 4));
    if (scale) expect(scale).toBeCloseTo(4 / 3, 5);
    return scale === 0;
  });
  const share = gone.filter(Boolean).length / gone.length;
  expect(share).toBeGreaterThan(0.22);
  expect(share).toBeLessThan(0.28);
  const ofImage = (image: number) => gone.slice(image * CHANNELS, (image + 1) * CHANNELS).join();
  expect(new Set([0, 1, 2, 3].map(ofImage)).size).toBe(4);
});

it('the same draw leaves out the same; nothing is left out at 0', () => {
  expect(dropped(0.25)).toEqual(dropped(0.25));
  expect(dropped(0.25)).not.toEqual(dropped(0.25, 'two'));
  expect([...dropped(0)]).toEqual(
    Array.from({ length: IMAGES * CHANNELS * PLANE }, (_, i) => 1 + (i % PLANE)),
  );
});
