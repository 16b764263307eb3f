import type { Rng } from '../../base/rng';
import { smoothNoise } from '../fields';
import { cast } from '../scene';
import type { Scene } from '../scene';
import { place, skewed } from './defect';
import type { Inflict } from './defect';

/** A straight way across a space from one feature to the next. */
interface Gap {
  readonly x: number;
  readonly y: number;
  readonly across: { readonly x: number; readonly y: number };
  readonly lengthPx: number;
}

/** Steps from a point until metal; `limit` if there is none before or the image ends. */
function untilMetal(
  { width, height, print }: Scene,
  x: number,
  y: number,
  dx: number,
  dy: number,
  limit: number,
): number {
  for (let step = 1; step < limit; step++) {
    const column = Math.floor(x + step * dx + 0.5);
    const row = Math.floor(y + step * dy + 0.5);
    if (column < 0 || row < 0 || column >= width || row >= height) return limit;
    if (print[row * width + column] > 0.3) return step;
  }
  return limit;
}

/** The narrowest of some gaps met at random: shorts happen where metal is close. */
function findGap(rng: Rng, scene: Scene): Gap | undefined {
  const limit = Math.min(1.8 * scene.rules.pitchPx + 6, 0.3 * Math.min(scene.width, scene.height));
  let best: Gap | undefined;
  for (let attempt = 0, found = 0; attempt < 80 && found < 5; attempt++) {
    const { x, y } = place(rng, scene);
    if (scene.print[Math.floor(y) * scene.width + Math.floor(x)] > -1) continue;
    const { axis } = scene;
    const across = rng.uniform() < 0.5 ? axis : { x: -axis.y, y: axis.x };
    const ahead = untilMetal(scene, x, y, across.x, across.y, limit);
    const back = untilMetal(scene, x, y, -across.x, -across.y, limit);
    const lengthPx = ahead + back;
    if (lengthPx >= limit || (best && lengthPx >= best.lengthPx)) continue;
    found++;
    const middle = (ahead - back) / 2;
    best = { x: x + middle * across.x, y: y + middle * across.y, across, lengthPx };
  }
  return best;
}

/** How far sideways of the gap's middle both its shores still are metal: a bridge is no broader than what it joins. */
function facing({ width, height, print }: Scene, { x, y, across, lengthPx }: Gap, limit: number): number {
  const shore = lengthPx / 2 + 2;
  const isMetal = (along: number, aside: number): boolean => {
    const column = Math.floor(x + along * across.x - aside * across.y + 0.5);
    const row = Math.floor(y + along * across.y + aside * across.x + 0.5);
    // What the image doesn't show goes on as it is.
    if (column < 0 || row < 0 || column >= width || row >= height) return true;
    return print[row * width + column] > 0;
  };
  let aside = 1;
  while (
    aside < limit &&
    isMetal(shore, aside) &&
    isMetal(shore, -aside) &&
    isMetal(-shore, aside) &&
    isMetal(-shore, -aside)
  )
    aside++;
  return aside;
}

/** Metal that joins two features over the space between them: a thread, a link with a waist, or a long merge. */
export const bridge: Inflict = (rng, scene, mask, size) => {
  const gap = findGap(rng, scene);
  if (!gap) return undefined;
  const variety = rng.pick(['thread', 'link', 'link', 'merge'] as const);
  const { width, height, print } = scene;
  const half = gap.lengthPx / 2 + 2;
  const wanted = {
    thread: Math.max(0.18 * gap.lengthPx, 1.8),
    link: Math.max(gap.lengthPx * rng.between(0.3, 0.7), 2.5),
    merge: gap.lengthPx * rng.between(0.9, 1.6) + skewed(rng, 2, 12) * size,
  }[variety];
  const halfWidth = Math.max(Math.min(wanted, facing(scene, gap, 0.16 * Math.min(width, height))), 1.8);
  const waist = rng.between(0.05, 0.4);
  const reach = Math.ceil(half + halfWidth + 6);
  const x0 = Math.max(Math.floor(gap.x) - reach, 0);
  const y0 = Math.max(Math.floor(gap.y) - reach, 0);
  const x1 = Math.min(Math.floor(gap.x) + reach, width);
  const y1 = Math.min(Math.floor(gap.y) + reach, height);
  const ragged = smoothNoise(rng, x1 - x0, y1 - y0, 4);
  for (let y = y0, k = 0; y < y1; y++)
    for (let x = x0; x < x1; x++, k++) {
      const dx = x - gap.x;
      const dy = y - gap.y;
      const along = Math.abs(dx * gap.across.x + dy * gap.across.y);
      const aside = Math.abs(dy * gap.across.x - dx * gap.across.y);
      if (along > half) continue;
      const share = along / half;
      const inside = halfWidth * (1 - waist + waist * share * share) - aside + 0.5 * ragged[k];
      const i = y * width + x;
      const joined = smoothMax(print[i], inside);
      if (joined > 0 && print[i] <= 0) mask[i] = 1;
      print[i] = joined;
    }
  cast(scene, x0, y0, x1, y1);
  return variety;
};

/** The larger of two distances, with a fillet where both edges meet. */
function smoothMax(a: number, b: number): number {
  const fillet = 2;
  const near = Math.max(fillet - Math.abs(a - b), 0) / fillet;
  return Math.max(a, b) + 0.25 * fillet * near * near;
}
