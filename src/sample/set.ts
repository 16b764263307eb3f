/** The one-click sample: a short monitor of one wafer at many places, in the MVTec layout. */
import { assert } from '../base/errors';
import { Rng } from '../base/rng';
import { withDefect } from './defects';
import type { Drawing } from './drawing';
import { drawRecipe, drawView, exposeDefect, openField, photograph } from './field-of-view';
import type { Exposure, Field, Recipe } from './field-of-view';
import { isVisible } from './generate';
import { drawLayout } from './layout';
import { RANGES } from './ranges';
import type { Ranges } from './ranges';

export interface SampleImage {
  /** Such as `train/good/000.png`, `test/particle/003.png` or `ground_truth/particle/003_mask.png`. */
  readonly path: string;
  readonly width: number;
  readonly height: number;
  /** Grey values; of a mask 0 and 255. @shape [height·width] */
  readonly pixels: Uint8Array;
}

const SIDE_PX = 160;
const COUNTS = { train: 16, testGood: 6, perDefect: 6 } as const;
const DEFECTS = ['bridge', 'particle'] as const;
type SampleDefect = (typeof DEFECTS)[number];

/** The piece of the die that all images look at, so large that few of them overlap much. */
const DIE_PX = 520;

/** A well-kept line and a well-adjusted microscope: what varies is the place. */
const SAMPLE_RANGES: Ranges = {
  ...RANGES,
  pitchPx: [17, 19],
  duty: [0.47, 0.53],
  tilt: [-0.004, 0.004],
  roughnessPx: [0.2, 0.3],
  roughnessCellPx: [5, 8],
  sidewallPx: [1.1, 1.5],
  stepPx: [5, 8],
  groundTone: [0.2, 0.26],
  toneStep: [0.2, 0.26],
  grain: [0.006, 0.014],
  edge: [0.35, 0.5],
  asymmetry: [0.02, 0.08],
  shadow: [0.3, 0.6],
  spotPx: [0.6, 0.8],
  astigmatism: [0.95, 1.05],
  trail: [0, 0.03],
  charging: [0, 0.012],
  vignette: [0, 0.03],
  vibrationPx: [0, 0.08],
  noise: [0.05, 0.06],
  rowNoise: [0, 0.003],
  mean: [105, 115],
  deviation: [38, 44],
  defectSize: [0.8, 1.2],
};

/** What nobody overlooks: contrast in grey values and least area. Anything less that still shows is subtle. */
const CLEAR = {
  bridge: { contrast: 32, areaPx: 50 },
  particle: { contrast: 32, areaPx: 90 },
} as const satisfies Record<SampleDefect, object>;

/**
 * Sixteen good images to fit on, and six good, six bridges and six particles to inspect, with masks: 160 × 160 pixels of
 * one interdigitated comb (the structure fabs monitor shorts with), a third of the defects subtle.
 * @param seed another seed is another wafer
 */
export function sampleSet(seed: number): SampleImage[] {
  const lot = openLot(new Rng(seed, 'sample'));
  const images: SampleImage[] = [];
  const add = (path: string, pixels: Uint8Array): void => {
    images.push({ path, width: SIDE_PX, height: SIDE_PX, pixels });
  };
  for (let k = 0; k < COUNTS.train; k++) add(`train/good/${numbered(k)}.png`, good(lot));
  for (let k = 0; k < COUNTS.testGood; k++) add(`test/good/${numbered(k)}.png`, good(lot));
  for (const className of DEFECTS)
    for (let k = 0; k < COUNTS.perDefect; k++) {
      const { pixels, mask } = defective(lot, className, k % 3 === 2);
      add(`test/${className}/${numbered(k)}.png`, pixels);
      add(
        `ground_truth/${className}/${numbered(k)}_mask.png`,
        mask.map((inside) => 255 * inside),
      );
    }
  return images;
}

const numbered = (k: number): string => String(k).padStart(3, '0');

/** One wafer under one microscope. */
interface Lot {
  readonly rng: Rng;
  readonly recipe: Recipe;
  readonly die: Drawing;
}

function openLot(rng: Rng): Lot {
  // Raised copper, never trenches: a bridge then is what everyone imagines.
  const recipe = drawRecipe(rng.fork('recipe'), SAMPLE_RANGES, 'comb', 0);
  const area = { x0: 0, y0: 0, x1: DIE_PX, y1: DIE_PX };
  return { rng, recipe, die: drawLayout(rng.fork('die'), recipe.layout, area, recipe.rules) };
}

/** The next place on the die, after the small drifts of brightness and focus between two pictures. */
function nextField({ rng, recipe, die }: Lot): Field {
  const drifted: Recipe = {
    ...recipe,
    mean: recipe.mean + rng.between(-3, 3),
    deviation: recipe.deviation * rng.between(0.97, 1.03),
    beam: { ...recipe.beam, spotPx: recipe.beam.spotPx * rng.between(0.95, 1.08) },
  };
  const place = (): number => rng.between(0.02 * DIE_PX, 0.98 * DIE_PX - SIDE_PX);
  const view = drawView(rng.fork('view'), drifted, SIDE_PX, SIDE_PX, place(), place());
  return openField(rng.fork('field'), drifted, view, die);
}

function good(lot: Lot): Uint8Array {
  const field = nextField(lot);
  return photograph(field, field.signal, lot.rng.fork('noise'));
}

function defective(
  lot: Lot,
  className: SampleDefect,
  subtle: boolean,
): { pixels: Uint8Array; mask: Uint8Array } {
  for (let attempt = 0; attempt < 200; attempt++) {
    const field = nextField(lot);
    const size = field.recipe.defectSize * lot.rng.between(0.8, 1.2) * (subtle ? 0.6 : 1);
    const defect = withDefect(lot.rng.fork('defect'), field.scene, className, size);
    if (!defect) continue;
    const exposure = exposeDefect(field, defect);
    if (!isVisible(field, className, exposure) || isClear(className, exposure) === subtle) continue;
    return { pixels: photograph(field, exposure.signal, lot.rng.fork('noise')), mask: defect.mask };
  }
  assert(false, `no ${subtle ? 'subtle' : 'clear'} ${className} in 200 attempts`);
}

const isClear = (className: SampleDefect, { contrast, areaPx }: Exposure): boolean =>
  contrast >= CLEAR[className].contrast && areaPx >= CLEAR[className].areaPx;
