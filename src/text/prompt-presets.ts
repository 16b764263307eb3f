import type { ClassName } from '../sample/classes';
import type { PromptFrame, PromptSet } from './prompts';

/** What an image of the field is called, and how pictures of it differ. @source methods.md 21.1, 21.3 */
const FRAME: PromptFrame = {
  objects: ['SEM image', 'semiconductor SEM image', 'wafer surface'],
  templates: [
    'a photo of a {s}.',
    'a photo of the {s}.',
    'a dark photo of the {s}.',
    'a dark photo of a {s}.',
    'a bright photo of the {s}.',
    'a bright photo of a {s}.',
    'a blurry photo of the {s}.',
    'a blurry photo of a {s}.',
    'an out of focus photo of the {s}.',
    'a noisy photo of the {s}.',
    'a grainy photo of a {s}.',
    'a low contrast photo of the {s}.',
    'a high contrast photo of the {s}.',
    'an overexposed photo of the {s}.',
    'an underexposed photo of the {s}.',
    'a photo of the {s} with uneven brightness.',
    'a black and white photo of the {s}.',
    'an electron microscope photo of the {s}.',
    'a close-up photo of the {s}.',
    'a magnified photo of a {s}.',
    'a cropped photo of the {s}.',
    'a low resolution photo of the {s}.',
    'a photo of the {s} for visual inspection.',
    'a photo of the {s} for anomaly detection.',
  ],
};

/**
 * What scratches, particles and the others look like at the front end (transistors, trenches, films) and at the back
 * end (lines, vias, dielectrics). CLIP understands negation badly, so at most two good ones are negated; one class's
 * name stands in another's phrases only where the contrast is meant.
 * @source methods.md 21.2
 */
const STATES: Readonly<Record<ClassName, readonly string[]>> = {
  bridge: [
    '{o} with accidental connectivity',
    '{o} with a bridging defect',
    '{o} with a metal bridge between two lines',
    '{o} with two neighbouring lines shorted together',
    '{o} with extra metal joining adjacent wires',
    '{o} with merged conductor lines',
    '{o} with a missing gap between parallel lines',
    '{o} with an unwanted link across a dielectric space',
    '{o} with line ends touching each other',
    '{o} with merged polysilicon gates',
    '{o} with unopened resist between two features',
    '{o} with a filled trench between active areas',
  ],
  'copper residue': [
    '{o} with copper residue',
    '{o} with leftover copper after polishing',
    '{o} with bright metal patches on the dielectric',
    '{o} with an irregular bright film over the lines',
    '{o} with copper left between the lines',
    '{o} with residual copper islands',
    '{o} with bright smeared metal stains',
    '{o} with a bright cloudy area hiding the pattern',
    '{o} with unpolished metal',
    '{o} with flaky bright metal remains',
    '{o} contaminated by metal residue',
    '{o} with a shiny irregular stain',
  ],
  good: [
    '{o}',
    'perfect {o}',
    'flawless {o}',
    '{o} without defect',
    'clean {o}',
    'unblemished {o}',
    '{o} with a regular repeated pattern',
    '{o} with evenly spaced intact metal lines',
    '{o} with straight parallel interconnect lines',
    '{o} with smooth dielectric between the lines',
    '{o} with a smooth uniform film',
    '{o} with well-formed gates and contact openings',
  ],
  hole: [
    '{o} with a hole',
    '{o} with a dark round pit',
    '{o} with a small black cavity',
    '{o} with several dark pits',
    '{o} with a crater',
    '{o} with a void in a metal line',
    '{o} with missing copper in a line',
    '{o} with a hollow spot in the interconnect',
    '{o} with a pinhole in the film',
    '{o} with an isolated circular depression',
    '{o} with a pit in the silicon surface',
    '{o} with a punched-through spot',
  ],
  infilm: [
    '{o} with an infilm defect',
    '{o} with a particle buried under the film',
    '{o} with a bump covered by the film',
    '{o} with an embedded foreign grain',
    '{o} with a rounded protrusion with soft edges',
    '{o} with a swollen spot in the layer',
    '{o} with a blister in the deposited film',
    '{o} with a buried speck in the oxide layer',
    '{o} with a smooth nodule beneath the surface',
    '{o} with a dome-shaped lump in the dielectric',
    '{o} with lines bent over a buried particle',
    '{o} with a halo around an embedded particle',
  ],
  particle: [
    '{o} exhibiting particulate matter',
    '{o} with a particle on the surface',
    '{o} with a bright foreign particle',
    '{o} with dust on top of the pattern',
    '{o} with a large irregular flake',
    '{o} with scattered small particles',
    '{o} with an angular sharp-edged chip',
    '{o} with a round ball on the surface',
    '{o} with a cluster of grains',
    '{o} with a debris fragment lying across the lines',
    '{o} with a loose contaminant casting a shadow',
    '{o} with a fallen-on contaminant on the bare film',
  ],
  scratch: [
    '{o} with a linear scratch',
    '{o} with a scraped surface',
    '{o} with a fine long straight scratch',
    '{o} with a thin dark groove crossing the lines',
    '{o} with parallel polishing scratches',
    '{o} with a long mark cutting through the pattern',
    '{o} with a curved arc scratch',
    '{o} image with fish scale-shaped scratches',
    '{o} with a row of shallow oval depressions',
    '{o} with a chain of elliptical dents',
    '{o} with overlapping scale-like marks',
    '{o} with a continuous trail of crescent marks',
  ],
};

/** Twelve states of each of the seven classes: 6,048 prompts. */
export const DETAILED_PROMPTS: PromptSet = {
  ...FRAME,
  classes: Object.entries(STATES).map(([name, states]) => ({ name, states })),
};

/** Good or not, for any object: what the detailed states are compared with. @source methods.md 21.4 */
export const GENERIC_PROMPTS: PromptSet = {
  ...FRAME,
  classes: [
    {
      name: 'good',
      states: [
        '{o}',
        'flawless {o}',
        'perfect {o}',
        'unblemished {o}',
        '{o} without flaw',
        '{o} without defect',
        '{o} without damage',
      ],
    },
    {
      name: 'defect',
      states: [
        'damaged {o}',
        '{o} with flaw',
        '{o} with defect',
        '{o} with damage',
        'abnormal {o}',
        '{o} with an anomaly',
      ],
    },
  ],
};
