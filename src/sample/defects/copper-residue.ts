import type { Rng } from '../../base/rng';
import { mix, smoothNoise } from '../fields';
import type { Scene } from '../scene';
import { blob, brightOf, coverage, eachPixel, limited, place, skewed } from './defect';
import type { Inflict } from './defect';

/** Metal that polishing left: a thin bright film of ragged outline, over the pattern, in its gaps, or in islands. */
export const copperResidue: Inflict = (rng, scene, mask, size) => {
  const spot = place(rng, scene);
  const radius = limited(scene, skewed(rng, 8, 26) * size);
  const variety = rng.pick(['film', 'film', 'between lines', 'islands', 'smear'] as const);
  const stretch = variety === 'smear' ? rng.between(2, 3) : rng.between(1, 1.6);
  const outline = blob(rng, spot, radius, rng.between(0.25, 0.45), stretch);
  const ragged = smoothNoise(rng, outline.side, outline.side, rng.between(3, 6));
  const texture = smoothNoise(rng, outline.side, outline.side, 2.2);
  const film = drawFilm(rng, scene);
  const raggedPx = variety === 'islands' ? radius * rng.between(0.5, 0.9) : rng.between(1, 2.5);
  const inset = variety === 'islands' ? radius * 0.3 : 0;
  eachPixel(scene, outline, (i, inside, k) => {
    let depth = inside - inset + raggedPx * ragged[k];
    // Over a bare film there are no gaps to lie in.
    if (variety === 'between lines') depth = Math.min(depth, 0.5 - scene.print[i]);
    const cover = coverage(depth, film.edgePx);
    if (cover === 0) return;
    scene.tone[i] = mix(scene.tone[i], film.tone + film.texture * texture[k], cover * film.opacity);
    scene.relief[i] =
      mix(scene.relief[i], film.level, cover * film.levelling) +
      cover * (film.thicknessPx + 0.25 * texture[k]);
    if (depth > 0) mask[i] = 1;
  });
  return variety;
};

interface Film {
  readonly tone: number;
  readonly texture: number;
  readonly opacity: number;
  readonly edgePx: number;
  readonly thicknessPx: number;
  /** Height that the film fills gaps to, and how fully it does. */
  readonly level: number;
  readonly levelling: number;
}

function drawFilm(rng: Rng, scene: Scene): Film {
  const opacity = rng.between(0.5, 0.95);
  return {
    tone: brightOf(scene) + rng.between(0.1, 0.35),
    texture: rng.between(0.01, 0.06),
    opacity,
    edgePx: rng.between(1, 3),
    thicknessPx: rng.between(0.3, 1.6),
    level: Math.max(scene.process.stepPx, 0),
    levelling: opacity * rng.between(0.3, 0.9),
  };
}
