/** One field of view: a recipe (wafer and microscope) on a place of a design, and the picture taken of it. */
import type { Rng } from '../base/rng';
import { develop, drawBeam, drawIllumination, expose, reachPx, setLevels } from './beam';
import type { Beam, Levels } from './beam';
import type { Defective } from './defects';
import type { DesignRules, Drawing } from './drawing';
import { RECESSED_SHARE, drawLayout } from './layout';
import type { LayoutName } from './layout';
import type { Ranges } from './ranges';
import { buildScene, changedRows, drawProcess, rowsOf } from './scene';
import type { Process, Scene } from './scene';
import { areaOf } from './shapes';
import type { View } from './shapes';

/** All numbers of a picture but the place it shows: pictures with one recipe come from one wafer and one set-up. */
export interface Recipe {
  readonly layout: LayoutName;
  readonly rules: DesignRules;
  readonly process: Process;
  readonly beam: Beam;
  /** Tangent of half the angle between design and rows. */
  readonly tilt: number;
  readonly vibrationPx: number;
  /** Mean and deviation that brightness and contrast are set to, grey values. */
  readonly mean: number;
  readonly deviation: number;
  readonly defectSize: number;
}

/** A place under the microscope, ready for the picture. */
export interface Field {
  readonly recipe: Recipe;
  readonly scene: Scene;
  readonly illumination: Float32Array;
  readonly levels: Levels;
  /** The noise-free signal. @shape [height·width] */
  readonly signal: Float32Array;
}

/**
 * A wafer and a microscope within the ranges, for a layout.
 * @param recessedShare how likely features are trenches; by default as usual for the layout
 */
export function drawRecipe(
  rng: Rng,
  ranges: Ranges,
  layout: LayoutName,
  recessedShare = RECESSED_SHARE[layout],
): Recipe {
  const between = (name: keyof Ranges): number => rng.between(...ranges[name]);
  const [finest, coarsest] = ranges.pitchPx;
  const share = rng.uniform();
  const pitchPx = finest + (coarsest - finest) * share * share;
  return {
    layout,
    rules: { pitchPx, duty: between('duty') },
    process: drawProcess(rng.fork('process'), ranges, recessedShare),
    beam: drawBeam(rng.fork('beam'), ranges),
    tilt: between('tilt'),
    vibrationPx: rng.uniform() < 0.5 ? between('vibrationPx') : 0,
    mean: between('mean'),
    deviation: between('deviation'),
    // Defects grow with the magnification, though less than the pattern.
    defectSize: between('defectSize') * Math.sqrt(pitchPx / 18),
  };
}

/** A view of the recipe's design with the first pixel at (x, y) of the layout. */
export function drawView(rng: Rng, recipe: Recipe, width: number, height: number, x = 0, y = 0): View {
  const { tilt, vibrationPx } = recipe;
  const square = tilt * tilt;
  const shifts = new Float32Array(height);
  if (vibrationPx > 0) {
    let drift = 0;
    for (let row = 0; row < height; row++) {
      drift = 0.8 * drift + 0.6 * vibrationPx * rng.bell();
      shifts[row] = drift;
    }
  }
  return { width, height, x, y, shifts, cos: (1 - square) / (1 + square), sin: (2 * tilt) / (1 + square) };
}

/** The design under a view alone, for pictures that no other picture neighbours. */
export const drawDesign = (rng: Rng, recipe: Recipe, view: View): Drawing =>
  drawLayout(rng, recipe.layout, areaOf(view, recipe.rules.pitchPx), recipe.rules);

/** Sets the microscope up on a place: builds what lies there and adjusts brightness and contrast to it. */
export function openField(rng: Rng, recipe: Recipe, view: View, drawing: Drawing, buried?: Drawing): Field {
  const scene = buildScene(rng.fork('wafer'), view, recipe.rules, recipe.process, drawing, buried);
  const illumination = drawIllumination(rng.fork('illumination'), recipe.beam, view.width, view.height);
  const signal = expose(scene, recipe.beam, illumination);
  const levels = setLevels(signal, recipe.beam, recipe.mean, recipe.deviation);
  return { recipe, scene, illumination, levels, signal };
}

export interface Exposure {
  readonly signal: Float32Array;
  /** Root mean square of what the defect changes within its footprint, in grey values. */
  readonly contrast: number;
  /** Size of the footprint. */
  readonly areaPx: number;
}

/** The noise-free signal of the field with a defect on it, and how well the defect shows. */
export function exposeDefect(field: Field, { scene, mask }: Defective): Exposure {
  const signal = exposeChange(field, scene);
  let squares = 0;
  let areaPx = 0;
  for (let i = 0; i < mask.length; i++) {
    if (!mask[i]) continue;
    const change = signal[i] - field.signal[i];
    squares += change * change;
    areaPx++;
  }
  return { signal, areaPx, contrast: field.levels.gain * Math.sqrt(squares / Math.max(areaPx, 1)) };
}

/** The share of the picture that will be black or white. */
export function glareOf({ levels: { gain, offset } }: Field, signal: Float32Array): number {
  let saturated = 0;
  for (let i = 0; i < signal.length; i++) {
    const grey = offset + gain * signal[i];
    if (grey < 2 || grey > 253) saturated++;
  }
  return saturated / signal.length;
}

/** Exposes only the rows that a change of the scene can reach; the others are as they were. */
function exposeChange({ recipe, scene, illumination, signal }: Field, changed: Scene): Float32Array {
  const { width, height } = scene;
  const reach = reachPx(recipe.beam);
  const [first, last] = changedRows(scene, changed);
  const from = Math.max(first - reach, 0);
  const to = Math.min(last + reach, height);
  // The band's own border sees rows that aren't in it, hence one more reach.
  const top = Math.max(from - reach, 0);
  const bottom = Math.min(to + reach, height);
  const band = expose(
    rowsOf(changed, top, bottom),
    recipe.beam,
    illumination.subarray(top * width, bottom * width),
  );
  const out = signal.slice();
  out.set(band.subarray((from - top) * width, (to - top) * width), from * width);
  return out;
}

/** Grey values of a signal of this field. @param noise without it the picture is free of noise */
export const photograph = (field: Field, signal: Float32Array, noise?: Rng): Uint8Array =>
  develop(signal, field.scene.width, field.recipe.beam, field.levels, noise);
