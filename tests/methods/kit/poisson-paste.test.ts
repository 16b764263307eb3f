import { describe, expect, it } from 'vitest';
import { Rng } from '../../../src/base/rng';
import { poissonPaste, randomPaste, withNaturalAnomaly } from '../../../src/methods/kit/poisson-paste';
import type { Paste } from '../../../src/methods/kit/poisson-paste';

const SIDE = 16;

/** Noise around the middle grey, so that nothing is cut off. */
const noise = (stream: string, side = SIDE): Float32Array => {
  const rng = new Rng(2, stream);
  return Float32Array.from({ length: side * side }, () => rng.between(0.4, 0.6));
};

/** Solves a·x = b by elimination with pivots. */
function solve(a: number[][], b: number[]): number[] {
  const rows = a.map((row, i) => [...row, b[i]]);
  for (let k = 0; k < rows.length; k++) {
    const pivot = rows
      .slice(k)
      .reduce((best, row, i) => (Math.abs(row[k]) > Math.abs(rows[best][k]) ? k + i : best), k);
    [rows[k], rows[pivot]] = [rows[pivot], rows[k]];
    for (let i = 0; i < rows.length; i++) {
      if (i === k) continue;
      const factor = rows[i][k] / rows[k][k];
      for (let j = k; j <= rows.length; j++) rows[i][j] -= factor * rows[k][j];
    }
  }
  return rows.map((row, i) => row[rows.length] / row[i]);
}

/** Equation 7 of the paper as it stands: one unknown for each pixel inside. */
function dense(image: Float32Array, donor: Float32Array, { width, height, from, to }: Paste): number[] {
  const a: number[][] = [];
  const b: number[] = [];
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const row = new Array<number>(width * height).fill(0);
      const source = (dx: number, dy: number) => donor[(from[1] + y + dy) * SIDE + from[0] + x + dx];
      row[y * width + x] = 4;
      let right = 0;
      for (const [dx, dy] of [
        [0, -1],
        [-1, 0],
        [1, 0],
        [0, 1],
      ]) {
        right += source(0, 0) - source(dx, dy);
        const [nx, ny] = [x + dx, y + dy];
        if (nx >= 0 && nx < width && ny >= 0 && ny < height) row[ny * width + nx] = -1;
        else right += image[(to[1] + ny) * SIDE + to[0] + nx];
      }
      a.push(row);
      b.push(right);
    }
  return solve(a, b);
}

const inside = ({ width, height, to }: Paste, i: number, side = SIDE): boolean => {
  const [x, y] = [(i % side) - to[0], Math.floor(i / side) - to[1]];
  return x >= 0 && x < width && y >= 0 && y < height;
};

describe('Poisson paste', () => {
  it.each<Paste>([
    { width: 5, height: 4, from: [2, 7], to: [8, 3] },
    { width: 1, height: 1, from: [1, 1], to: [14, 14] },
    { width: 2, height: 9, from: [1, 1], to: [13, 6] },
  ])('%j: what the equations have as their solution', (paste) => {
    const [image, donor] = [noise('image'), noise('donor')];
    const found = poissonPaste(image, donor, SIDE, paste);
    const expected = dense(image, donor, paste);
    const own = [...found.keys()].filter((i) => inside(paste, i));
    own.forEach((i, k) => expect(found[i]).toBeCloseTo(expected[k], 5));
    found.forEach((value, i) => inside(paste, i) || expect(value).toBe(image[i]));
  });

  it('from the same place of the same image changes nothing', () => {
    const image = noise('image');
    const paste: Paste = { width: 7, height: 6, from: [4, 5], to: [4, 5] };
    expect(poissonPaste(image, image, SIDE, paste)).toEqual(image);
  });

  it('of a donor that is brighter everywhere, the same: only gradients count', () => {
    const [image, donor] = [noise('image'), noise('donor')];
    const paste: Paste = { width: 6, height: 6, from: [2, 3], to: [7, 8] };
    const brighter = donor.map((value) => value + 0.3);
    const [plain, other] = [donor, brighter].map((own) => poissonPaste(image, own, SIDE, paste));
    plain.forEach((value, i) => expect(other[i]).toBeCloseTo(value, 5));
  });

  it('closes the seam of a large rectangle, and stays in 0 … 1', () => {
    const side = 128;
    const image = Float32Array.from({ length: side * side }, (_, i) => (i % side) / (side - 1));
    const paste: Paste = { width: 100, height: 90, from: [1, 1], to: [20, 30] };
    const flat = new Float32Array(side * side).fill(0.5);
    const found = poissonPaste(image, flat, side, paste);
    // A plane has no curvature: stretched over its own edge it is there again.
    found.forEach((value, i) => expect(value).toBeCloseTo(image[i], 4));
    const black = poissonPaste(
      image.map((value) => 0.02 * value),
      noise('donor', side),
      side,
      paste,
    );
    expect(black.every((value) => value >= 0 && value <= 1)).toBe(true);
    expect(black.includes(0)).toBe(true);
  });
});

describe('simulated anomalies', () => {
  it('leave the edges of both images alone', () => {
    const rng = new Rng(0, 'pastes');
    for (const side of [6, 17, 240])
      for (let i = 0; i < 200; i++) {
        const { width, height, from, to } = randomPaste(rng, side);
        for (const [x, y] of [from, to])
          expect([x >= 1, y >= 1, x + width <= side - 1, y + height <= side - 1]).not.toContain(false);
      }
  });

  it('are the same for the same stream, and another for another', () => {
    const [image, donor] = [noise('image', 64), noise('donor', 64)];
    const of = (stream: string) => withNaturalAnomaly(image, donor, 64, new Rng(5, stream));
    expect(of('a')).toEqual(of('a'));
    expect(of('a')).not.toEqual(of('b'));
    expect(of('a')).not.toEqual(image);
  });
});
