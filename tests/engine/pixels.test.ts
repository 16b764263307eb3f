import { createHash } from 'node:crypto';
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
