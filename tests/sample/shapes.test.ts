import { describe, expect, it } from 'vitest';
import { areaOf, box, cutOut, disc, distances, transposed, wire } from '../../src/sample/shapes';
import type { Shape, View } from '../../src/sample/shapes';

const REACH = 6;

/** The angle's sine and cosine exactly: 3-4-5 and 5-12-13 triangles. */
const TURNS = [
  [1, 0],
  [0, 1],
  [0.8, 0.6],
  [5 / 13, -12 / 13],
  [-0.6, 0.8],
];

const view = (cos: number, sin: number): View => ({
  width: 40,
  height: 30,
  x: 3.5,
  y: -2.25,
  cos,
  sin,
  shifts: Float32Array.from({ length: 30 }, (_, y) => (y % 3) * 0.25),
});

/** Distance to the outline of a rounded box by walking round it in small steps, negative outside. */
function walked(shape: Shape, x: number, y: number): number {
  const { halfWidth, halfHeight, radius } = shape;
  const inner = [halfWidth - radius, halfHeight - radius];
  const dx = Math.abs(x - shape.x);
  const dy = Math.abs(y - shape.y);
  let nearest = Infinity;
  const visit = (px: number, py: number): void => {
    nearest = Math.min(nearest, Math.hypot(dx - px, dy - py));
  };
  const steps = 2000;
  for (let k = 0; k <= steps; k++) {
    const t = k / steps;
    visit(halfWidth, -inner[1] + 2 * inner[1] * t);
    visit(-inner[0] + 2 * inner[0] * t, halfHeight);
    const angle = (t * Math.PI) / 2;
    visit(inner[0] + radius * Math.cos(angle), inner[1] + radius * Math.sin(angle));
  }
  const corner = Math.hypot(Math.max(dx - inner[0], 0), Math.max(dy - inner[1], 0));
  const isInside =
    dx <= halfWidth && dy <= halfHeight && (dx <= inner[0] || dy <= inner[1] || corner <= radius);
  return isInside ? nearest : -nearest;
}

describe('distances', () => {
  const shapes: [string, Shape][] = [
    ['box', box(8, 4, 20, 13)],
    ['rounded box', box(6, 3, 24, 11, 2.5)],
    ['disc', disc(15, 10, 6.5)],
    ['wire', wire(5, 8, 22, 8, 3)],
  ];

  it.each(shapes)('to a %s match a walk round its outline, at any angle', (_, shape) => {
    for (const [cos, sin] of TURNS) {
      const eye = view(cos, sin);
      const field = distances(eye, [shape], REACH);
      for (let y = 0; y < eye.height; y += 3)
        for (let x = 0; x < eye.width; x += 3) {
          const column = x - eye.shifts[y];
          const expected = walked(shape, eye.x + cos * column - sin * y, eye.y + sin * column + cos * y);
          if (expected > -0.9 * REACH) expect(field[y * eye.width + x]).toBeCloseTo(expected, 1);
          // Beyond the reach a corner's distance may still be told; it is never nearer than it is.
          else expect(field[y * eye.width + x]).toBeLessThan(-0.8 * REACH);
        }
    }
  });

  it('of several shapes are those of their union, minus what is cut out', () => {
    const eye = view(1, 0);
    const a = box(5, 2, 20, 12);
    const b = disc(22, 10, 6);
    const both = distances(eye, [a, b], REACH);
    const [first, second] = [distances(eye, [a], REACH), distances(eye, [b], REACH)];
    both.forEach((value, i) => expect(value).toBe(Math.max(first[i], second[i])));
    const holed = distances(eye, [cutOut(disc(12, 7, 3)), a], REACH);
    const middle = Math.round(7 - eye.y) * eye.width + Math.round(12 - eye.x);
    expect(first[middle]).toBeGreaterThan(0);
    expect(holed[middle]).toBeLessThan(0);
  });
});

describe('areaOf', () => {
  it('holds every pixel of a turned view', () => {
    for (const [cos, sin] of TURNS) {
      const eye = view(cos, sin);
      const area = areaOf(eye, 0);
      for (const [x, y] of [
        [0, 0],
        [39, 0],
        [0, 29],
        [39, 29],
      ]) {
        expect(eye.x + cos * x - sin * y).toBeGreaterThanOrEqual(area.x0 - 1e-9);
        expect(eye.x + cos * x - sin * y).toBeLessThanOrEqual(area.x1 + 1e-9);
        expect(eye.y + sin * x + cos * y).toBeGreaterThanOrEqual(area.y0 - 1e-9);
        expect(eye.y + sin * x + cos * y).toBeLessThanOrEqual(area.y1 + 1e-9);
      }
    }
  });
});

it('transposed twice is the same shape', () => {
  const shape = box(1, 2, 8, 5, 1);
  expect(transposed(transposed(shape))).toEqual(shape);
  expect(transposed(shape)).toEqual(box(2, 1, 5, 8, 1));
});
