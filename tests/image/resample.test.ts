import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Kernel } from '../../src/image/resample';
import { resampleWeights, resize8, resizeFloat, resizeNearest } from '../../src/image/resample';

const kernels: readonly Kernel[] = ['bilinear', 'bicubic'];
const sizes = fc.integer({ min: 1, max: 60 });

/** The weights of one output as a full row of the resampling matrix. */
function matrix(inSize: number, outSize: number, kernel: Kernel, antialias: boolean): number[][] {
  const { taps, starts, counts, weights } = resampleWeights(inSize, outSize, kernel, { antialias });
  return Array.from({ length: outSize }, (_, i) => {
    const row = new Array<number>(inSize).fill(0);
    for (let k = 0; k < counts[i]; k++) row[starts[i] + k] = weights[i * taps + k];
    return row;
  });
}

describe('weights', () => {
  it('half-pixel bilinear: [0, 1] enlarged to 4', () => {
    const column = matrix(2, 4, 'bilinear', false).map((row) => row[1]);
    expect(column).toEqual([0, 0.25, 0.75, 1]);
  });

  it('bicubic at a quarter of a pixel', () => {
    // Keys' kernel at the distances 1.75, 0.75, 0.25 and 1.25, for a = −0.5 and a = −0.75.
    const row = (...weights: number[]) => [0, 0, ...weights, 0, 0];
    expect(matrix(8, 16, 'bicubic', true)[8]).toEqual(row(-0.0234375, 0.2265625, 0.8671875, -0.0703125));
    expect(matrix(8, 16, 'bicubic', false)[8]).toEqual(row(-0.03515625, 0.26171875, 0.87890625, -0.10546875));
  });

  it('without antialiasing only neighbours count when shrinking', () => {
    expect(matrix(8, 2, 'bilinear', false)).toEqual([
      [0, 0.5, 0.5, 0, 0, 0, 0, 0],
      [0, 0, 0, 0, 0, 0.5, 0.5, 0],
    ]);
    expect(matrix(8, 2, 'bilinear', true).every((row) => row.filter((w) => w > 0).length >= 6)).toBe(true);
  });

  it('sum to 1, and the same size is the identity', () => {
    fc.assert(
      fc.property(sizes, sizes, fc.constantFrom(...kernels), fc.boolean(), (a, b, kernel, antialias) => {
        const sums = matrix(a, b, kernel, antialias).map((row) => row.reduce((sum, w) => sum + w, 0));
        expect(Math.max(...sums.map((sum) => Math.abs(sum - 1)))).toBeLessThan(1e-12);
        const errors = matrix(a, a, kernel, antialias).flatMap((row, i) =>
          row.map((w, k) => Math.abs(w - (i === k ? 1 : 0))),
        );
        expect(Math.max(...errors)).toBeLessThan(1e-12);
      }),
    );
  });

  it('no size is 0', () => {
    expect(() => resampleWeights(0, 4, 'bilinear', { antialias: true })).toThrow(
      'cannot resample 0 values to 4',
    );
  });
});

describe('resizing', () => {
  it('a constant stays constant', () => {
    fc.assert(
      fc.property(sizes, sizes, sizes, sizes, fc.integer({ min: 0, max: 255 }), (w, h, ow, oh, v) => {
        for (const kernel of kernels) {
          expect(resize8(new Uint8Array(w * h).fill(v), w, h, ow, oh, kernel).every((x) => x === v)).toBe(
            true,
          );
          const float = resizeFloat(new Float32Array(w * h).fill(v), w, h, ow, oh, kernel);
          expect(float.every((x) => Math.abs(x - v) < 1e-4)).toBe(true);
        }
      }),
      { numRuns: 40 },
    );
  });

  it('a ramp stays a ramp away from the borders', () => {
    // At scales that are no whole numbers a stretched kernel is off by some hundredths of a pixel, Pillow's too.
    const cases = [
      [64, 16, 1e-3],
      [24, 64, 1e-3],
      [128, 37, 0.15],
    ];
    for (const kernel of kernels)
      for (const [size, out, tolerance] of cases) {
        const plane = Float32Array.from(
          { length: size * size },
          (_, i) => 3 * (i % size) - Math.floor(i / size),
        );
        const resized = resizeFloat(plane, size, size, out, out, kernel);
        const source = (i: number) => ((i + 0.5) * size) / out - 0.5;
        const border = Math.ceil((3 * out) / size) + 3;
        let worst = 0;
        for (let y = border; y < out - border; y++)
          for (let x = border; x < out - border; x++)
            worst = Math.max(worst, Math.abs(resized[y * out + x] - (3 * source(x) - source(y))));
        expect(worst).toBeLessThan(tolerance);
      }
  });

  it('the same size is a copy, not the same array', () => {
    const plane = Uint8Array.from({ length: 35 }, (_, i) => (i * 37) % 256);
    for (const kernel of kernels) {
      const same = resize8(plane, 5, 7, 5, 7, kernel);
      expect(same).toEqual(plane);
      expect(same).not.toBe(plane);
      expect(resizeFloat(Float32Array.from(plane), 5, 7, 5, 7, kernel)).toEqual(Float32Array.from(plane));
    }
    expect(resizeNearest(plane, 5, 7, 5, 7)).toEqual(plane);
  });

  it('one axis alone is the same as both with the other kept', () => {
    const plane = Uint8Array.from({ length: 20 * 30 }, (_, i) => (i * 7919) % 256);
    const rows = resize8(plane, 20, 30, 11, 30, 'bicubic');
    expect(resize8(rows, 11, 30, 11, 13, 'bicubic')).toEqual(resize8(plane, 20, 30, 11, 13, 'bicubic'));
  });

  it('overshoot is cut to 0 and 255', () => {
    const step = Uint8Array.from({ length: 64 }, (_, i) => (i % 8 < 4 ? 0 : 255));
    const resized = resize8(step, 8, 8, 32, 32, 'bicubic');
    const exact = resizeFloat(Float32Array.from(step), 8, 8, 32, 32, 'bicubic');
    expect(Math.min(...exact)).toBeLessThan(-5);
    expect(Math.max(...exact)).toBeGreaterThan(260);
    expect(resized.every((v, i) => Math.abs(v - Math.min(Math.max(exact[i], 0), 255)) <= 1)).toBe(true);
  });

  it('nearest takes the pixel under the centre, for every kind of plane', () => {
    fc.assert(
      fc.property(sizes, sizes, sizes, sizes, (w, h, ow, oh) => {
        const plane = Int32Array.from({ length: w * h }, (_, i) => i - 5);
        const out = resizeNearest(plane, w, h, ow, oh);
        for (let y = 0; y < oh; y++)
          for (let x = 0; x < ow; x++) {
            // In whole numbers: the largest source whose left edge isn't beyond the centre.
            let [sx, sy] = [0, 0];
            while (2 * (sx + 1) * ow <= (2 * x + 1) * w) sx++;
            while (2 * (sy + 1) * oh <= (2 * y + 1) * h) sy++;
            if (out[y * ow + x] !== plane[sy * w + sx]) expect.fail(`${w}×${h} to ${ow}×${oh} at ${x}, ${y}`);
          }
      }),
      { numRuns: 50 },
    );
    expect(resizeNearest(Uint16Array.of(1, 60000), 2, 1, 4, 1)).toEqual(Uint16Array.of(1, 1, 60000, 60000));
    expect(resizeNearest(Float32Array.of(1.5, -2), 2, 1, 1, 2)).toEqual(Float32Array.of(-2, -2));
  });
});
