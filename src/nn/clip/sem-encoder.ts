import { AppError } from '../../base/errors';
import { averagePool, concat, maxPool, reshape, transpose } from '../../graph/ops/index';
import type { Value } from '../../graph/value';
import { efficientNetLite0 } from '../backbones/efficientnet';
import type { NetLayers } from '../layers';
import { STEM_STRIDE } from './config';
import type { ClipConfig } from './config';

const WIDTH = 192;
const TRUNK = { width: WIDTH, heads: 3, mlp: 4 * WIDTH };

/** The built-in encoder: four blocks over EfficientNet-Lite0's features, three over the tokens in use. */
export const semEncoderConfig = (vocabulary: number): ClipConfig => ({
  embed: WIDTH,
  input: 'stem',
  imageSide: 240,
  patch: 16,
  vision: { ...TRUNK, layers: 4 },
  text: { ...TRUNK, layers: 3, context: 77, vocabulary },
  stages: [1, 2, 3, 4],
  activation: 'gelu',
});

const TAPS = { fine: 'blocks.1', middle: 'blocks.2', coarse: 'blocks.4' } as const;

/**
 * The stem of the built-in encoder, a CLIP that reads frozen EfficientNet-Lite0's features instead of pixels: the
 * features of stride 16, the four of stride 8 in each of its cells, and mean and maximum of the sixteen of stride 4.
 * What standardises the channels is part of the encoder's first convolution.
 * @param lite0 EfficientNet-Lite0's tensors
 * @param x as EfficientNet-Lite0 wants images, [B,3,H,W]; sides are multiples of 16
 * @returns what the encoder's `VisionTower` places: [B,320,H/16,W/16]
 * @throws fit/backbone for other sides
 */
export function semStem(lite0: NetLayers, x: Value): Value {
  const [, , height, width] = x.shape;
  if (height % STEM_STRIDE || width % STEM_STRIDE)
    throw new AppError('fit/backbone', `an image of [${height},${width}] is no multiple of ${STEM_STRIDE}`);
  const taps = efficientNetLite0.forward(lite0, x, Object.values(TAPS));
  const fine = taps[TAPS.fine];
  const cell = { kernel: [4, 4] } as const;
  return concat(
    [taps[TAPS.coarse], spaceToDepth(taps[TAPS.middle], 2), averagePool(fine, cell), maxPool(fine, cell)],
    1,
  );
}

/**
 * The pixels of each cell as channels; channel c's stand together, row by row, as in PyTorch's `pixel_unshuffle`.
 * ONNX's own operator has another order and no GPU kernel. [B,C,H,W] to [B,C·side²,H/side,W/side]
 */
function spaceToDepth(x: Value, side: number): Value {
  const [b, c, h, w] = x.shape;
  const [rows, columns] = [h / side, w / side];
  const cells = reshape(x, [b, c, rows, side, columns, side]);
  return reshape(transpose(cells, [0, 1, 3, 5, 2, 4]), [b, c * side * side, rows, columns]);
}

/**
 * Rows of a token table that keeps a part of CLIP's vocabulary, as the built-in encoder's does.
 * @param kept CLIP's id of each row
 * @param ids a prompt's ids by CLIP's tokenizer
 * @throws text/prompt when a token has no row
 */
export function tokenRows(kept: Int32Array, ids: readonly number[]): readonly number[] {
  const rowOf = new Map(Array.from(kept, (id, row) => [id, row]));
  const strange = ids.filter((id) => !rowOf.has(id));
  if (strange.length)
    throw new AppError(
      'text/prompt',
      `the built-in encoder knows ${kept.length} tokens, and not ${strange.join(', ')}`,
      { hint: 'Use words of the built-in prompts, or drop a CLIP, which knows every word.' },
    );
  return ids.map((id) => rowOf.get(id)!);
}
