import type { Classifier } from '../classifier';
import { HEAD_OPTIONS, POOLED, headOn } from '../kit/head-classifier';
import type { HeadOptions } from '../kit/head-classifier';

/** Multinomial logistic regression on a frozen backbone's vector of the whole image. */
export const linear: Classifier<HeadOptions> = {
  title: 'Linear head',
  source: {
    authors: 'Cox, D. R.',
    title: 'The Regression Analysis of Binary Sequences',
    where:
      'Journal of the Royal Statistical Society B, 1958; the multinomial form on frozen features is common practice',
    reference:
      'Features standardised by the training images; cross entropy, AdamW at 0.001 with a decay of 0.0001, all images in each step.',
  },
  about: {
    summary:
      'One linear layer on what a frozen backbone says of the whole image: fast, and steady with tens of images a class.',
    assumes: 'The backbone tells the classes apart already; each class has at least a few images.',
    fails:
      'With a handful of images it may fall behind the nearest mean. On defects that are small in their frame: the vector is of the whole image. Show it the crop instead.',
    cost: 'The backbone once for each image and each way of turning it over; the training takes about a second.',
  },
  options: HEAD_OPTIONS,
  ...headOn(POOLED),
};
