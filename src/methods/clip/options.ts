import type { Level } from '../../nn/backbones/backbone';
import type { FlagSpec, NumberSpec, OptionSpecs } from '../options';
import { wordsOption } from './text-pair';
import type { Words } from './text-pair';
import { batchOption, blurOption, rateOption } from '../kit/training-options';

export type SemClipOptions = {
  readonly start: string;
  readonly steps: number;
  readonly batch: number;
  readonly learningRate: number;
  readonly flips: boolean;
  readonly lossResolution: string;
  readonly focalCut: boolean;
  readonly headSteps: number;
  readonly headInputs: string;
  readonly headTemperature: number;
  readonly headWeight: number;
  readonly patchReduce: string;
  readonly similarityTemperature: number;
  readonly vWeights: string;
  readonly vTemperature: number;
  readonly vSoftmax: boolean;
  readonly textMap: number;
  readonly textScore: number;
  readonly textTrust: boolean;
  readonly blurSigma: number;
  readonly words: Words;
  readonly transformation: boolean;
  readonly plainPath: boolean;
  readonly valuePath: boolean;
  readonly multiLayer: boolean;
  readonly textSimilarity: boolean;
};

/** Levels that maps and similarities are made of. */
export const mapLevels = ({ multiLayer }: Pick<SemClipOptions, 'multiLayer'>): readonly Level[] =>
  multiLayer ? [1, 2, 3, 4] : [4];

/** Options that say what the head sees. */
export type HeadLevels = Pick<SemClipOptions, 'multiLayer' | 'headInputs'>;

/** Levels whose class tokens the head sees. */
export const headLevels = ({ multiLayer, headInputs }: HeadLevels): readonly Level[] =>
  multiLayer && headInputs === 'levels' ? [1, 2, 3, 4] : [4];

const flag = (label: string, help: string): FlagSpec => ({ kind: 'flag', default: true, label, help });

const number = (
  label: string,
  help: string,
  value: number,
  max: number,
  rest: Partial<NumberSpec> = {},
): NumberSpec => ({
  kind: 'number',
  default: value,
  min: 0,
  max,
  integer: false,
  unit: '',
  label,
  help,
  ...rest,
});

export const SEM_CLIP_OPTIONS: OptionSpecs<SemClipOptions> = {
  start: {
    kind: 'choice',
    default: 'projection',
    choices: [
      { value: 'projection', label: "at the encoder's own projection" },
      { value: 'random', label: 'at random, as in the paper' },
    ],
    label: 'Transformation layers start',
    help: 'At the projection, training begins with what the encoder knows; at random it forgets that.',
  },
  steps: number(
    'Steps',
    'Of the transformation layers. 0: 400, 800 or 1,000, for at most 2, 5 or more images of a class.',
    0,
    100_000,
    { integer: true, unit: 'steps' },
  ),
  batch: {
    ...batchOption(8),
    help: 'Images in one step. More is steadier and takes more time and memory a step.',
  },
  learningRate: rateOption(1e-3),
  flips: flag(
    'Mirrored images',
    'Trains on every image four times: as it is, left to right, upside down, both.',
  ),
  lossResolution: {
    kind: 'choice',
    default: 'reduced',
    choices: [
      { value: 'reduced', label: 'a quarter of the input side' },
      { value: 'full', label: 'the input side, as in the paper' },
    ],
    label: 'Loss resolution',
    help: 'Side at which maps are held against masks in training. The full one costs sixteen times as many pixels.',
  },
  focalCut: flag(
    'Cut focal loss',
    'Pixels that are wrong beyond doubt are given up, as in CLIP-AD. Off, they pull as well.',
  ),
  headSteps: number('Steps of the class head', 'Length of the training of the class head.', 300, 100_000, {
    min: 1,
    integer: true,
    unit: 'steps',
  }),
  headInputs: {
    kind: 'choice',
    default: 'levels',
    choices: [
      { value: 'levels', label: 'class tokens of four levels' },
      { value: 'last', label: 'class token of the last level' },
    ],
    label: 'Class head sees',
    help: 'The class tokens that classes are learnt from.',
  },
  headTemperature: number(
    'Temperature of the class head',
    'Divides its logits: taught on few images it is surer than it is right. 1: the paper.',
    3,
    20,
    { min: 1 },
  ),
  headWeight: number(
    'Weight of the class head',
    'Its share in a class where weights are fixed; the rest is similarity with texts.',
    0.8,
    1,
  ),
  patchReduce: {
    kind: 'choice',
    default: 'max',
    choices: [
      { value: 'max', label: 'the most similar patch' },
      { value: 'mean', label: 'the mean of all patches' },
      { value: 'top5', label: 'the mean of the five most similar' },
    ],
    label: 'Similarity of an image',
    help: "Where weights are fixed: how the patches' similarities with the text of a class become one of the image.",
  },
  similarityTemperature: number(
    'Temperature of similarity',
    'Factor of similarities before they become shares of classes; 1 leaves them nearly equal.',
    1,
    200,
  ),
  vWeights: {
    kind: 'choice',
    default: 'none',
    choices: [
      { value: 'none', label: 'none' },
      { value: 'clipad', label: "CLIP-AD's" },
      { value: 'surgery', label: "CLIP Surgery's" },
    ],
    label: 'Weights of the V-V map',
    help: 'Weighs normal and abnormal by how the whole image resembles them before their mean is taken away.',
  },
  vTemperature: number('Temperature of the V-V map', 'Factor of similarities before their softmax.', 1, 200),
  vSoftmax: flag('Softmax of the V-V map', 'Off, the similarities themselves are the map, as in CLIP-AD.'),
  textMap: number(
    'Weight of the text map',
    "Of the encoder's own map, added to what was learnt. 0: the paper.",
    4,
    100,
  ),
  textScore: number(
    'Weight of the text score',
    "Of the whole image's likeness to defects in words, added to the map's maximum. 0: the paper.",
    0,
    100,
  ),
  textTrust: flag(
    'Words as far as they are right',
    "Whole images' likeness to words takes part in classes and in the score as far as it is right on the support set's own images. Off: the weights are fixed, as in the paper.",
  ),
  blurSigma: { ...blurOption(4), help: 'Gaussian smoothing of the map, in pixels of an input of side 240.' },
  words: wordsOption('both'),
  transformation: flag('Transformation layers', 'Off, patches stay as the encoder projects them.'),
  plainPath: flag(
    'Map of the plain path',
    'Takes part in the map. Without both paths the text map is left alone.',
  ),
  valuePath: flag(
    'Map of the V-V path',
    'Takes part in the map. Without both paths the text map is left alone.',
  ),
  multiLayer: flag('All four levels', 'Off, maps, similarities and the class head see the last level alone.'),
  textSimilarity: flag(
    'Similarity with texts',
    'Takes part in classes. Off, they are those of the class head.',
  ),
};
