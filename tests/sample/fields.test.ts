import { describe, expect, it } from 'vitest';
import { Rng } from '../../src/base/rng';
import {
  blur,
  blurPasses,
  boxMean,
  direction,
  dome,
  grain,
  ramp,
  smoothNoise,
} from '../../src/sample/fields';

const clampTo = (x: number, high: number): number => Math.min(Math.max(x, 0), high);

function moments(values: Iterable<number>): { mean: number; variance: number } {
  const all = [...values];
  const mean = all.reduce((a, b) => a + b, 0) / all.length;
  return { mean, variance: all.reduce((a, b) => a + (b - mean) ** 2, 0) / all.length };
}

describe('ramp and dome', () => {
  it('rise and fall once, and end flat', () => {
    expect([-2, -1, 0, 1, 2].map(ramp)).toEqual([0, 0, 0.5, 1, 1]);
    expect([0, 1, 4].map(dome)).toEqual([1, 0, 0]);
    for (let x = -1; x < 1; x += 0.01) expect(ramp(x + 0.01)).toBeGreaterThan(ramp(x));
    for (let x = 0; x < 1; x += 0.01) expect(dome(x + 0.01)).toBeLessThan(dome(x));
  });
});

describe('random numbers', () => {
  it('grain has mean 0 and variance 1', () => {
    const rng = new Rng(1, 'grain');
    const { mean, variance } = moments(Array.from({ length: 40_000 }, () => grain(rng)));
    expect(Math.abs(mean)).toBeLessThan(0.02);
    expect(Math.abs(variance - 1)).toBeLessThan(0.03);
  });

  it('direction is a unit vector that prefers no quarter', () => {
    const rng = new Rng(1, 'direction');
    const quarters = [0, 0, 0, 0];
    for (let k = 0; k < 4000; k++) {
      const { x, y } = direction(rng);
      expect(x * x + y * y).toBeCloseTo(1, 12);
      quarters[(x > 0 ? 1 : 0) + (y > 0 ? 2 : 0)]++;
    }
    for (const count of quarters) expect(Math.abs(count - 1000)).toBeLessThan(120);
  });

  it('smooth noise has mean 0, variance 1 and is smooth over its cell', () => {
    for (const cellPx of [2, 5, 12]) {
      const size = 40 * cellPx;
      const noise = smoothNoise(new Rng(3, `cell ${cellPx}`), size, size, cellPx);
      const { mean, variance } = moments(noise);
      expect(Math.abs(mean)).toBeLessThan(0.1);
      expect(Math.abs(variance - 1)).toBeLessThan(0.15);
      // Correlation at the distance of one pixel and of four cells.
      const at = (lag: number): number => {
        let sum = 0;
        for (let i = 0; i + lag < noise.length; i++) sum += noise[i] * noise[i + lag];
        return sum / (noise.length - lag);
      };
      expect(at(1)).toBeGreaterThan(cellPx > 2 ? 0.9 : 0.75);
      expect(Math.abs(at(4 * cellPx))).toBeLessThan(0.1);
    }
  });
});

describe('boxMean', () => {
  it('equals the mean over the square, the edge repeated', () => {
    const [width, height] = [13, 9];
    const rng = new Rng(2, 'box');
    const field = Float32Array.from({ length: width * height }, () => rng.uniform());
    for (const radius of [0, 1, 3, 6]) {
      const out = boxMean(field, width, height, radius);
      for (let y = 0; y < height; y++)
        for (let x = 0; x < width; x++) {
          let sum = 0;
          for (let dy = -radius; dy <= radius; dy++)
            for (let dx = -radius; dx <= radius; dx++)
              sum += field[clampTo(y + dy, height - 1) * width + clampTo(x + dx, width - 1)];
          expect(out[y * width + x]).toBeCloseTo(sum / (2 * radius + 1) ** 2, 5);
        }
    }
  });
});

describe('blur', () => {
  const size = 61;
  const middle = 30;
  const point = new Float32Array(size * size);
  point[middle * size + middle] = 1;

  it.each([
    [0, 0],
    [0.5, 0.5],
    [0.9, 1.1],
    [2, 1.5],
  ])(
    'of %f across and %f down keeps the sum, has these variances and reaches as far as it says',
    (across, down) => {
      const out = blur(point, size, size, across, down);
      const reach = blurPasses(Math.max(across, down));
      let sum = 0;
      let beyond = 0;
      let varianceX = 0;
      let varianceY = 0;
      out.forEach((value, i) => {
        const dx = (i % size) - middle;
        const dy = Math.floor(i / size) - middle;
        sum += value;
        varianceX += value * dx * dx;
        varianceY += value * dy * dy;
        if (Math.max(Math.abs(dx), Math.abs(dy)) > reach) beyond += Math.abs(value);
      });
      expect(beyond).toBe(0);
      expect(Math.min(...out)).toBeGreaterThanOrEqual(0);
      expect(sum).toBeCloseTo(1, 5);
      expect(varianceX).toBeCloseTo(across * across, 4);
      expect(varianceY).toBeCloseTo(down * down, 4);
    },
  );

  it('comes close to the Gaussian it stands for', () => {
    const sigma = 1.5;
    const out = blur(point, size, size, sigma, sigma);
    for (let d = 0; d < 5; d++) {
      const gauss = Math.exp((-d * d) / (2 * sigma * sigma)) / (2 * Math.PI * sigma * sigma);
      expect(Math.abs(out[middle * size + middle + d] - gauss)).toBeLessThan(0.004);
    }
  });

  it('leaves a flat field flat up to the border', () => {
    const out = blur(new Float32Array(35).fill(0.5), 7, 5, 1.2, 0.8);
    for (const value of out) expect(value).toBeCloseTo(0.5, 6);
  });
});
