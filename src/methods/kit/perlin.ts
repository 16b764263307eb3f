import type { Rng } from '../../base/rng';

/** Finest lattice: 2⁵ cells a side. */
const MOST_DOUBLINGS = 5;

const fade = (t: number): number => ((6 * t - 15) * t + 10) * t * t * t;
const mix = (a: number, b: number, t: number): number => a + (b - a) * t;

/**
 * Perlin noise, −1 … 1: each cell's corners pull along their gradients, blended smoothly; 0 at the lattice's nodes.
 * @param angles of the unit gradients at the nodes, [(rows+1)·(columns+1)]
 * @param rows cells of the lattice, dividing the height
 * @returns [height·width]
 * @source Perlin 2002; methods.md 11.4
 */
export function perlinNoise(
  angles: ArrayLike<number>,
  [rows, columns]: readonly [number, number],
  height: number,
  width: number,
): Float32Array {
  const out = new Float32Array(height * width);
  for (let y = 0; y < height; y++) {
    const v = (y * rows) / height;
    const row = Math.floor(v);
    const down = v - row;
    for (let x = 0; x < width; x++) {
      const u = (x * columns) / width;
      const column = Math.floor(u);
      const right = u - column;
      const pull = (dy: number, dx: number) => {
        const angle = angles[(row + dy) * (columns + 1) + column + dx];
        return Math.cos(angle) * (down - dy) + Math.sin(angle) * (right - dx);
      };
      const upper = mix(pull(0, 0), pull(0, 1), fade(right));
      const lower = mix(pull(1, 0), pull(1, 1), fade(right));
      out[y * width + x] = Math.SQRT2 * mix(upper, lower, fade(down));
    }
  }
  return out;
}

const powerOfTwo = (side: number): number => 2 ** Math.ceil(Math.log2(side));

/**
 * A random blotchy mask: noise on a random lattice above a threshold. Noise that nowhere reaches it is stretched to
 * −1 … 1 first.
 * @returns [height·width], 0 or 1
 * @source methods.md 11.4
 */
export function perlinMask(height: number, width: number, rng: Rng, threshold = 0.2): Uint8Array {
  const [tall, wide] = [powerOfTwo(height), powerOfTwo(width)];
  const cells = (side: number) => Math.min(2 ** rng.integer(MOST_DOUBLINGS + 1), side);
  const [rows, columns] = [cells(tall), cells(wide)];
  const angles = Float64Array.from({ length: (rows + 1) * (columns + 1) }, () => rng.between(0, 2 * Math.PI));
  const noise = perlinNoise(angles, [rows, columns], tall, wide);
  let [low, high] = [Infinity, -Infinity];
  for (const value of noise) [low, high] = [Math.min(low, value), Math.max(high, value)];
  const stretch = high <= threshold && high > low;
  const mask = new Uint8Array(height * width);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const value = bilinear(
        noise,
        tall,
        wide,
        ((y + 0.5) * tall) / height - 0.5,
        ((x + 0.5) * wide) / width - 0.5,
      );
      const shown = stretch ? (2 * (value - low)) / (high - low) - 1 : value;
      mask[y * width + x] = Number(shown > threshold);
    }
  return mask;
}

function bilinear(values: Float32Array, height: number, width: number, y: number, x: number): number {
  const [top, left] = [Math.max(y, 0), Math.max(x, 0)];
  const [row, column] = [Math.min(Math.floor(top), height - 1), Math.min(Math.floor(left), width - 1)];
  const [below, beside] = [Math.min(row + 1, height - 1), Math.min(column + 1, width - 1)];
  const at = (r: number, c: number) => values[r * width + c];
  const [down, right] = [top - row, left - column];
  return mix(
    mix(at(row, column), at(row, beside), right),
    mix(at(below, column), at(below, beside), right),
    down,
  );
}
