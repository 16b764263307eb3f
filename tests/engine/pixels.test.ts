import { createHash } from 'node:crypto';
import { encode } from 'fast-png';
import { describe, expect, it } from 'vitest';
import { pixels } from '../../src/engine/pixels';

describe('the hash of a file', () => {
  const bytes = Buffer.alloc(2 ** 25 + 12_345, 'darkfield');
  const blob = new Blob([bytes]);

  it('that is read in parts is that of the whole', async () => {
    const done: number[] = [];
    const found = await pixels.hash(blob, (doneBytes) => done.push(doneBytes) > 0);
    expect(found).toBe(createHash('sha256').update(bytes).digest('hex'));
    expect(done).toEqual([0, 2 ** 25]);
  });

  it('that is small too', async () => {
    expect(await pixels.hash(blob.slice(0, 1000))).toBe(
      createHash('sha256').update(bytes.subarray(0, 1000)).digest('hex'),
    );
  });

  it('ends when it is told to', async () => {
    await expect(pixels.hash(blob, () => false)).rejects.toMatchObject({ code: 'cancelled' });
  });
});

describe('a mask at its own size', () => {
  const inside = Uint8Array.from({ length: 20 * 16 }, (_, i) => Number(i % 20 > 12));

  it('is drawn and read back', async () => {
    const blob = await pixels.drawMask({ width: 20, height: 16, inside });
    expect(await pixels.wholeMask(blob, 'mask.png')).toEqual({ width: 20, height: 16, inside });
  });

  it('may be of 0 and 1 as well, or empty', async () => {
    const grey = (values: Uint8Array) =>
      new Blob([new Uint8Array(encode({ width: 20, height: 16, data: values, channels: 1, depth: 8 }))]);
    expect((await pixels.wholeMask(grey(inside), 'faint.png')).inside).toEqual(inside);
    const empty = new Uint8Array(inside.length);
    expect((await pixels.wholeMask(grey(empty), 'empty.png')).inside).toEqual(empty);
  });
});

it('the figures of a review are counted with their intervals', async () => {
  const [actual, predicted] = [
    [0, 0, 0, 1, 1],
    [0, 0, 2, 1, 0],
  ];
  const report = await pixels.reportClasses({ actual, predicted, trained: [7, 3] });
  expect(report.confusion).toEqual([
    [2, 0, 1],
    [1, 1, 0],
  ]);
  expect(report.classes.map(({ trained }) => trained)).toEqual([7, 3]);
  expect(report.rejected).toMatchObject({ count: 1, of: 5 });
  expect(report.macroRecall.value).toBeCloseTo((2 / 3 + 1 / 2) / 2, 12);
  expect(structuredClone(report)).toEqual(report);
});
