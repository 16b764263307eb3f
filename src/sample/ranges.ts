/** What the built-in images vary over, as plain data: everything a picture depends on apart from its layout and defect. */
import type { LayoutName } from './layout';

/** Lowest and highest value; drawn evenly unless said otherwise. */
export type Range = readonly [low: number, high: number];

export interface Ranges {
  // Design
  /** Line plus space of the smallest features, px; small values are drawn more often. */
  readonly pitchPx: Range;
  /** The share of the pitch that a feature fills. */
  readonly duty: Range;
  /** Tangent of half the angle between the design and the image's rows. */
  readonly tilt: Range;

  // Lithography and etching
  /** Blur of the printed outline as a share of the smallest half width: rounds corners, pulls line ends back. */
  readonly rounding: Range;
  /** One sigma of the edge's position, px (line-edge roughness). */
  readonly roughnessPx: Range;
  /** Correlation length of the roughness, px. */
  readonly roughnessCellPx: Range;
  /** Half the width of a sidewall seen from above, px. */
  readonly sidewallPx: Range;
  /** Height of the step between feature and ground, px. */
  readonly stepPx: Range;

  // Materials, as electron yields between 0 and 1
  readonly groundTone: Range;
  /** Difference between feature and ground; its sign is drawn apart. */
  readonly toneStep: Range;
  /** One sigma of the film's own texture, in yield. */
  readonly grain: Range;
  readonly grainCellPx: Range;

  // Beam and detector
  /** Extra yield of a vertical wall. */
  readonly edge: Range;
  /** How much brighter walls are that face the detector. */
  readonly asymmetry: Range;
  /** How much what lies lower than its surroundings is darkened, and what stands out brightened. */
  readonly shadow: Range;
  readonly shadowReachPx: Range;
  /** One sigma of the beam's spot, px. */
  readonly spotPx: Range;
  /** Spot down the columns over spot along the rows. */
  readonly astigmatism: Range;
  /** Charging that the scan drags behind bright features. */
  readonly trail: Range;
  /** One sigma of slow brightness changes over the field, in yield. */
  readonly charging: Range;
  /** Loss of brightness from the middle to the corners. */
  readonly vignette: Range;
  /** One sigma of the row-to-row displacement, px. */
  readonly vibrationPx: Range;
  /** Shot noise: one sigma at a yield of 1; small values are drawn more often. */
  readonly noise: Range;
  /** How much of a pixel's noise the amplifier carries into the next. */
  readonly noiseLag: Range;
  /** One sigma of the brightness of whole rows, in yield. */
  readonly rowNoise: Range;

  // Brightness and contrast, in grey values of 255
  readonly mean: Range;
  readonly deviation: Range;

  /** Scale of all defects. */
  readonly defectSize: Range;
}

/** The ranges that training draws from. */
export const RANGES: Ranges = {
  pitchPx: [9, 54],
  duty: [0.32, 0.68],
  tilt: [-0.02, 0.02],
  rounding: [0.25, 0.75],
  roughnessPx: [0.05, 0.55],
  roughnessCellPx: [4, 12],
  sidewallPx: [0.8, 2.4],
  stepPx: [2, 11],
  groundTone: [0.2, 0.55],
  toneStep: [0.05, 0.38],
  grain: [0, 0.03],
  grainCellPx: [1.6, 5],
  edge: [0.08, 0.8],
  asymmetry: [0, 0.22],
  shadow: [0.1, 0.9],
  shadowReachPx: [3, 9],
  spotPx: [0.45, 1.3],
  astigmatism: [0.8, 1.25],
  trail: [0, 0.12],
  charging: [0, 0.05],
  vignette: [0, 0.12],
  vibrationPx: [0, 0.25],
  noise: [0.015, 0.15],
  noiseLag: [0, 0.6],
  rowNoise: [0, 0.012],
  mean: [75, 150],
  deviation: [24, 48],
  defectSize: [0.7, 1.7],
};

/** Where no training image has been: every interval lies outside the one of `RANGES`. For tests of generality. */
export const FAR_RANGES: Ranges = {
  pitchPx: [56, 72],
  duty: [0.72, 0.8],
  tilt: [0.08, 0.35],
  rounding: [0.8, 1.1],
  roughnessPx: [0.7, 1.3],
  roughnessCellPx: [14, 24],
  sidewallPx: [2.6, 4],
  stepPx: [12, 18],
  groundTone: [0.6, 0.75],
  toneStep: [0.4, 0.5],
  grain: [0.035, 0.06],
  grainCellPx: [6, 9],
  edge: [0.9, 1.3],
  asymmetry: [0.26, 0.45],
  shadow: [1, 1.4],
  shadowReachPx: [10, 14],
  spotPx: [1.4, 2],
  astigmatism: [1.35, 1.7],
  trail: [0.15, 0.25],
  charging: [0.06, 0.1],
  vignette: [0.16, 0.3],
  vibrationPx: [0.35, 0.7],
  noise: [0.16, 0.24],
  noiseLag: [0.65, 0.85],
  rowNoise: [0.015, 0.03],
  mean: [155, 175],
  deviation: [16, 22],
  defectSize: [1.9, 2.6],
};

export interface Product {
  readonly layouts: readonly LayoutName[];
  readonly ranges: Partial<Ranges>;
}

/** Two products whose design rules nobody would confuse: with the seven classes they make fourteen. */
export const PRODUCTS = {
  /** Wide bright copper routing on dark oxide. */
  logic: {
    layouts: ['routing', 'cells', 'serpentine'],
    ranges: { pitchPx: [17, 23], duty: [0.45, 0.6], groundTone: [0.2, 0.28], toneStep: [0.22, 0.32] },
  },
  /** Dense fields of lines and contacts, finer by half. */
  memory: {
    layouts: ['lines', 'contacts', 'comb'],
    ranges: {
      pitchPx: [9, 11.5],
      duty: [0.36, 0.46],
      groundTone: [0.45, 0.55],
      toneStep: [0.2, 0.3],
      spotPx: [0.45, 0.8],
    },
  },
} as const satisfies Record<string, Product>;

export type ProductName = keyof typeof PRODUCTS;
