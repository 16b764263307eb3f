import { describe, expect, it } from 'vitest';
import { besideSupport } from '../../src/engine/calibrate';
import { mirrored } from '../../src/methods/kit/mirror';

describe('good images beside a support set', () => {
  const load = async (value: number) => new Float32Array([value]);

  it('are others of the open set where there are enough', async () => {
    const held = besideSupport([7, 8, 9, 10], 32, load);
    expect([held.way, held.count]).toEqual(['others', 4]);
    expect(await held.load(2)).toEqual(new Float32Array([9]));
  });

  it('are at most so many that calibration stays short', () => {
    expect(
      besideSupport(
        Array.from({ length: 500 }, (_, i) => i),
        32,
        load,
      ).count,
    ).toBe(32);
  });

  it('are synthetic ones where there are too few, the same every time', async () => {
    const held = besideSupport([7], 48, load);
    expect(held.way).toBe('synthetic');
    const [first, again, second] = await Promise.all([held.load(0), held.load(0), held.load(1)]);
    expect(first).toHaveLength(48 * 48);
    expect(first).toEqual(again);
    expect(first).not.toEqual(second);
    expect(Math.max(...first)).toBeLessThanOrEqual(1);
  });
});

it('a plane is turned over in x, in y, and in both', () => {
  const plane = Float32Array.from([1, 2, 3, 4]);
  expect([...mirrored(plane, 2, { x: true, y: false })]).toEqual([2, 1, 4, 3]);
  expect([...mirrored(plane, 2, { x: false, y: true })]).toEqual([3, 4, 1, 2]);
  expect([...mirrored(plane, 2, { x: true, y: true })]).toEqual([4, 3, 2, 1]);
});
