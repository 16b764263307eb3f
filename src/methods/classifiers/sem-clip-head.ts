import type { Classifier } from '../classifier';
import { SEM_CLIP_SOURCE } from '../clip/about';
import { headInputs } from '../clip/head';
import { HEAD_OPTIONS, headOn } from '../kit/head-classifier';
import type { HeadOptions } from '../kit/head-classifier';

const LEVELS = { multiLayer: true, headInputs: 'levels' } as const;

/** SEM-CLIP's class head: a linear layer on the raw class tokens of four levels. */
export const semClipHead: Classifier<HeadOptions> = {
  title: 'SEM-CLIP head',
  source: {
    ...SEM_CLIP_SOURCE,
    reference:
      'The head of equations 20 to 22 alone: similarity with texts (equations 18, 19, 23) needs a support set and its words and is found under Teach. Training is not given in the paper: standardised inputs, cross entropy, AdamW.',
  },
  about: {
    summary: 'A linear layer on what a CLIP says of the image at four depths.',
    assumes:
      'One to ten images of each class, and an encoder that knows such images: the built-in SEM encoder or a CLIP.',
    fails:
      'On images unlike those that the encoder was trained on, and on defects that are small in their frame.',
    cost: 'The encoder once for each image and each way of turning it over; the training takes a few seconds.',
  },
  options: HEAD_OPTIONS,
  ...headOn({
    taps: ['tokens1', 'tokens2', 'tokens3', 'tokens4'],
    build: (inputs) => headInputs(inputs, LEVELS),
  }),
};
