import { assert } from '../../base/errors';
import { floatsToHalves, halvesToFloats } from '../../base/float16';
import { bytesOf, floatTensor, floats } from '../../base/tensor';
import type { TensorData } from '../../base/tensor';
import type { Value } from '../../graph/value';
import type { FitWorld, FitProgress, Inputs, Portion, View } from '../contract';

/** Features are kept in memory up to this: at half precision where they don't fit otherwise. */
const MEMORY_BYTES = 384 * 2 ** 20;

/** As they are in memory, at half precision in memory, or so in the checkpoint store. */
type Keeping = 'floats' | 'halves' | 'stored';

function keepingOf(count: number, width: number, memoryBytes: number): Keeping {
  const bytes = count * width * 4;
  if (bytes <= memoryBytes) return 'floats';
  return bytes / 2 <= memoryBytes ? 'halves' : 'stored';
}

/** Bytes that caching takes in memory: what a fit states before it starts. */
export const cacheBytes = (images: number, width: number): number =>
  Math.min(images * width * (keepingOf(images, width, MEMORY_BYTES) === 'floats' ? 4 : 2), MEMORY_BYTES);

/** Frozen features of a set of images, one flat vector each, computed once and drawn from in any order. */
export interface FeatureCache {
  readonly count: number;
  readonly width: number;
  /** One image's vector. */
  of(index: number): Promise<Float32Array>;
  /** Vectors of some images: [n, width]. */
  batch(indices: ArrayLike<number>): Promise<TensorData>;
}

/** Vectors of one width in the order they come in. */
export class FeatureStore implements FeatureCache {
  readonly #vectors: (Float32Array | Uint16Array | undefined)[] = [];
  readonly #keeping: Keeping;

  /** @param expected how many will come, which decides where they are kept */
  constructor(
    private readonly checkpoint: FitWorld['checkpoint'],
    private readonly key: string,
    readonly width: number,
    expected: number,
    memoryBytes = MEMORY_BYTES,
  ) {
    this.#keeping = keepingOf(expected, width, memoryBytes);
  }

  get count(): number {
    return this.#vectors.length;
  }

  async add(vector: Float32Array): Promise<void> {
    const kept = this.#keeping === 'floats' ? vector : floatsToHalves(vector);
    if (this.#keeping === 'stored') await this.checkpoint.put(halfKey(this.key, this.count), asBytes(kept));
    this.#vectors.push(this.#keeping === 'stored' ? undefined : kept);
  }

  async of(index: number): Promise<Float32Array> {
    const kept = await this.#kept(index);
    return kept instanceof Uint16Array ? halvesToFloats(kept) : kept;
  }

  async batch(indices: ArrayLike<number>): Promise<TensorData> {
    const kept = await Promise.all(Array.from(indices, (index) => this.#kept(index)));
    const out = new Float32Array(kept.length * this.width);
    kept.forEach((vector, i) => {
      const row = out.subarray(i * this.width, (i + 1) * this.width);
      if (vector instanceof Uint16Array) halvesToFloats(vector, row);
      else row.set(vector);
    });
    return floatTensor([kept.length, this.width], out);
  }

  async #kept(index: number): Promise<Float32Array | Uint16Array> {
    const kept = this.#vectors[index];
    if (kept) return kept;
    const piece = await this.checkpoint.get(halfKey(this.key, index));
    assert(piece, `features ${this.key} of image ${index} are gone`);
    return new Uint16Array(piece.data.slice().buffer);
  }
}

/**
 * Runs the images through the backbone and `build` and keeps what comes out.
 * @param build from features to [B, …]; what follows the first axis is one vector an image
 * @param view makes other images of them; a key of its own for each
 */
export async function* cacheFeatures(
  context: FitWorld,
  key: string,
  build: (inputs: Inputs) => Value,
  of: Portion = 'good',
  view?: View,
  memoryBytes = MEMORY_BYTES,
): AsyncGenerator<FitProgress, FeatureCache> {
  const total = context.count(of);
  let store: FeatureStore | undefined;
  for await (const { first, count, values } of context.embed(key, build, of, view)) {
    const found = floats(values);
    const width = found.length / count;
    store ??= new FeatureStore(context.checkpoint, key, width, total, memoryBytes);
    for (let i = 0; i < count; i++) await store.add(found.slice(i * width, (i + 1) * width));
    yield { phase: 'features', done: first + count, total, unit: 'images' };
  }
  return store ?? new FeatureStore(context.checkpoint, key, 0, 0);
}

/** Vectors of one length as the rows of a tensor; at least one. */
export function stackVectors(vectors: readonly Float32Array[]): TensorData {
  const width = vectors[0].length;
  const out = new Float32Array(vectors.length * width);
  vectors.forEach((vector, i) => out.set(vector, i * width));
  return floatTensor([vectors.length, width], out);
}

const halfKey = (key: string, index: number): string => `${key}.half.${index}`;

function asBytes(values: Float32Array | Uint16Array): TensorData {
  const data = bytesOf(values);
  return { dtype: 'uint8', shape: [data.length], data };
}
