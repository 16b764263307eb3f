import type { Rng } from '../../base/rng';
import { mix, smoothNoise } from '../fields';
import type { Scene } from '../scene';
import { blob, coverage, eachPixel, limited, near, place, skewed, splinter, surfaceOf } from './defect';
import type { Inflict, Patch, Spot } from './defect';

interface Body {
  readonly outline: Patch;
  /** Height over the pattern, px. */
  readonly heightPx: number;
  /** Rounded like a drop, or flat with steep flanks. */
  readonly rounded: boolean;
  readonly tone: number;
  /** Roughness of the surface, px. */
  readonly texturePx: number;
}

/** Lays a body on top of the pattern: it hides what is under it. */
function lay(rng: Rng, scene: Scene, mask: Uint8Array, body: Body): void {
  const { side, distance } = body.outline;
  const texture = smoothNoise(rng, side, side, 2.5);
  const deepest = Math.max(
    distance.reduce((a, b) => Math.max(a, b)),
    1,
  );
  const surface = surfaceOf(scene);
  eachPixel(scene, body.outline, (i, inside, k) => {
    const cover = coverage(inside);
    if (cover === 0) return;
    const rest = Math.max(1 - inside / deepest, 0);
    const profile = body.rounded ? Math.sqrt(1 - Math.min(rest * rest, 1)) : Math.min(inside / 1.5, 1);
    const height = surface + body.heightPx * profile + body.texturePx * texture[k];
    scene.relief[i] = mix(scene.relief[i], height, cover);
    scene.tone[i] = mix(scene.tone[i], body.tone + 0.02 * texture[k], cover);
    if (inside > 0) mask[i] = 1;
  });
}

/** Mostly brighter than everything round it (it charges and stands free), now and then dark. */
const bodyTone = (rng: Rng): number => {
  const kind = rng.uniform();
  return kind < 0.55 ? rng.between(0.6, 1) : kind < 0.85 ? rng.between(0.35, 0.6) : rng.between(0.02, 0.12);
};

/** Several small round bodies about one place. */
function strew(rng: Rng, scene: Scene, mask: Uint8Array, spot: Spot, radius: number, spread: number): void {
  const tone = bodyTone(rng);
  const grains = 3 + rng.integer(6);
  for (let k = 0; k < grains; k++) {
    const small = limited(scene, radius * rng.between(0.7, 1.2));
    const outline = blob(rng, near(rng, scene, spot, spread), small, 0.15, rng.between(1, 1.4));
    lay(rng, scene, mask, { outline, heightPx: small, rounded: true, tone, texturePx: 0.1 });
  }
}

/** A foreign body on top of the pattern: ball, flake, splinter, cluster or dust. */
export const particle: Inflict = (rng, scene, mask, size) => {
  const spot = place(rng, scene);
  const radius = limited(scene, skewed(rng, 3, 15) * size);
  const variety = rng.pick(['ball', 'ball', 'flake', 'flake', 'splinter', 'cluster', 'dust'] as const);
  const tone = bodyTone(rng);
  const texturePx = rng.between(0, 0.5);
  switch (variety) {
    case 'ball': {
      const outline = blob(rng, spot, 0.8 * radius, rng.between(0.02, 0.12), rng.between(1, 1.2));
      const heightPx = radius * rng.between(0.5, 1.1);
      lay(rng, scene, mask, { outline, heightPx, rounded: true, tone, texturePx: texturePx / 2 });
      break;
    }
    case 'flake': {
      const outline = blob(rng, spot, radius, rng.between(0.15, 0.45), rng.between(1, 2));
      lay(rng, scene, mask, { outline, heightPx: rng.between(2, 6), rounded: false, tone, texturePx });
      break;
    }
    case 'splinter': {
      const outline = splinter(rng, spot, radius, rng.between(1, 2.2));
      lay(rng, scene, mask, { outline, heightPx: rng.between(2, 7), rounded: false, tone, texturePx });
      break;
    }
    case 'cluster':
      strew(rng, scene, mask, spot, 0.45 * radius, 0.5 * radius);
      break;
    case 'dust':
      strew(rng, scene, mask, spot, skewed(rng, 1.6, 4) * size, 14 * size);
  }
  return variety;
};
