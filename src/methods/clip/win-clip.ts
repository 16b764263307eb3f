import { assert } from '../../base/errors';
import { floatTensor } from '../../base/tensor';
import { graphOf } from '../../graph/builder';
import {
  add,
  div,
  expand,
  l2Normalise,
  matMul,
  max,
  mul,
  reduceMax,
  reshape,
  resizeBilinear,
  slice,
  softmax,
  transposeLast,
} from '../../graph/ops/index';
import type { Value } from '../../graph/value';
import type { TapRole } from '../../nn/backbones/backbone';
import { WINDOW_SIDES, windowPatches } from '../../nn/clip/windows';
import type { PatchGrid, WindowSide } from '../../nn/clip/windows';
import type { Detector, FitSize, StateValues } from '../contract';
import { gridSide, sumOf, toGrid } from './maps';
import { referenceBytes, rememberReferences, visualAssociation } from './references';
import type { Reference } from './references';
import { textPair, wordsOption } from './text-pair';
import type { Words } from './text-pair';

export type WinClipOptions = {
  readonly form: string;
  readonly temperature: number;
  readonly words: Words;
};

/** Sides of the windows that each form looks through. */
const FORMS: Readonly<Record<string, readonly WindowSide[]>> = { full: WINDOW_SIDES, fast: [2], patches: [] };

/** What good images are remembered by: patches, then the windows of each scale. */
const remembered = ({ form }: Pick<WinClipOptions, 'form'>): readonly TapRole[] => [
  'finalPatches',
  ...FORMS[form].map((side): TapRole => `windows${side}`),
];

const referencesOf = ({ taps }: Pick<FitSize, 'taps'>, o: WinClipOptions): Reference[] =>
  remembered(o).map((role) => ({ name: role, shape: taps[role]!, tokens: (inputs) => inputs.taps[role]! }));

/** Scores below this count as this, so that a harmonic mean exists. @source methods.md 12.7 */
const LEAST_SCORE = 1e-12;

/** Windows of an image against words and against good images. */
export const winclip: Detector<WinClipOptions> = {
  title: 'WinCLIP+',
  source: {
    authors: 'Jeong, Zou, Kim, Zhang, Ravichandran, Dabeer',
    title: 'WinCLIP: Zero-/Few-Shot Anomaly Classification and Segmentation',
    where: 'CVPR 2023',
    reference:
      "anomalib: windows, temperature 0.07, harmonic means, the arithmetic mean with good images' map, no smoothing. " +
      'Different from it: the words are our own prompts for good and bad in general, or those of the classes, and ' +
      'every prompt counts as a unit vector in their mean; windows are shown to the encoder one by one, as in the paper.',
  },
  about: {
    summary:
      'Holds an image and its windows against good and bad in words and against a few good images; nothing is trained.',
    assumes:
      'Good images alone are taken, none is needed: without any it is WinCLIP, by words alone. The encoder has to know ' +
      'what the words mean in such images, and good images show every good pattern.',
    fails:
      'Words in general say little about a microscope’s images: by words alone it ranks near chance where the encoder ' +
      'was not trained on such. A good pattern that the good images lack lights up; images of defects teach it nothing.',
    cost:
      'One pass over the good images. Each image is seen once as a whole and once by every window: in a plain CLIP ' +
      'about thirteen times the work of its own pass, in the built-in encoder six to nine times; with windows of 2×2 ' +
      'patches alone five and three to four times, without windows once.',
  },
  options: {
    form: {
      kind: 'choice',
      default: 'full',
      choices: [
        { value: 'full', label: 'windows of 2×2 and of 3×3 patches' },
        { value: 'fast', label: 'windows of 2×2 patches' },
        { value: 'patches', label: 'patches alone, no windows' },
      ],
      label: 'Windows',
      help: 'Windows cost most of the time. Without them words judge the image as a whole, and good images the places.',
    },
    temperature: {
      kind: 'number',
      default: 0.07,
      min: 0.001,
      max: 1,
      integer: false,
      unit: '',
      label: 'Temperature',
      help: 'Divides similarities with words before their softmax. 0.07 as in anomalib, 0.01 as CLIPs are trained.',
    },
    words: wordsOption('general'),
  },
  needs: {
    taps: ['classes', 'finalPatches', 'windows2', 'windows3'],
    leastGoodImages: 0,
    defects: 'none',
    support: true,
  },
  leavesOut: false,

  taps: (o) => ['classes', ...remembered(o)],

  memory(size, o) {
    const { kept, passing } = referenceBytes(size.goodImages, referencesOf(size, o));
    const stateBytes = 4 * 2 * size.taps.classes![1] + kept;
    return { fitBytes: stateBytes + passing, stateBytes };
  },

  async *fit(context, o) {
    // Without steps there is nothing to be measured.
    if (context.trial) return {};
    const { support } = context;
    assert(support, 'WinCLIP+ is taught by a support set');
    const two = textPair(yield* support.texts(), support.normal, o.words);
    if (context.goodImages) return { two, ...(yield* rememberReferences(context, referencesOf(context, o))) };
    context.remark('Text only: without good images this is WinCLIP.');
    if (!FORMS[o.form].length)
      context.remark('Neither windows nor good images: the map is the same everywhere.');
    return { two };
  },

  score(_graph, { taps, image }, state, { form, temperature }) {
    const patches = taps.finalPatches!;
    const side = gridSide(patches.shape[1]);
    const windows = FORMS[form].map((own) => ({ side: own, tokens: taps[`windows${own}`]! }));
    const whole = imageEmbedding(taps.classes!);
    const { map, score } = winClipMap({ whole, patches, windows }, state, [side, side], temperature);
    const [, , height, width] = image.shape;
    return { map: resizeBilinear(toGrid(map), height, width), score };
  },
};

/** The image's own embedding out of the class tokens of four levels: [B,4,E] to [B,1,E]. */
const imageEmbedding = (classes: Value): Value => slice(classes, 1, 3, 4);

/** What an image is judged by. */
export interface WinClipTokens {
  /** The image as a whole, [B,1,E]. */
  readonly whole: Value;
  /** [B,T,w] */
  readonly patches: Value;
  /** Of each scale that takes part, [B,W,E]. */
  readonly windows: readonly { readonly side: WindowSide; readonly tokens: Value }[];
}

/**
 * The maps by words and by good images, and both together, at the patches.
 * @param state `two` [2,E]; with good images their `finalPatches` and `windows<side>`, unit rows
 * @returns maps [B,T], scores [B]; without good images all is by words
 * @source methods.md 12.4
 */
export function winClipMap(
  { whole, patches, windows }: WinClipTokens,
  state: StateValues,
  grid: PatchGrid,
  temperature: number,
): { map: Value; score: Value; byText: Value; byImages?: Value } {
  const [batch, count] = patches.shape;
  const own = classScores(whole, state.two, temperature);
  const scales = windows.map(({ side, tokens }) =>
    harmonicMap(classScores(tokens, state.two, temperature), grid, side),
  );
  const everywhere = expand(own, [batch, count]);
  const byText = scales.length ? harmonicMean([everywhere, ...scales]) : everywhere;
  const score = reshape(own, [batch]);
  if (!('finalPatches' in state)) return { map: byText, score, byText };
  const found = [
    visualAssociation(patches, state.finalPatches),
    ...windows.map(({ side, tokens }) =>
      harmonicMap(visualAssociation(tokens, state[`windows${side}`]), grid, side),
    ),
  ];
  const byImages = div(sumOf(found), found.length);
  return {
    map: mul(add(byText, byImages), 0.5),
    score: mul(add(score, reduceMax(byImages, [1])), 0.5),
    byText,
    byImages,
  };
}

/**
 * Probability of abnormal by words.
 * @param embeddings [B,n,E]
 * @param two unit vectors of texts, normal and abnormal: [2,E]
 * @returns [B,n], 0 … 1
 * @source methods.md 12.4
 */
export function classScores(embeddings: Value, two: Value, temperature: number): Value {
  const cosines = matMul(l2Normalise(embeddings), transposeLast(two));
  // A softmax instead of the sigmoid of a difference: providers cut that off where scores get small.
  return reshape(slice(softmax(div(cosines, temperature)), 2, 1, 2), embeddings.shape.slice(0, 2));
}

const reciprocal = (scores: Value): Value => div(1, max(scores, LEAST_SCORE));

/**
 * Every patch gets the harmonic mean of the scores of the windows that cover it.
 * @param scores [B,W]
 * @returns [B,T]
 * @source methods.md 12.4
 */
export function harmonicMap(scores: Value, grid: PatchGrid, side: WindowSide): Value {
  const windows = windowPatches(grid, side);
  const patches = grid[0] * grid[1];
  const covers = new Float32Array(windows.length * patches);
  const counts = new Float32Array(patches);
  windows.forEach((own, window) => {
    for (const patch of own) {
      covers[window * patches + patch] = 1;
      counts[patch]++;
    }
  });
  const graph = graphOf(scores);
  const sums = matMul(reciprocal(scores), graph.constant(floatTensor([windows.length, patches], covers)));
  return div(graph.constant(floatTensor([1, patches], counts)), sums);
}

/** Harmonic mean of maps of one shape; at least one. */
const harmonicMean = (maps: readonly Value[]): Value => div(maps.length, sumOf(maps.map(reciprocal)));
