import { AppError } from '../../base/errors';
import { formatShape } from '../../base/tensor';
import type { Shape } from '../../base/tensor';

/** The exact GELU, or the x·σ(1.702x) of OpenAI's weights. */
export type Activation = 'gelu' | 'quickGelu';

/** A stack of transformer blocks. */
export interface TrunkSize {
  readonly width: number;
  readonly layers: number;
  readonly heads: number;
  /** Width of the hidden layer of a block's MLP. */
  readonly mlp: number;
}

/** The blocks that end the four levels, counted from 1. */
export type Stages = readonly [number, number, number, number];

/** What the names and shapes of a state dict tell about a CLIP: all but its activation. */
export interface ClipShape {
  /** Length of the embeddings that images and texts share. */
  readonly embed: number;
  /** What the first convolution reads: pixels, or the SEM encoder's stem, whose cells are patches already. */
  readonly input: 'pixels' | 'stem';
  /** Side in pixels of the images whose positions are stored. */
  readonly imageSide: number;
  /** Side of a patch in pixels. */
  readonly patch: number;
  readonly vision: TrunkSize;
  readonly text: TrunkSize & { readonly context: number; readonly vocabulary: number };
  readonly stages: Stages;
}

/** A CLIP of two plain transformers. @source methods.md 22.1 */
export interface ClipConfig extends ClipShape {
  readonly activation: Activation;
}

const HEAD_WIDTH = 64;
/** Vision towers whose heads are wider, by their width: ViT-H, ViT-g and ViT-bigG of open_clip. */
const WIDER_HEADS: Readonly<Record<number, number>> = { 1280: 80, 1408: 88, 1664: 104 };

/** The SEM encoder's stem: EfficientNet-Lite0's features on a grid of this stride, stacked to these channels. */
export const STEM_STRIDE = 16;
export const STEM_CHANNELS = 320;

/** Shape of the patch convolution's weight: [width,channels,side,side]. */
export const patchShape = ({ input, patch, vision }: ClipShape): Shape =>
  input === 'stem' ? [vision.width, STEM_CHANNELS, 1, 1] : [vision.width, 3, patch, patch];

/**
 * Four levels of about the same number of blocks.
 * @source methods.md 16.2 for 12 blocks, 22.1 for TinyCLIP's 10
 */
export const stagesOf = (layers: number): Stages => {
  const end = (level: number) => Math.max(1, Math.round((layers * level) / 4));
  return [end(1), end(2), end(3), end(4)];
};

/** A state dict as `clipShape` asks it, under open_clip's names. */
export interface StateDictShapes {
  of(name: string): Shape | undefined;
  /** How a message calls a tensor: by its name in the file. */
  called(name: string): string;
  /** Number of blocks of a trunk. */
  layers(trunk: 'visual.transformer' | 'transformer'): number;
}

/** The error for a file that is a CLIP but for some tensors. */
export const nearClip = (title: string, fact: string): AppError =>
  new AppError('model/keys', `this is nearly ${title}: ${fact}`, {
    hint: 'Use the file as open_clip or Hugging Face publish it.',
  });

/**
 * What a state dict's shapes tell of a CLIP.
 * @param headWidth of every head; by the widths of the published ones when left out
 * @throws model/keys for a tensor without which nothing can be told, or a shape that no CLIP has
 */
export function clipShape(shapes: StateDictShapes, headWidth?: number): ClipShape {
  const find = (name: string, rank: number): Shape => {
    const shape = shapes.of(name);
    if (!shape) throw nearClip('a CLIP', `it lacks ${shapes.called(name)}`);
    if (shape.length !== rank) throw misshapen(shapes, name, shape, `${rank} axes`);
    return shape;
  };
  const [width, channels, kernel] = find('visual.conv1.weight', 4);
  const [positions] = find('visual.positional_embedding', 2);
  const [, embed] = find('visual.proj', 2);
  const [context, textWidth] = find('positional_embedding', 2);
  const [vocabulary] = find('token_embedding.weight', 2);
  const grid = Math.sqrt(positions - 1);
  if (!Number.isInteger(grid))
    throw misshapen(shapes, 'visual.positional_embedding', [positions, width], 'a square grid and one row');
  const trunk = (name: 'visual.transformer' | 'transformer', own: number, head: number): TrunkSize => {
    if (own % head) throw nearClip('a CLIP', `a tower is ${own} wide, no multiple of heads of ${head}`);
    const mlp = shapes.of(`${name}.resblocks.0.mlp.c_fc.weight`)?.[0] ?? 4 * own;
    return { width: own, layers: shapes.layers(name), heads: own / head, mlp };
  };
  const vision = trunk('visual.transformer', width, headWidth ?? WIDER_HEADS[width] ?? HEAD_WIDTH);
  const input = channels === STEM_CHANNELS ? 'stem' : 'pixels';
  const patch = input === 'stem' ? STEM_STRIDE : kernel;
  return {
    embed,
    input,
    imageSide: grid * patch,
    patch,
    vision,
    text: { ...trunk('transformer', textWidth, headWidth ?? HEAD_WIDTH), context, vocabulary },
    stages: stagesOf(vision.layers),
  };
}

const misshapen = (shapes: StateDictShapes, name: string, shape: Shape, expected: string): AppError =>
  nearClip('a CLIP', `misshapen: ${shapes.called(name)} is ${formatShape(shape)}, expected ${expected}`);

const SIZES: Readonly<Record<number, string>> = {
  768: 'B',
  896: 'B+',
  1024: 'L',
  1280: 'H',
  1408: 'g',
  1664: 'bigG',
};

/** `CLIP ViT-B/16, 224 px` */
export const clipTitle = ({ input, patch, imageSide, vision }: ClipShape): string =>
  input === 'stem'
    ? 'SEM encoder'
    : `CLIP ViT-${SIZES[vision.width] ?? vision.width}/${patch}, ${imageSide} px`;
