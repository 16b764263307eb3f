import { assert } from '../../base/errors';
import { floatsToHalves, halvesToFloats } from '../../base/float16';
import { floatTensor, floats } from '../../base/tensor';
import type { TensorData } from '../../base/tensor';
import type { Value } from '../../graph/value';
import type { FitWorld, FitProgress, Inputs, Portion, View } from '../contract';

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

/** Vectors of one width in the order they come in: in memory, or at half precision in the checkpoint store. */
export class FeatureStore implements FeatureCache {
  readonly #vectors: (Float32Array | undefined)[] = [];

  /** @param inMemory whether all that will come fit there */
  constructor(
    private readonly checkpoint: FitWorld['checkpoint'],
    private readonly key: string,
    readonly width: number,
    private readonly inMemory: boolean,
  ) {}

  get count(): number {
    return this.#vectors.length;
  }

  async add(vector: Float32Array): Promise<void> {
    if (!this.inMemory) await this.checkpoint.put(halfKey(this.key, this.count), toHalves(vector));
    this.#vectors.push(this.inMemory ? vector : undefined);
  }

  async of(index: number): Promise<Float32Array> {
    const kept = this.#vectors[index];
    if (kept) return kept;
    const piece = await this.checkpoint.get(halfKey(this.key, index));
    assert(piece, `features ${this.key} of image ${index} are gone`);
    return halvesToFloats(new Uint16Array(piece.data.slice().buffer));
  }

  async batch(indices: ArrayLike<number>): Promise<TensorData> {
    return stackVectors(await Promise.all(Array.from(indices, (index) => this.of(index))));
  }
}

/** Whether vectors of so many images are kept in memory. */
export const fitsInMemory = (images: number, width: number, memoryBytes = MEMORY_BYTES): boolean =>
  images * width * 4 <= memoryBytes;

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
    store ??= new FeatureStore(context.checkpoint, key, width, fitsInMemory(total, width, memoryBytes));
    for (let i = 0; i < count; i++) await store.add(found.slice(i * width, (i + 1) * width));
    yield { phase: 'features', done: first + count, total, unit: 'images' };
  }
  return store ?? new FeatureStore(context.checkpoint, key, 0, true);
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
