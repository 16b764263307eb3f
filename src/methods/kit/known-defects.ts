import { AppError } from '../../base/errors';
import { bilinearMatrix, multiply } from '../../graph/ops/index';
import type { Matrix } from '../../graph/ops/index';
import type { Value } from '../../graph/value';
import type { FitContext, FitProgress, Inputs } from '../contract';
import { cacheFeatures } from './feature-cache';
import type { FeatureCache } from './feature-cache';

/** Images with defects that can be trained on. */
export interface KnownDefects {
  readonly cache: FeatureCache;
  /** Images that have anything marked, ascending. */
  readonly marked: Int32Array;
  /** Masks at the size of the features, 0 or 1, by image. */
  readonly masks: readonly Uint8Array[];
}

/**
 * Features and masks of the images with defects; those without a marked pixel are left out, and a remark says so.
 * @param build from features to [B, …]
 * @throws fit/mask when there is none with a mask
 */
export async function* knownDefects(
  context: FitContext,
  key: string,
  build: (inputs: Inputs) => Value,
  [height, width]: readonly [number, number],
): AsyncGenerator<FitProgress, KnownDefects> {
  const hint = 'Draw or import masks of defects, or choose the form that is trained on good images alone.';
  if (!context.defectImages)
    throw new AppError(
      'fit/mask',
      'training with known defects needs images of defects with masks; there is none',
      {
        hint,
      },
    );
  const cache = yield* cacheFeatures(context, key, build, 'defects');
  const masks: Uint8Array[] = [];
  for (let i = 0; i < context.defectImages; i++)
    masks.push(shrinkMask(await context.defectMask(i), context.side, height, width));
  const marked = Int32Array.from(masks.keys()).filter((i) => masks[i].includes(1));
  if (!marked.length)
    throw new AppError('fit/mask', `none of the ${masks.length} masks of defects has a marked pixel`, {
      hint,
    });
  const empty = masks.length - marked.length;
  if (empty)
    context.remark(`${empty} of ${masks.length} images with defects were left out: their masks are empty.`);
  return { cache, marked, masks };
}

/**
 * A mask at the size of features: bilinear, then at least ½. A mask too fine to leave anything keeps every place that
 * one of its pixels lies in; its image would be taught as a good one otherwise.
 * @param mask [side·side], 0 or 1
 * @returns [height·width], 0 or 1
 * @source methods.md 11.5
 */
export function shrinkMask(mask: Uint8Array, side: number, height: number, width: number): Uint8Array {
  const rows = bilinearMatrix(side, height, 'halfPixel');
  const columns = transposed(bilinearMatrix(side, width, 'halfPixel'));
  const picture: Matrix = { rows: side, columns: side, values: Float64Array.from(mask) };
  const shrunk = Uint8Array.from(multiply(multiply(rows, picture), columns).values, (share) =>
    Number(share >= 0.5),
  );
  if (!shrunk.includes(1))
    mask.forEach((value, i) => {
      const [y, x] = [Math.floor(i / side), i % side];
      if (value) shrunk[Math.floor((y * height) / side) * width + Math.floor((x * width) / side)] = 1;
    });
  return shrunk;
}

function transposed({ rows, columns, values }: Matrix): Matrix {
  const turned = new Float64Array(values.length);
  for (let i = 0; i < rows; i++)
    for (let j = 0; j < columns; j++) turned[j * rows + i] = values[i * columns + j];
  return { rows: columns, columns: rows, values: turned };
}
