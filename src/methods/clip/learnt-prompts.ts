import { AppError } from '../../base/errors';
import { floatTensor, floats, intTensor, sizeOf } from '../../base/tensor';
import type { TensorData } from '../../base/tensor';
import { GraphBuilder } from '../../graph/builder';
import {
  concat,
  expand,
  l2Normalise,
  logSoftmax,
  matMul,
  mul,
  neg,
  reduceMean,
  reduceSum,
  relu,
  reshape,
  slice,
  sub,
  transposeLast,
} from '../../graph/ops/index';
import type { Value } from '../../graph/value';
import type { ClipConfig } from '../../nn/clip/config';
import { TextTower } from '../../nn/clip/text';
import { FrozenWeights } from '../../nn/frozen-weights';
import { normal as drawnNormal } from '../../nn/initialisers';
import { DeclaringLayers, FrozenLayers } from '../../nn/layers';
import type { Net } from '../../nn/net';
import { promptsOf } from '../../text/prompts';
import type { ClassPrompts } from '../../text/prompts';
import type { FitContext, Support, TextSource } from '../contract';

/** What prompts are learnt for: the score of an image, the map of its patches. Each has networks and vectors of its own. */
export const TASKS = ['image', 'patches'] as const;
export type Task = (typeof TASKS)[number];

/** Normal prompts of a task. @source methods.md 13.4 */
const VARIANTS: Readonly<Record<Task, number>> = { image: 3, patches: 1 };
/** Learnt vectors at the start of every prompt, and between them and the object in the learnt abnormal ones. */
const NORMAL_VECTORS = 4;
const ABNORMAL_VECTORS = 1;
/** Learnt abnormal prompts of each normal one. */
const ABNORMAL_VARIANTS = 4;
const START_DEVIATION = 0.02;

const ALIGN_WEIGHT = 0.001;

/** What any defect is called. @source methods.md 13.4 */
const GENERAL: ClassPrompts = {
  name: 'defect',
  states: [
    'damaged {o}',
    'flawed {o}',
    'abnormal {o}',
    'imperfect {o}',
    'blemished {o}',
    '{o} with flaw',
    '{o} with defect',
    '{o} with damage',
  ],
};

/** The parts of prompts that stay as they are, as the text tower's first layer gets them. */
export interface PromptTexts {
  /** [1,1,w] */
  readonly start: TensorData;
  /**
   * What follows the learnt vectors: the object, then phrases of its defects; behind the longest one there is room for
   * the vectors of learnt abnormal prompts. [1+H,n,w]
   */
  readonly phrases: TensorData;
  /** Rows of each phrase, its end token among them. */
  readonly lengths: readonly number[];
}

/** Phrases that a remark names. */
const NAMED = 3;

/**
 * Reads the object's name, the general phrases and some of each class of defects. Phrases with words that the encoder
 * never learnt, or too long for it, are left out, and a remark says so.
 * @param perClass phrases of a class: the first ones that the encoder knows
 * @throws text/prompt when the encoder knows no word for the object, or for an empty prompt
 */
export async function readTexts(
  context: Pick<FitContext, 'remark'>,
  source: TextSource,
  { prompts, normal }: Pick<Support, 'prompts' | 'normal'>,
  perClass: number,
): Promise<PromptTexts> {
  const room = source.config.text.context - 1 - NORMAL_VECTORS - ABNORMAL_VECTORS;
  const leftOut: string[] = [];
  const someOf = async (texts: readonly string[], most: number) => {
    const found: { text: string; rows: TensorData }[] = [];
    for (const text of texts) {
      if (found.length === most) break;
      const rows = await source.embedTokens(text);
      if (rows && rows.shape[0] - 1 <= room) found.push({ text, rows });
      else leftOut.push(text);
    }
    return found;
  };
  const [name] = await someOf(
    prompts.objects.map((object) => `${object}.`),
    1,
  );
  if (!name)
    throw new AppError('text/prompt', `the encoder never learnt the words of ${quoted(prompts.objects)}`, {
      hint: 'Name what the images show in words of the built-in prompts, or drop a CLIP, which knows every word.',
    });
  const frame = { objects: [name.text.slice(0, -1)], templates: ['{s}.'] };
  const phrases = await someOf(promptsOf(GENERAL, frame), GENERAL.states.length);
  for (const [c, own] of prompts.classes.entries())
    if (c !== normal) phrases.push(...(await someOf(promptsOf(own, frame), perClass)));
  if (leftOut.length)
    context.remark(
      `Prompts with words that the encoder never learnt, or too many, are left out: ${quoted(leftOut)}.`,
    );
  if (!phrases.length) context.remark('No phrase of a defect is left: all abnormal prompts are learnt.');
  return stacked([name, ...phrases].map(({ rows }) => rows));
}

function quoted(texts: readonly string[]): string {
  const named = texts.slice(0, NAMED).map((text) => `"${text}"`);
  const more = texts.length - named.length;
  return more ? `${named.join(', ')} and ${more} more` : named.join(', ');
}

/** @param texts start, tokens and end of each, [n,w] */
function stacked(texts: readonly TensorData[]): PromptTexts {
  const [, width] = texts[0].shape;
  const lengths = texts.map(({ shape }) => shape[0] - 1);
  const rows = Math.max(...lengths) + ABNORMAL_VECTORS;
  const phrases = new Float32Array(texts.length * rows * width);
  texts.forEach((text, i) => phrases.set(floats(text).subarray(width), i * rows * width));
  return {
    start: floatTensor([1, 1, width], floats(texts[0]).slice(0, width)),
    phrases: floatTensor([texts.length, rows, width], phrases),
    lengths,
  };
}

/** A text tower as the training of prompts sees it. */
export type FrozenTower = Pick<TextSource, 'config' | 'weights'>;

/** Names and shapes of the tensors that `TextTower.encode` asks for. */
function towerShapes(config: ClipConfig): DeclaringLayers['shapes'] {
  const graph = new GraphBuilder();
  const layers = new DeclaringLayers(graph);
  const tokens = graph.placeholder('float32', [1, config.text.context, config.text.width]);
  new TextTower(layers, config).encode(tokens, graph.placeholder('int32', [1]));
  return layers.shapes;
}

/** Bytes of a text tower without its table of tokens. */
export const towerBytes = (config: ClipConfig): number =>
  [...towerShapes(config).values()].reduce((sum, shape) => sum + 4 * sizeOf(shape), 0);

/** A tower of zeros in one array and texts of the usual lengths: what a step costs, before anything is read. */
export function blank(config: ClipConfig, phrases: number): { tower: FrozenTower; texts: PromptTexts } {
  const shapes = [...towerShapes(config)];
  const zeros = new Float32Array(Math.max(...shapes.map(([, shape]) => sizeOf(shape))));
  const tensors = shapes.map(
    ([name, shape]) => [name, floatTensor(shape, zeros.subarray(0, sizeOf(shape)))] as const,
  );
  const text = floatTensor(
    [USUAL_TOKENS, config.text.width],
    new Float32Array(USUAL_TOKENS * config.text.width),
  );
  return {
    tower: { config, weights: new FrozenWeights(new Map(tensors)) },
    texts: stacked(new Array<TensorData>(1 + phrases).fill(text)),
  };
}

/** Start, tokens and end of the longest phrase: the built-in ones have 6 to 12. */
const USUAL_TOKENS = 12;

/** Hand-made phrases of a usual support set. */
export const usualPhrases = (classes: number, perClass: number): number =>
  GENERAL.states.length + (classes - 1) * perClass;

/** What the text tower says to the prompts of a task, not normalised: [n,E] each. */
export interface PromptFeatures {
  readonly normal: Value;
  /** Abnormal by a phrase; undefined where there is none. */
  readonly handmade: Value | undefined;
  /** Abnormal by learnt vectors. */
  readonly learned: Value;
}

/**
 * Encodes the prompts of all tasks in one pass of the tower, cut to the longest.
 * @param netOf the learnt vectors of a task: `normal` [variants,4,w] and `abnormal` [4,1,w]
 * @source methods.md 13.4
 */
export function encodePrompts(
  graph: GraphBuilder,
  { config, weights }: FrozenTower,
  texts: PromptTexts,
  netOf: (task: Task) => Net,
): Readonly<Record<Task, PromptFeatures>> {
  const parts = TASKS.map((task) => assembled(netOf(task), texts, VARIANTS[task]));
  const ends = parts.flatMap((part) => part.ends);
  const tower = new TextTower(new FrozenLayers(graph, weights, 0), config);
  const features = tower.encode(
    concat(
      parts.map(({ tokens }) => tokens),
      0,
    ),
    graph.constant(intTensor([ends.length], ends)),
  );
  let at = 0;
  const take = (count: number) => slice(features, 0, at, (at += count));
  const found = TASKS.map((task): [Task, PromptFeatures] => {
    const variants = VARIANTS[task];
    const count = texts.lengths.length;
    const plain = reshape(take(variants * count), [variants, count, config.embed]);
    const rows = (from: number, to: number) =>
      reshape(slice(plain, 1, from, to), [variants * (to - from), config.embed]);
    return [
      task,
      {
        normal: rows(0, 1),
        handmade: count > 1 ? rows(1, count) : undefined,
        learned: take(variants * ABNORMAL_VARIANTS),
      },
    ];
  });
  return Object.fromEntries(found) as Record<Task, PromptFeatures>;
}

/** Prompts of a task: every normal variant with every phrase, then with every learnt abnormal vector. [P,L,w] */
function assembled(net: Net, { start, phrases, lengths }: PromptTexts, variants: number) {
  const { graph } = net;
  const [count, rows, width] = phrases.shape;
  const vectors = (name: string, number: number, length: number) =>
    net.parameter(name, [number, length, width], drawnNormal(START_DEVIATION));
  const normal = vectors('normal', variants, NORMAL_VECTORS);
  const abnormal = vectors('abnormal', ABNORMAL_VARIANTS, ABNORMAL_VECTORS);
  const first = graph.weight('prompt.start', start);
  const fixed = graph.weight('prompt.phrases', phrases);
  const name = slice(slice(fixed, 0, 0, 1), 1, 0, rows - ABNORMAL_VECTORS);
  const prompt = (...parts: readonly Value[]): Value => concat([first, ...parts].map(wide(parts)), 1);
  return {
    tokens: concat(
      [
        prompt(each(normal, count), all(fixed, variants)),
        prompt(each(normal, ABNORMAL_VARIANTS), all(abnormal, variants), name),
      ],
      0,
    ),
    ends: [
      ...Array.from({ length: variants }, () => lengths.map((own) => NORMAL_VECTORS + own)).flat(),
      ...new Array<number>(variants * ABNORMAL_VARIANTS).fill(NORMAL_VECTORS + ABNORMAL_VECTORS + lengths[0]),
    ],
  };
}

/** One prompt's part for as many prompts as the others have. */
const wide =
  ([{ shape }]: readonly Value[]) =>
  (part: Value): Value =>
    expand(part, [shape[0], ...part.shape.slice(1)]);

/** Every row so many times, one after the other: [a,n,w] to [a·times,n,w]. */
function each(value: Value, times: number): Value {
  const [rows, ...rest] = value.shape;
  return reshape(expand(reshape(value, [rows, 1, ...rest]), [rows, times, ...rest]), [rows * times, ...rest]);
}

/** All rows, so many times: [a,n,w] to [times·a,n,w]. */
function all(value: Value, times: number): Value {
  const [rows, ...rest] = value.shape;
  return reshape(expand(reshape(value, [1, rows, ...rest]), [times, rows, ...rest]), [times * rows, ...rest]);
}

/** Unit vectors out of a task's prompts. */
export interface PromptVectors {
  /** [1,E] */
  readonly normal: Value;
  /** The direction of all abnormal ones. [1,E] */
  readonly abnormal: Value;
  /** Every abnormal one. [n,E] */
  readonly each: Value;
}

/** @source methods.md 13.5 */
export function promptVectors({ normal, handmade, learned }: PromptFeatures): PromptVectors {
  const abnormal = l2Normalise(handmade ? concat([handmade, learned], 0) : learned);
  const direction = (rows: Value) => l2Normalise(reduceMean(rows, [0], true));
  return { normal: direction(l2Normalise(normal)), abnormal: direction(abnormal), each: abnormal };
}

/** Scalars that the prompts of a task are learnt by; their sum is the loss. */
export interface PromptLoss {
  /** Cross entropy of normal against every abnormal prompt. */
  readonly contrast: Value;
  /** What normal images are nearer to abnormal than to normal. */
  readonly triplet: Value;
  /** How far learnt abnormal prompts are from hand-made ones, weighted. */
  readonly align: Value;
}

/**
 * @param images unit vectors of normal images or of their patches, [n,E]
 * @param scale factor of cosines
 * @source methods.md 13.5
 */
export function promptLoss(features: PromptFeatures, images: Value, scale: number): PromptLoss {
  const { normal, abnormal, each: every } = promptVectors(features);
  const cosines = (texts: Value) => matMul(images, transposeLast(texts));
  const toNormal = cosines(normal);
  const shares = logSoftmax(mul(concat([toNormal, cosines(every)], 1), scale));
  return {
    contrast: neg(reduceMean(slice(shares, 1, 0, 1))),
    // Of unit vectors: the difference of two squared distances is twice that of the cosines.
    triplet: reduceMean(relu(mul(sub(cosines(abnormal), toNormal), 2))),
    align: alignment(features),
  };
}

function alignment({ handmade, learned }: PromptFeatures): Value {
  if (!handmade) return learned.graph.constant(0);
  const mean = (rows: Value) => reduceMean(l2Normalise(rows), [0]);
  const gap = sub(mean(handmade), mean(learned));
  return mul(reduceSum(mul(gap, gap)), ALIGN_WEIGHT);
}
