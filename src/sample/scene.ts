/** The wafer in front of the beam: outlines, heights and materials, before anything is measured. */
import type { Rng } from '../base/rng';
import type { DesignRules, Drawing } from './drawing';
import { boxMean, clamp, ramp, smoothNoise } from './fields';
import type { Ranges } from './ranges';
import { distances } from './shapes';
import type { Shape, View } from './shapes';

/** Lithography, etching and materials of one wafer. */
export interface Process {
  readonly rounding: number;
  readonly roughnessPx: number;
  readonly roughnessCellPx: number;
  readonly sidewallPx: number;
  /** Signed: negative where features are trenches. */
  readonly stepPx: number;
  readonly groundTone: number;
  readonly featureTone: number;
  /** Of what stands on the patterned layer (vias, plugs, feet). */
  readonly topTone: number;
  readonly topStepPx: number;
  /** How much of a buried pattern shows, in yield; 0 for none. */
  readonly buriedTone: number;
  readonly grain: number;
  readonly grainCellPx: number;
}

/** What the beam sees. */
export interface Surface {
  readonly width: number;
  readonly height: number;
  /** Height above the ground, px. @shape [height·width] */
  readonly relief: Float32Array;
  /** Electron yield of the flat material. @shape [height·width] */
  readonly tone: Float32Array;
}

/** A surface and what it is made from. */
export interface Scene extends Surface {
  /** Direction of the design's rows in the image. */
  readonly axis: { readonly x: number; readonly y: number };
  readonly rules: DesignRules;
  readonly process: Process;
  /** Signed distance to the nearest edge of the patterned layer, px, positive in features. @shape [height·width] */
  readonly print: Float32Array;
  readonly top: Float32Array | undefined;
  readonly buried: Float32Array | undefined;
  readonly grain: Float32Array | undefined;
}

/** A wafer within the ranges. @param recessedShare how likely features are trenches */
export function drawProcess(rng: Rng, ranges: Ranges, recessedShare: number): Process {
  const between = (name: keyof Ranges): number => rng.between(...ranges[name]);
  const recessed = rng.uniform() < recessedShare;
  // The bottom of a trench is mostly darker than its rim; what stands free is bright unless it could be a trench too.
  const darker = rng.uniform() < (recessed ? 0.85 : 0.4 * recessedShare);
  const groundTone = between('groundTone');
  const toneStep = between('toneStep');
  const featureTone = Math.max(groundTone + (darker ? -toneStep : toneStep), 0.06);
  return {
    rounding: between('rounding'),
    roughnessPx: between('roughnessPx'),
    roughnessCellPx: between('roughnessCellPx'),
    sidewallPx: between('sidewallPx'),
    stepPx: between('stepPx') * (recessed ? -1 : 1),
    groundTone,
    featureTone,
    topTone: Math.min(Math.max(groundTone, featureTone) + rng.between(0.05, 0.3), 1),
    topStepPx: rng.between(1, 4),
    buriedTone: rng.uniform() < 0.2 ? rng.between(-0.07, 0.07) : 0,
    grain: between('grain'),
    grainCellPx: between('grainCellPx'),
  };
}

/** How far beyond an edge the distance must be known: sidewall, roughness and fillets all live there. */
const REACH_PX = 9;

/**
 * What lithography makes of drawn shapes. Blurring the distance field rounds corners both ways and pulls line ends
 * back, as the aerial image does; adding smooth noise to it moves each edge by itself.
 */
function printed(
  view: View,
  shapes: readonly Shape[],
  rules: DesignRules,
  process: Process,
  rng: Rng,
): Float32Array {
  const { width, height } = view;
  const narrowest = Math.min(rules.duty, 1 - rules.duty) * rules.pitchPx;
  const radius = Math.min(Math.floor(0.5 * process.rounding * narrowest + 0.5), 3);
  // Twice, because one box alone would turn a corner into a chamfer.
  const once = boxMean(distances(view, shapes, REACH_PX), width, height, radius);
  const field = boxMean(once, width, height, radius);
  const roughness = smoothNoise(rng, width, height, process.roughnessCellPx);
  // Fine lines whose edges wander by more than this would not be sold.
  const amplitude = Math.min(process.roughnessPx, 0.035 * rules.pitchPx);
  for (let i = 0; i < field.length; i++) field[i] += amplitude * roughness[i];
  return field;
}

/** Puts a design (and, where the process shows one, a buried design) under the view. */
export function buildScene(
  rng: Rng,
  view: View,
  rules: DesignRules,
  process: Process,
  drawing: Drawing,
  buried: Drawing | undefined,
): Scene {
  const { width, height } = view;
  const print = (shapes: readonly Shape[]): Float32Array => printed(view, shapes, rules, process, rng);
  const scene: Scene = {
    width,
    height,
    axis: { x: view.cos, y: -view.sin },
    rules,
    process,
    print: drawing.base.length ? print(drawing.base) : new Float32Array(width * height).fill(-REACH_PX),
    top: drawing.top.length ? distances(view, drawing.top, REACH_PX) : undefined,
    buried: buried?.base.length ? distances(view, buried.base, REACH_PX) : undefined,
    grain: process.grain > 0 ? smoothNoise(rng, width, height, process.grainCellPx) : undefined,
    relief: new Float32Array(width * height),
    tone: new Float32Array(width * height),
  };
  cast(scene, 0, 0, width, height);
  return scene;
}

/**
 * Derives relief and tone from the outlines, in the rectangle from (fromX, fromY) up to but without (toX, toY), which
 * may reach over the image's border.
 */
export function cast(scene: Scene, fromX: number, fromY: number, toX: number, toY: number): void {
  const { width, process, print, top, buried, grain, relief, tone } = scene;
  const [x0, x1] = [clamp(fromX, 0, width), clamp(toX, 0, width)];
  const [y0, y1] = [clamp(fromY, 0, scene.height), clamp(toY, 0, scene.height)];
  const { stepPx, groundTone, featureTone, topTone, topStepPx, buriedTone } = process;
  const steepness = 1 / process.sidewallPx;
  for (let y = y0; y < y1; y++)
    for (let x = x0, i = y * width + x0; x < x1; x++, i++) {
      const distance = print[i];
      // The material changes within a pixel, the height over the whole sidewall.
      let yielded = groundTone + (featureTone - groundTone) * ramp(distance * 1.4);
      let height = stepPx * ramp(distance * steepness);
      if (buried) yielded += buriedTone * ramp(buried[i] * 0.5);
      if (grain) yielded += process.grain * grain[i];
      if (top && top[i] > -2) {
        const cover = ramp(top[i] * 1.4);
        yielded += (topTone - yielded) * cover;
        height += topStepPx * cover;
      }
      tone[i] = yielded;
      relief[i] = height;
    }
}

/** A copy whose pixels can be changed without touching the original's. */
export const copyScene = (scene: Scene): Scene => ({
  ...scene,
  print: scene.print.slice(),
  relief: scene.relief.slice(),
  tone: scene.tone.slice(),
});

/** The rows from the first to the last in which two scenes of one place differ, as [from, to); empty where they don't. */
export function changedRows(before: Scene, after: Scene): [from: number, to: number] {
  let first = before.tone.length;
  let last = -1;
  for (let i = 0; i < before.tone.length; i++) {
    if (before.tone[i] === after.tone[i] && before.relief[i] === after.relief[i]) continue;
    if (i < first) first = i;
    last = i;
  }
  const { width } = before;
  return last < 0 ? [0, 0] : [Math.floor(first / width), Math.floor(last / width) + 1];
}

/** A band of rows of a scene, sharing its pixels. */
export function rowsOf(scene: Scene, from: number, to: number): Surface {
  const { width, relief, tone } = scene;
  return {
    width,
    height: to - from,
    relief: relief.subarray(from * width, to * width),
    tone: tone.subarray(from * width, to * width),
  };
}
