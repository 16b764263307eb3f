/** A CLIP of published layout and vocabulary, small enough to be made in a test. */
import type { Shape, TensorData } from '../../src/base/tensor';
import { floatTensor, floats } from '../../src/base/tensor';
import type { ClipShape } from '../../src/nn/clip/config';
import { shapesInFile } from '../../src/nn/clip/names';
import type { Naming } from '../../src/nn/clip/names';
import { clipTensors } from '../../src/nn/clip/recognise';
import { encodeSafetensors } from '../../src/weights/safetensors';
import { weight } from './procedural';

const TRUNK = { width: 64, heads: 1, mlp: 128 };

export const TINY_CLIP: ClipShape = {
  embed: 16,
  input: 'pixels',
  imageSide: 32,
  patch: 8,
  vision: { ...TRUNK, layers: 4 },
  text: { ...TRUNK, layers: 2, context: 77, vocabulary: 49_408 },
  stages: [1, 2, 3, 4],
};

/** Its tensors under the names that one publisher gives them; the values depend on the names. */
export function tinyClipTensors(naming: Naming = 'open_clip', shape = TINY_CLIP): Record<string, TensorData> {
  const tensors = [...shapesInFile(naming, clipTensors(shape))] as [string, Shape][];
  return Object.fromEntries(tensors.map(([name, own]) => [name, weight(name, own)]));
}

export const tinyClipFile = (tensors = tinyClipTensors()): Uint8Array =>
  encodeSafetensors(tensors, { half: true });

/** A table of some of CLIP's tokens instead of all, as the built-in encoder has one. */
export function withTokens(
  tensors: Readonly<Record<string, TensorData>>,
  ids: readonly number[],
): Record<string, TensorData> {
  const table = floats(tensors['token_embedding.weight']);
  const { width } = TINY_CLIP.text;
  const rows = ids.flatMap((id) => [...table.subarray(id * width, (id + 1) * width)]);
  return {
    ...tensors,
    'token_embedding.weight': floatTensor([ids.length, width], rows),
    token_ids: { dtype: 'int32', shape: [ids.length], data: Int32Array.from(ids) },
  };
}
