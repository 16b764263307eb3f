/** Procedural SEM images: one labelled picture from one generator. */
import { assert } from '../base/errors';
import type { Rng } from '../base/rng';
import type { ClassName, DefectName } from './classes';
import { burnBar, drawBar } from './data-bar';
import { withDefect } from './defects';
import {
  drawDesign,
  drawRecipe,
  drawView,
  exposeDefect,
  glareOf,
  openField,
  photograph,
} from './field-of-view';
import type { Exposure, Field } from './field-of-view';
import { LAYOUT_NAMES, suits } from './layout';
import type { LayoutName } from './layout';
import { PRODUCTS, RANGES } from './ranges';
import type { ProductName, Ranges } from './ranges';

export interface GenerateOptions {
  readonly width: number;
  readonly height: number;
  readonly className: ClassName;
  /** Wanted layout; another one is taken where the class has no meaning on it. Default: any. */
  readonly layout?: LayoutName;
  readonly ranges?: Ranges;
  /** Narrows layouts and ranges to those of one product. */
  readonly product?: ProductName;
  /** Burns an instrument's line of text into the picture. */
  readonly dataBar?: boolean;
}

/** Words on the exposure, as prompt templates use them. */
export type Tone = 'dark' | 'bright' | 'blurry' | 'noisy' | 'low contrast' | 'high contrast' | 'uneven';

export interface Caption {
  readonly layout: LayoutName;
  readonly className: ClassName;
  /** Which kind within the class, such as `fish scales` of scratch; undefined for good. */
  readonly variety: string | undefined;
  readonly tones: readonly Tone[];
}

export interface GeneratedImage {
  readonly width: number;
  readonly height: number;
  /** @shape [height·width] */
  readonly pixels: Uint8Array;
  /** 1 on the defect's footprint, 0 elsewhere; all 0 for good. @shape [height·width] */
  readonly mask: Uint8Array;
  readonly className: ClassName;
  readonly layout: LayoutName;
  readonly caption: Caption;
}

/** A footprint smaller than this, in pixels, or larger than this share of the image is drawn anew. */
export const MASK_BOUNDS = { smallestPx: 12, largestShare: 0.3 } as const;

/** The share of a picture that may be black or white before noise: from a blot nothing can be learnt. */
const LARGEST_GLARE = 0.06;

/** Least contrast of a defect, in grey values: what nobody could see teaches nothing. */
const VISIBLE: Readonly<Record<DefectName, number>> = {
  bridge: 18,
  'copper residue': 16,
  hole: 20,
  // Large and soft: the eye averages over it.
  infilm: 11,
  particle: 20,
  scratch: 14,
};

/**
 * Least ratio of contrast times root of area to noise. Rose found 5 for a disc that is just seen on an even ground;
 * a pattern asks for more.
 * @source Rose, "The sensitivity performance of the human eye on an absolute scale", J. Opt. Soc. Am. 38, 1948
 */
const ROSE = 14;

/**
 * Draws one image of a class. The given generator advances by exactly one number whatever is drawn, and design, defect
 * and noise come from streams of their own: with the same seed, another class shows the same place.
 * @param rng the image depends on its position and on nothing else
 */
export function generateImage(rng: Rng, options: GenerateOptions): GeneratedImage {
  const { width, height, className } = options;
  const own = rng.fork('image');
  const noise = own.fork('noise');
  const bar = drawBar(own.fork('bar'), width, height);
  const barPx = options.dataBar ? bar.heightPx : 0;
  const { field, signal, mask, variety } = drawPicture(own, { ...options, height: height - barPx });
  const start = bar.atTop ? barPx * width : 0;
  const image = {
    width,
    height,
    pixels: new Uint8Array(width * height),
    mask: new Uint8Array(width * height),
    className,
    layout: field.recipe.layout,
    caption: { layout: field.recipe.layout, className, variety, tones: tonesOf(field) },
  };
  image.pixels.set(photograph(field, signal, noise), start);
  image.mask.set(mask, start);
  if (options.dataBar) burnBar(image.pixels, width, bar);
  return image;
}

/** A field and what is on it, before noise. */
interface Picture {
  readonly field: Field;
  readonly signal: Float32Array;
  readonly mask: Uint8Array;
  readonly variety: string | undefined;
}

/** Places that offer the defect no room, and defects that don't show, are drawn anew: first the defect, then the place. */
function drawPicture(own: Rng, options: GenerateOptions): Picture {
  const { className } = options;
  for (let attempt = 0; attempt < 40; attempt++) {
    const field = drawField(own, options, attempt >= 6);
    const { signal, levels, recipe } = field;
    // A design that drowns in noise, or whose view happens to be empty, is no picture of that layout.
    if (recipe.layout !== 'blanket' && levels.pattern < 0.6 * levels.noise) continue;
    if (glareOf(field, signal) > LARGEST_GLARE) continue;
    if (className === 'good')
      return { field, signal, mask: new Uint8Array(signal.length), variety: undefined };
    for (let trial = 0; trial < 4; trial++) {
      const defect = withDefect(own.fork('defect'), field.scene, className, recipe.defectSize);
      if (!defect) break;
      const exposure = exposeDefect(field, defect);
      if (isVisible(field, className, exposure))
        return { field, signal: exposure.signal, mask: defect.mask, variety: defect.variety };
    }
  }
  assert(false, `no place for ${className} on ${options.width} × ${options.height} pixels in 40 attempts`);
}

/** @param elsewhere the wanted layout had no place for the defect: any layout will do */
function drawField(own: Rng, options: GenerateOptions, elsewhere: boolean): Field {
  const { width, height, className, product } = options;
  const ranges = { ...(options.ranges ?? RANGES), ...(product && PRODUCTS[product].ranges) };
  const layouts: readonly LayoutName[] = product ? PRODUCTS[product].layouts : LAYOUT_NAMES;
  const choice = own.fork('layout');
  const wanted = options.layout ?? choice.pick(layouts);
  const layout =
    suits(wanted, className) && !(elsewhere && options.layout)
      ? wanted
      : choice.pick(layouts.filter((name) => suits(name, className)));
  const recipe = drawRecipe(own.fork('recipe'), ranges, layout);
  const view = drawView(own.fork('view'), recipe, width, height);
  const drawing = drawDesign(own.fork('design'), recipe, view);
  const buried = recipe.process.buriedTone ? drawDesign(own.fork('buried'), recipe, view) : undefined;
  return openField(own.fork('field'), recipe, view, drawing, buried);
}

/** Whether a defect is neither too small nor too large, doesn't blind the detector, and a person would find it. */
export function isVisible(field: Field, className: DefectName, exposure: Exposure): boolean {
  const { signal, contrast, areaPx } = exposure;
  return (
    areaPx >= MASK_BOUNDS.smallestPx &&
    areaPx <= MASK_BOUNDS.largestShare * signal.length &&
    contrast >= VISIBLE[className] &&
    contrast * Math.sqrt(areaPx) >= ROSE * field.levels.noise &&
    glareOf(field, signal) <= LARGEST_GLARE
  );
}

function tonesOf({ recipe: { beam, mean, deviation }, levels }: Field): Tone[] {
  const tones: Tone[] = [];
  if (mean < 95) tones.push('dark');
  if (mean > 130) tones.push('bright');
  if (beam.spotPx > 1.1) tones.push('blurry');
  if (levels.noise > 12) tones.push('noisy');
  if (deviation < 29) tones.push('low contrast');
  if (deviation > 43) tones.push('high contrast');
  if (beam.charging > 0.025) tones.push('uneven');
  return tones;
}
