import type { Figures } from './judge';
import type { Plan } from './plan';
import type { Best } from './progress';

/** What the card states beside the plan. */
export interface CardFacts {
  readonly plan: Plan;
  readonly best: Best;
  readonly parameters: number;
  /** Images of each set that was looked at. */
  readonly heldOut: number;
  /** By the name of what they were measured on. */
  readonly figures: Readonly<Record<string, Figures>>;
}

const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
const thousands = (count: number): string => count.toLocaleString('en');

/** What a reader must know about the shipped encoder, as Markdown. */
export function modelCard({ plan, best, parameters, heldOut, figures }: CardFacts): string {
  const phases = plan.phases.map(
    ({ side, images, batch, steps, rate }) =>
      `- ${thousands(steps)} steps of ${batch} out of ${thousands(images)} images of ${side} px at a rate of ${rate}`,
  );
  const header = [
    'procedural images',
    'image AUROC',
    'by generic prompts',
    'pixel AUROC',
    'seven-class accuracy',
  ];
  const rows = Object.entries(figures).map(([name, own]) =>
    row([
      name,
      ...[own.imageAuroc, own.genericAuroc, own.pixelAuroc, own.accuracy].map((value) => value.toFixed(3)),
    ]),
  );
  const { side } = plan.phases[best.phase];
  return `# SEM encoder

A small CLIP for scanning-electron-microscope images of integrated circuits: it says of an image and of each of its
patches how well they match a text. ${thousands(parameters)} parameters, fp16, open_clip's names.

**Trained on synthetic images; for other material drop in a published CLIP.**

## What it is
Frozen EfficientNet-Lite0 features of strides 4, 8 and 16 on the grid of stride 16 (320 channels; their standardisation
is part of \`visual.conv1\` and the position embedding), a 1x1 convolution to width 192, four transformer blocks of three
heads; a text transformer of three layers over the tokens that the built-in prompts use (\`token_ids\`: CLIP's id of each
row). \`text_vectors\`: the seven classes in alphabetical order, good in general, bad in general; each the normalised mean
of its normalised prompts. \`familiar.*\`: mean and whitening of the first level's patches over synthetic images. An image
is taken for unlike them when its length is above 1, as one in twenty held-out synthetic images of the usual ranges is;
this statistic and its limit, and nothing else here, were settled with the benchmark's sets in view.

## Data
Procedural images of \`src/sample\` alone: seven classes (a quarter of the images good), exact masks, a tenth with a data
bar; by turns from the usual ranges, from wider ones drawn at sides from 0.4 to 1.4 of the encoder's and brought to it,
and from close by: few wide features and small defects. The last two were added after sheets of the benchmark's sets had
been looked at, which show wide features and enlarged pixels. No picture taken by a microscope, and none of those sets,
was trained on; weights were not chosen by any. Figures on those sets stand in \`docs/bench.md\`.

## Recipe
\`npm run train:clip\`, seed ${plan.seed}:

${phases.join('\n')}

AdamW (betas 0.9 and 0.98, weight decay 0.05 on matrices), gradients clipped at 1, warm-up and half a cosine. Losses:
image and captions of its class, against all captions of other classes; patches of every level, on the plain and the
V-V path, against the class texts by the mask; both for good and bad in general too. Weights are a running mean (decay
${plan.decay}); ${percent(plan.dropout)} of the stem's channels are silent in an image, and noise of ${plan.noise} is added. Kept is step
${thousands(best.step)} of the phase at ${side} px, the best on held-out procedural images, half of them seen by an instrument outside the
training ranges.

## Figures
Text alone, no support, ${heldOut} held-out images of 240 px each. Image score: the class token's cosine with the mean of the
six defect texts less that with the good one; map: the same of the last level's patches.

${[row(header), row(header.map(() => '---')), ...rows].join('\n')}

## Limits
It knows what the generator draws: layouts of lines, contacts, cells, pads and routing, and six kinds of defects on
them. On other material (surfaces without a pattern, colour, cross-sections, optical images) its scores mean little; a
detector fitted on good images, or a published CLIP, is the better choice there. The words that it knows are those of
the built-in prompts.
`;
}

const percent = (share: number): string => `${Math.round(100 * share)} %`;
