import type { Rng } from '../../base/rng';
import { clamp, direction, dome } from '../fields';
import { cast } from '../scene';
import type { Scene } from '../scene';
import { limited, place, skewed } from './defect';
import type { Inflict, Spot } from './defect';

interface Bump extends Spot {
  readonly radius: number;
  /** Signed yields of the top and of the ring round it. */
  readonly tone: number;
  readonly halo: number;
  readonly heightPx: number;
}

/** Bends the outlines away from the bump's middle by up to a share of their distance from it. */
function bend(scene: Scene, bump: Bump, share: number): void {
  const { width, height } = scene;
  const before = scene.print.slice();
  const at = (x: number, y: number): number =>
    before[clamp(y, 0, height - 1) * width + clamp(x, 0, width - 1)];
  within(scene, bump, (i, dx, dy, square) => {
    const pull = 1 - share * dome(square);
    const x = bump.x + dx * pull;
    const y = bump.y + dy * pull;
    const column = Math.floor(x);
    const row = Math.floor(y);
    const right = x - column;
    const below = y - row;
    scene.print[i] =
      (1 - below) * ((1 - right) * at(column, row) + right * at(column + 1, row)) +
      below * ((1 - right) * at(column, row + 1) + right * at(column + 1, row + 1));
  });
  const { x, y, radius } = bump;
  cast(
    scene,
    Math.floor(x - radius),
    Math.floor(y - radius),
    Math.ceil(x + radius) + 1,
    Math.ceil(y + radius) + 1,
  );
}

/** Visits the image's pixels inside the bump with their offset and squared distance from its middle, 1 at its foot. */
function within(
  { width, height }: Scene,
  { x, y, radius }: Bump,
  visit: (i: number, dx: number, dy: number, square: number) => void,
): void {
  for (let row = Math.max(Math.ceil(y - radius), 0); row <= Math.min(y + radius, height - 1); row++)
    for (
      let column = Math.max(Math.ceil(x - radius), 0);
      column <= Math.min(x + radius, width - 1);
      column++
    ) {
      const dx = column - x;
      const dy = row - y;
      const square = (dx * dx + dy * dy) / (radius * radius);
      if (square < 1) visit(row * width + column, dx, dy, square);
    }
}

/** Swells the film without an outline: a soft change of height and tone that ends at the foot. */
function swell(rng: Rng, scene: Scene, mask: Uint8Array, bump: Bump): void {
  const lit = direction(rng);
  const side = bump.tone * rng.between(0, 0.8);
  within(scene, bump, (i, dx, dy, square) => {
    const rise = dome(square);
    const ring = dome((square - 0.5) * (square - 0.5) * 8);
    scene.relief[i] += bump.heightPx * rise;
    scene.tone[i] +=
      bump.tone * rise + (side * rise * (dx * lit.x + dy * lit.y)) / bump.radius - bump.halo * ring;
    // Beyond, the dome changes less than one grey value.
    if (square < 0.95) mask[i] = 1;
  });
}

/** Something under the film: a swelling with soft edges, sometimes with a halo, sometimes bending the lines over it. */
export const infilm: Inflict = (rng, scene, mask, size) => {
  const spot = place(rng, scene);
  const radius = limited(scene, Math.max(skewed(rng, 7, 22) * size, 6));
  const variety = rng.pick(['bump', 'halo', 'bent lines'] as const);
  const tone = rng.between(0.07, 0.24) * (rng.uniform() < 0.75 ? 1 : -1);
  const bump = {
    ...spot,
    radius,
    tone,
    halo: variety === 'halo' ? 0.5 * tone : 0,
    heightPx: radius * rng.between(0.08, 0.3),
  };
  if (variety === 'bent lines') bend(scene, bump, rng.between(0.15, 0.45));
  swell(rng, scene, mask, bump);
  return variety;
};
