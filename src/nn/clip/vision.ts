import { AppError } from '../../base/errors';
import { formatShape } from '../../base/tensor';
import { add, concat, conv, expand, matMul, reshape, slice, transpose } from '../../graph/ops/index';
import type { Value } from '../../graph/value';
import { normaliseGrey } from '../backbones/backbone';
import type { Normalisation } from '../backbones/backbone';
import { resampled } from '../backbones/vit';
import type { NetLayers } from '../layers';
import { patchShape } from './config';
import type { ClipConfig } from './config';
import { Trunk, norm } from './trunk';

/** Of OpenAI's images, and of everyone's since. @source methods.md 1.2 */
export const CLIP_NORMALISATION: Normalisation = {
  mean: [0.48145466, 0.4578275, 0.40821073],
  std: [0.26862954, 0.26130258, 0.27577711],
};

/**
 * Images in 0 … 1 as a CLIP takes them.
 * @param image grey [B,1,H,W], or RGB [B,3,H,W]
 * @returns [B,3,H,W]
 */
export const clipNormalise = (image: Value): Value => normaliseGrey(image, CLIP_NORMALISATION);

/**
 * A CLIP's vision transformer by open_clip's names. Tokens are [B,1+T,width]: the class token, then the patches row by
 * row. What a caller doesn't ask for isn't in its program.
 */
export class VisionTower {
  readonly trunk: Trunk;

  constructor(
    private readonly layers: NetLayers,
    readonly config: ClipConfig,
  ) {
    this.trunk = new Trunk(layers, 'visual.transformer', config.vision, config.activation);
  }

  /**
   * Patches behind the class token, with their positions, before the first norm. A window of an image is some of
   * these rows (methods.md 12.3). At another side than the stored one the positions are resampled.
   * @param input normalised pixels [B,3,H,W], or the SEM encoder's stem [B,320,h,w]
   * @returns [B,1+T,width]
   * @throws fit/backbone when patches don't fill the image
   */
  place(input: Value): Value {
    const { layers, config } = this;
    const { width } = config.vision;
    const shape = patchShape(config);
    const [batch, , ...sides] = input.shape;
    const [rows, columns] = sides.map((side) => side / shape[2]);
    if (!Number.isInteger(rows) || !Number.isInteger(columns))
      throw new AppError('fit/backbone', `an image of ${formatShape(sides)} is no multiple of ${shape[2]}`);
    const weight = layers.parameter('visual.conv1.weight', shape);
    const patches = conv(input, weight, undefined, { strides: [shape[2], shape[2]] });
    const tokens = transpose(reshape(patches, [batch, width, rows * columns]), [0, 2, 1]);
    const grid = config.imageSide / config.patch;
    const stored = layers.parameter('visual.positional_embedding', [1 + grid * grid, width]);
    const positions = reshape(stored, [1, 1 + grid * grid, width]);
    const first = add(layers.parameter('visual.class_embedding', [width]), slice(positions, 1, 0, 1));
    const placed = add(tokens, resampled({ grid }, slice(positions, 1, 1), [rows, columns]));
    return concat([expand(first, [batch, 1, width]), placed], 1);
  }

  /**
   * The tokens of every block up to the last one wanted: result i is behind block i, result 0 goes into the first.
   * @param placed as `place` gives them, or some of their rows
   */
  run(placed: Value, last = this.config.vision.layers): readonly Value[] {
    const tokens = [norm(this.layers, 'visual.ln_pre', placed)];
    for (let i = 1; i <= last; i++) tokens.push(this.trunk.block(tokens[i - 1], i));
    return tokens;
  }

  /** Tokens behind the last norm, each by itself. [B,n,width] to the same. */
  post(tokens: Value): Value {
    return norm(this.layers, 'visual.ln_post', tokens);
  }

  /** Tokens in the space that images and texts share, not normalised. [B,n,width] to [B,n,embed] */
  project(tokens: Value): Value {
    const { embed, vision } = this.config;
    return matMul(this.post(tokens), this.layers.parameter('visual.proj', [vision.width, embed]));
  }

  /** The class token in the shared space; of the last block's tokens it is the image's embedding. [B,embed] */
  projectClass(tokens: Value): Value {
    return reshape(this.project(slice(tokens, 1, 0, 1)), [tokens.shape[0], this.config.embed]);
  }

  /** The patches in the shared space, without the class token. [B,T,embed] */
  projectPatches(tokens: Value): Value {
    return this.project(slice(tokens, 1, 1));
  }
}
