import { describe, expect, it } from 'vitest';
import { AppError } from '../../../src/base/errors';
import { floatTensor } from '../../../src/base/tensor';
import type { FitContext } from '../../../src/methods/contract';
import { knownDefects, shrinkMask } from '../../../src/methods/kit/known-defects';

const rectangle = (side: number, top: number, left: number, height: number, width: number): Uint8Array => {
  const mask = new Uint8Array(side * side);
  for (let y = top; y < top + height; y++) mask.fill(1, y * side + left, y * side + left + width);
  return mask;
};

describe('a mask at the size of features', () => {
  it('keeps places that are half covered', () => {
    expect([...shrinkMask(rectangle(8, 0, 0, 4, 8), 8, 2, 2)]).toEqual([1, 1, 0, 0]);
    expect([...shrinkMask(rectangle(8, 0, 4, 8, 4), 8, 2, 4)]).toEqual([0, 0, 1, 1, 0, 0, 1, 1]);
  });

  it('keeps every place that a defect of one pixel lies in', () => {
    expect([...shrinkMask(rectangle(8, 7, 0, 1, 1), 8, 2, 2)]).toEqual([0, 0, 1, 0]);
    expect([...shrinkMask(rectangle(8, 3, 0, 1, 8), 8, 1, 2)]).toEqual([1, 1]);
  });

  it('stays empty, and stays what it is at its own size', () => {
    expect(shrinkMask(new Uint8Array(64), 8, 4, 4).includes(1)).toBe(false);
    const mask = rectangle(8, 2, 1, 3, 5);
    expect(shrinkMask(mask, 8, 8, 8)).toEqual(mask);
  });
});

describe('images with defects', () => {
  const context = (masks: readonly Uint8Array[], remarks: string[] = []): FitContext =>
    ({
      side: 8,
      defectImages: masks.length,
      count: (of: string) => (of === 'defects' ? masks.length : 0),
      defectMask: async (index: number) => masks[index],
      remark: (text: string) => void remarks.push(text),
      async *embed() {
        for (let first = 0; first < masks.length; first++)
          yield { first, count: 1, values: floatTensor([1, 2], [first, -first]) };
      },
    }) as unknown as FitContext;

  async function find(world: FitContext) {
    const found = knownDefects(world, 'defects', ({ image }) => image, [2, 2]);
    let step = await found.next();
    while (!step.done) step = await found.next();
    return step.value;
  }

  it('are those with a marked pixel', async () => {
    const remarks: string[] = [];
    const masks = [rectangle(8, 0, 0, 4, 4), new Uint8Array(64), rectangle(8, 5, 5, 1, 1)];
    const { cache, marked, masks: small } = await find(context(masks, remarks));
    expect([...marked]).toEqual([0, 2]);
    expect([...small[2]]).toEqual([0, 0, 0, 1]);
    expect([...(await cache.of(2))]).toEqual([2, -2]);
    expect(remarks).toEqual(['1 of 3 images with defects were left out: their masks are empty.']);
  });

  it.each([
    ['no image', []],
    ['no marked pixel', [new Uint8Array(64)]],
  ])('%s: an error with a remedy', async (_name, masks) => {
    const error = await find(context(masks)).catch((found: unknown) => found);
    expect(error).toBeInstanceOf(AppError);
    expect((error as AppError).code).toBe('fit/mask');
    expect((error as AppError).hint).toContain('good images alone');
  });
});
