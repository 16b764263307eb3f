/** What a mask design is made of. */
import type { Rng } from '../base/rng';
import type { Area, Shape } from './shapes';

/** The two dimensions that all layouts follow. */
export interface DesignRules {
  /** Line plus space of the smallest features. */
  readonly pitchPx: number;
  /** The share of the pitch that the feature fills. */
  readonly duty: number;
}

/** A design: the patterned layer and what stands on it (vias, plugs, feet). */
export interface Drawing {
  readonly base: readonly Shape[];
  readonly top: readonly Shape[];
}

/** Fills an area with a design of random phase. Shapes may reach over the area's border. */
export type Draw = (rng: Rng, area: Area, rules: DesignRules) => Drawing;

/** Positions with a random phase that cover `from` to `to`, one per `step`. */
export function positions(rng: Rng, from: number, to: number, step: number): number[] {
  const start = from - step * rng.uniform();
  return Array.from({ length: Math.ceil((to - start) / step) + 1 }, (_, k) => start + k * step);
}
