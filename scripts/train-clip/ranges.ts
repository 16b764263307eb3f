import { FAR_RANGES, RANGES } from '../../src/sample/ranges';
import type { Ranges } from '../../src/sample/ranges';

/**
 * As wide as pictures can be without entering `FAR_RANGES`, which stay what no training image is drawn from. Only
 * lengths of pictures that are rescaled afterwards reach into them.
 */
export const WIDE_RANGES: Ranges = {
  pitchPx: [7, 55],
  duty: [0.25, 0.7],
  tilt: [-0.06, 0.06],
  rounding: [0.1, 0.78],
  roughnessPx: [0, 0.65],
  roughnessCellPx: [2.5, 13],
  sidewallPx: [0.5, 2.5],
  stepPx: [1, 11.5],
  groundTone: [0.1, 0.58],
  toneStep: [0.03, 0.39],
  grain: [0, 0.033],
  grainCellPx: [1.2, 5.5],
  edge: [0, 0.87],
  asymmetry: [0, 0.25],
  shadow: [0, 0.97],
  shadowReachPx: [2, 9.7],
  spotPx: [0.3, 1.38],
  astigmatism: [0.72, 1.32],
  trail: [0, 0.145],
  charging: [0, 0.058],
  vignette: [0, 0.155],
  vibrationPx: [0, 0.33],
  noise: [0.004, 0.158],
  noiseLag: [0, 0.63],
  rowNoise: [0, 0.0145],
  mean: [50, 153],
  deviation: [23, 62],
  defectSize: [0.5, 1.85],
};

/** The same seen from close by: few wide features in a picture, and defects that are small beside them. */
export const CLOSE_RANGES: Ranges = { ...WIDE_RANGES, pitchPx: [74, 150], defectSize: [0.2, 0.9] };

/**
 * What a checkpoint is chosen on: designs as in training, seen by an instrument that no training image was taken with.
 * `FAR_RANGES` themselves, designs included, stay a test that nothing was chosen on.
 */
export const OTHER_RANGES: Ranges = {
  ...FAR_RANGES,
  pitchPx: RANGES.pitchPx,
  duty: RANGES.duty,
  tilt: RANGES.tilt,
  rounding: RANGES.rounding,
  roughnessPx: RANGES.roughnessPx,
  roughnessCellPx: RANGES.roughnessCellPx,
  sidewallPx: RANGES.sidewallPx,
  stepPx: RANGES.stepPx,
  groundTone: RANGES.groundTone,
  toneStep: RANGES.toneStep,
  defectSize: RANGES.defectSize,
};
