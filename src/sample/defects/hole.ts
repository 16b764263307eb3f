import type { Rng } from '../../base/rng';
import { mix, ramp } from '../fields';
import { cast } from '../scene';
import type { Scene } from '../scene';
import { blob, coverage, eachPixel, limited, near, place, skewed } from './defect';
import type { Inflict, Patch } from './defect';

/** Digs a pit: dark, for few electrons leave it; its rim may be raised. */
function dig(
  scene: Scene,
  mask: Uint8Array,
  outline: Patch,
  depthPx: number,
  tone: number,
  rimPx: number,
): void {
  const floor = Math.min(scene.process.stepPx, 0) - depthPx;
  eachPixel(scene, outline, (i, inside) => {
    const rim = rimPx * (1 - ramp((Math.abs(inside + 1.5) - 1.2) / 1.2));
    // The rim belongs to the crater, so the footprint reaches out to its foot.
    const edge = rimPx > 0 ? -2.7 : 0;
    const cover = coverage(inside);
    scene.relief[i] = mix(scene.relief[i] + rim, floor, coverage(inside, 2));
    scene.tone[i] = mix(scene.tone[i], tone, cover);
    if (inside > edge) mask[i] = 1;
  });
}

/** Takes metal away: the ground shows, with walls as steep as those of the lines. */
function empty(rng: Rng, scene: Scene, mask: Uint8Array, radius: number): boolean {
  const { width, print } = scene;
  const { sidewallPx } = scene.process;
  for (let attempt = 0; attempt < 40; attempt++) {
    const spot = place(rng, scene);
    if (print[Math.floor(spot.y) * width + Math.floor(spot.x)] < 1) continue;
    const outline = blob(rng, spot, radius, rng.between(0.05, 0.25), rng.between(1, 1.5));
    eachPixel(scene, outline, (i, inside) => {
      const left = Math.min(print[i], -inside);
      // The flanks go with the metal they hang on.
      if (inside > 0 && print[i] > -sidewallPx && left < print[i]) mask[i] = 1;
      print[i] = left;
    });
    const { x0, y0, side } = outline;
    cast(scene, x0, y0, x0 + side, y0 + side);
    return true;
  }
  return false;
}

/** Missing material: a pit, several, a crater with a rim, or a void in a line. */
export const hole: Inflict = (rng, scene, mask, size) => {
  const radius = limited(scene, skewed(rng, 2.6, 9) * size);
  const variety = rng.pick(['pit', 'pit', 'pits', 'crater', 'void', 'void'] as const);
  if (variety === 'void' && scene.process.stepPx > 0 && empty(rng, scene, mask, Math.max(radius, 3)))
    return variety;
  const tone = rng.between(0, 0.09);
  const depthPx = rng.between(3, 10);
  const rimPx = variety === 'crater' ? rng.between(0.8, 2.5) : 0;
  const first = place(rng, scene);
  const pits = variety === 'pits' ? 2 + rng.integer(4) : 1;
  for (let k = 0; k < pits; k++) {
    const spot = k ? near(rng, scene, first, 14 * size) : first;
    const width = pits > 1 ? Math.max(0.7 * radius, 2.2) : radius;
    const outline = blob(rng, spot, width, rng.between(0.03, 0.15), rng.between(1, 1.35));
    dig(scene, mask, outline, depthPx, tone, rimPx);
  }
  return variety === 'void' ? 'pit' : variety;
};
