import { assert } from '../../base/errors';
import { floatsToHalves, halvesToFloats } from '../../base/float16';
import { floatTensor, floats } from '../../base/tensor';
import type { TensorData } from '../../base/tensor';
import type { Value } from '../../graph/value';
import type { FitContext, FitProgress, Inputs, Portion } from '../contract';

/** Features beyond this are kept at half precision in the checkpoint store instead of in memory. */
const MEMORY_BYTES = 384 * 2 ** 20;

/** Bytes that caching takes in memory: what a fit states before it starts. */
export const cacheBytes = (images: number, width: number): number =>
  Math.min(images * width * 4, MEMORY_BYTES);

/** Frozen features of a set of images, one flat vector each, computed once and drawn from in any order. */
export interface FeatureCache {
  readonly count: number;
  readonly width: number;
  /** One image's vector. */
  of(index: number): Promise<Float32Array>;
  /** Vectors of some images: [n, width]. */
  batch(indices: ArrayLike<number>): Promise<TensorData>;
}

/**
 * Runs the images through the backbone and `build` and keeps what comes out.
 * @param build from features to [B, …]; what follows the first axis is one vector an image
 */
export async function* cacheFeatures(
  context: FitContext,
  key: string,
  build: (inputs: Inputs) => Value,
  of: Portion = 'good',
  memoryBytes = MEMORY_BYTES,
): AsyncGenerator<FitProgress, FeatureCache> {
  const total = of === 'good' ? context.goodImages : context.defectImages;
  const vectors: (Float32Array | undefined)[] = [];
  let width = 0;
  for await (const { first, count, values } of context.embed(key, build, of)) {
    const found = floats(values);
    width = found.length / count;
    const fits = total * width * 4 <= memoryBytes;
    for (let i = 0; i < count; i++) {
      const vector = found.slice(i * width, (i + 1) * width);
      vectors.push(fits ? vector : undefined);
      if (!fits) await context.checkpoint.put(halfKey(key, first + i), toHalves(vector));
    }
    yield { phase: 'features', done: first + count, total, unit: 'images' };
  }
  const read = async (index: number): Promise<Float32Array> => {
    const kept = vectors[index];
    if (kept) return kept;
    const piece = await context.checkpoint.get(halfKey(key, index));
    assert(piece, `features ${key} of image ${index} are gone`);
    return halvesToFloats(new Uint16Array(piece.data.slice().buffer));
  };
  return {
    count: vectors.length,
    width,
    of: read,
    async batch(indices) {
      return stackVectors(await Promise.all(Array.from(indices, read)));
    },
  };
}

/** Vectors of one length as the rows of a tensor; at least one. */
export function stackVectors(vectors: readonly Float32Array[]): TensorData {
  const width = vectors[0].length;
  const out = new Float32Array(vectors.length * width);
  vectors.forEach((vector, i) => out.set(vector, i * width));
  return floatTensor([vectors.length, width], out);
}

const halfKey = (key: string, index: number): string => `${key}.half.${index}`;

function toHalves(vector: Float32Array): TensorData {
  const bytes = new Uint8Array(floatsToHalves(vector).buffer);
  return { dtype: 'uint8', shape: [bytes.length], data: bytes };
}
