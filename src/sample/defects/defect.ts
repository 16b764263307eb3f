/** What all defects are made of: local distance fields of irregular outlines, and brushes that change a scene. */
import type { Rng } from '../../base/rng';
import { clamp, direction, ramp, smoothNoise } from '../fields';
import type { Scene } from '../scene';

/**
 * Puts one defect of its class on a scene, sets its footprint in the mask and returns the name of its variety;
 * `undefined`, with the scene unchanged, where the layout offers no place for it.
 * @param size scale of all lengths, 1 for a defect as large as a few lines
 */
export type Inflict = (rng: Rng, scene: Scene, mask: Uint8Array, size: number) => string | undefined;

/** A window with a signed distance for each of its pixels, px, positive inside. It may reach over the image's border. */
export interface Patch {
  readonly x0: number;
  readonly y0: number;
  readonly side: number;
  readonly distance: Float32Array;
}

/** Between two numbers, small values more often. */
export function skewed(rng: Rng, low: number, high: number): number {
  const share = rng.uniform();
  return low + (high - low) * share * share;
}

/** A position in the image, px. */
export interface Spot {
  readonly x: number;
  readonly y: number;
}

/** A place in the image, seldom right at the border. */
export const place = (rng: Rng, { width, height }: Scene): Spot => ({
  x: width * rng.between(0.08, 0.92),
  y: height * rng.between(0.08, 0.92),
});

/** Another place in the image at about `spread` from one. */
export const near = (rng: Rng, { width, height }: Scene, spot: Spot, spread: number): Spot => ({
  x: clamp(spot.x + spread * rng.bell(), 1, width - 2),
  y: clamp(spot.y + spread * rng.bell(), 1, height - 2),
});

/** The longest a defect's radius may get: larger ones would be the picture. */
export const limited = (scene: Scene, radius: number): number =>
  clamp(radius, 1.6, 0.2 * Math.min(scene.width, scene.height));

function patch(
  { x, y }: Spot,
  reach: number,
  distanceAt: (dx: number, dy: number, i: number) => number,
): Patch {
  const half = Math.ceil(reach);
  const side = 2 * half + 1;
  const x0 = Math.floor(x) - half;
  const y0 = Math.floor(y) - half;
  const distance = new Float32Array(side * side);
  for (let row = 0, i = 0; row < side; row++)
    for (let column = 0; column < side; column++, i++)
      distance[i] = distanceAt(x0 + column - x, y0 + row - y, i);
  return { x0, y0, side, distance };
}

/** A closed irregular outline: an ellipse whose edge smooth noise moves in and out by about `rough` of its radius. */
export function blob(rng: Rng, spot: Spot, radius: number, rough: number, stretch = 1): Patch {
  const along = direction(rng);
  const reach = radius * stretch * (1 + 2.5 * rough) + 3;
  const side = 2 * Math.ceil(reach) + 1;
  const waves = smoothNoise(rng, side, side, Math.max(0.7 * radius, 2));
  return patch(spot, reach, (dx, dy, i) => {
    const u = (dx * along.x + dy * along.y) / stretch;
    const v = dy * along.x - dx * along.y;
    return radius - Math.sqrt(u * u + v * v) + rough * radius * clamp(waves[i], -2.2, 2.2);
  });
}

/** A convex splinter: what a handful of random straight cuts leave. */
export function splinter(rng: Rng, spot: Spot, radius: number, stretch: number): Patch {
  const along = direction(rng);
  const cuts = Array.from({ length: 4 + rng.integer(4) }, () => ({
    ...direction(rng),
    at: radius * rng.between(0.65, 1.1),
  }));
  return patch(spot, radius * 1.2 * stretch + 3, (dx, dy) => {
    const u = (dx * along.x + dy * along.y) / stretch;
    const v = dy * along.x - dx * along.y;
    let inside = 1.2 * radius - Math.sqrt(u * u + v * v);
    for (const cut of cuts) inside = Math.min(inside, cut.at - u * cut.x - v * cut.y);
    return inside;
  });
}

/** Visits the patch's pixels that lie in the image: index there, distance, index in the patch. */
export function eachPixel(
  { width, height }: Scene,
  { x0, y0, side, distance }: Patch,
  visit: (i: number, distance: number, k: number) => void,
): void {
  for (let y = Math.max(y0, 0); y < Math.min(y0 + side, height); y++)
    for (let x = Math.max(x0, 0); x < Math.min(x0 + side, width); x++) {
      const k = (y - y0) * side + x - x0;
      visit(y * width + x, distance[k], k);
    }
}

/** How much a pixel shows of what lies in an outline: nothing outside, all from `fadePx` inside on, so that masks are exact. */
export const coverage = (distance: number, fadePx = 1): number => ramp((2 * distance) / fadePx - 1);

/** The height of the highest plane of the pattern. */
export const surfaceOf = (scene: Scene): number => Math.max(scene.process.stepPx, 0);

/** The tone of the brighter of the two materials. */
export const brightOf = ({ process }: Scene): number => Math.max(process.groundTone, process.featureTone);
