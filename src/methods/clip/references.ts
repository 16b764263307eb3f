import { floatTensor, floats, sizeOf } from '../../base/tensor';
import type { Shape } from '../../base/tensor';
import { gemm, l2Normalise, max, mul, reduceMax, reshape, sub } from '../../graph/ops/index';
import type { Value } from '../../graph/value';
import type { FitContext, FitProgress, Inputs, MethodState } from '../contract';
import { packMaps } from '../kit/packed-taps';

/** Images that are read back together: the most that the engine embeds at once. */
const READ_TOGETHER = 4;

/** Tokens that good images are remembered by. */
export interface Reference {
  /** In the state. */
  readonly name: string;
  /** Of one image: [n,D]. */
  readonly shape: Shape;
  /** [B,n,D], of any length. */
  tokens(inputs: Inputs): Value;
}

/**
 * Tokens of all good images.
 * @returns unit rows under each name, [K·n,D]
 */
export async function* rememberReferences(
  context: FitContext,
  references: readonly Reference[],
): AsyncGenerator<FitProgress, MethodState> {
  const total = context.goodImages;
  const kept = references.map(({ shape }) => new Float32Array(total * sizeOf(shape)));
  const build = (inputs: Inputs) => packMaps(references.map((own) => l2Normalise(own.tokens(inputs))));
  for await (const { first, count, values } of context.embed('references', build)) {
    const found = floats(values);
    let at = 0;
    for (let image = first; image < first + count; image++)
      references.forEach(({ shape }, i) => {
        const size = sizeOf(shape);
        kept[i].set(found.subarray(at, (at += size)), image * size);
      });
    yield { phase: 'features', done: first + count, total, unit: 'images' };
  }
  return Object.fromEntries(
    references.map(({ name, shape: [rows, width] }, i) => [
      name,
      floatTensor([total * rows, width], kept[i]),
    ]),
  );
}

/** Bytes of what is remembered of some images, and of what passes by on the way there: on the device and read back. */
export function referenceBytes(
  images: number,
  references: readonly Pick<Reference, 'shape'>[],
): { kept: number; passing: number } {
  const image = 4 * references.reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  return { kept: images * image, passing: 2 * Math.min(images, READ_TOGETHER) * image };
}

/**
 * Cosine of each token with the most similar reference, by one product for all of them.
 * @param tokens [B,n,D]
 * @param references unit rows [M,D]
 * @returns [B,n]
 */
export function nearestCosine(tokens: Value, references: Value): Value {
  const [batch, count, width] = tokens.shape;
  const rows = reshape(l2Normalise(tokens), [batch * count, width]);
  return reshape(reduceMax(gemm(rows, references, undefined, false, true), [1]), [batch, count]);
}

/**
 * How far each token is from the most similar reference: (1 − cos)/2.
 * @param tokens [B,n,D]
 * @param references unit rows [M,D]
 * @returns [B,n], 0 … 1
 * @source methods.md 12.4, 13.6
 */
export const visualAssociation = (tokens: Value, references: Value): Value =>
  // Rounding may leave a cosine above 1.
  max(mul(sub(1, nearestCosine(tokens, references)), 0.5), 0);
