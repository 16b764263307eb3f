import type { Classifier } from '../classifier';
import { HEAD_OPTIONS, POOLED, headOn } from '../kit/head-classifier';
import type { HeadOptions } from '../kit/head-classifier';

export type MlpOptions = HeadOptions & { readonly units: number; readonly dropout: number };

/** One hidden layer on a frozen backbone's vector of the whole image. */
export const mlp: Classifier<MlpOptions> = {
  title: 'MLP head',
  source: {
    authors: 'Rumelhart, D. E., Hinton, G. E., Williams, R. J.',
    title: 'Learning representations by back-propagating errors',
    where: 'Nature, 1986; on frozen features it is common practice',
    reference: 'D to 256 to the classes, ReLU, dropout 0.3; otherwise as the linear head.',
  },
  about: {
    summary: 'A hidden layer between a frozen backbone and the classes.',
    assumes: 'Classes that no plane parts in the features, and tens of images of each.',
    fails: 'With few images: it learns them by heart. Compare it with the linear head before keeping it.',
    cost: 'As the linear head; the training takes a few seconds.',
  },
  options: {
    ...HEAD_OPTIONS,
    units: {
      kind: 'number',
      default: 256,
      min: 8,
      max: 2048,
      integer: true,
      unit: '',
      label: 'Hidden units',
      help: 'Width of the layer between features and classes.',
    },
    dropout: {
      kind: 'number',
      default: 0.3,
      min: 0,
      max: 0.9,
      integer: false,
      unit: '',
      label: 'Dropout',
      help: 'Share of hidden units that each step leaves out.',
    },
  },
  ...headOn<MlpOptions>(POOLED, ({ units, dropout }) => ({ units, dropout })),
};
