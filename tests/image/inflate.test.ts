import { deflateRawSync, deflateSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { Rng } from '../../src/base/rng';
import { inflate } from '../../src/image/inflate';

/** As one comparison: matching 300,000 elements one by one takes seconds. */
const same = (a: Uint8Array, b: Uint8Array) => Buffer.compare(a, b) === 0;

describe('inflate', () => {
  const rng = new Rng(1, 'inflate.test');
  const plain = Uint8Array.from({ length: 300_000 }, (_, i) => (i % 7 ? i >> 6 : rng.integer(256)));

  it.each([0, 1, 6, 9])('gives back what zlib packed at level %i', (level) => {
    const packed = deflateSync(plain, { level });
    expect(same(inflate(packed, plain.length), plain)).toBe(true);
    expect(same(inflate(packed, plain.length + 1000), plain)).toBe(true);
  });

  it('stops at the limit', () => {
    const packed = deflateSync(plain);
    for (const limit of [0, 1, 65_536, 299_999])
      expect(same(inflate(packed, limit), plain.subarray(0, limit))).toBe(true);
  });

  it('a small stream that would fill the memory gives no more than is asked for', () => {
    const bomb = deflateSync(new Uint8Array(2e8), { level: 9 });
    const before = process.memoryUsage().arrayBuffers;
    expect(inflate(bomb, 1000)).toEqual(new Uint8Array(1000));
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1.5e8);
  });

  it('a short stream does not make it allocate what it cannot hold', () => {
    expect(inflate(deflateSync(Uint8Array.of(1, 2, 3)), 4e9)).toEqual(Uint8Array.of(1, 2, 3));
  });

  it('throws where the stream is broken', () => {
    const packed = deflateSync(plain);
    expect(() => inflate(packed.subarray(0, packed.length >> 1), plain.length)).toThrow();
    expect(() => inflate(deflateRawSync(plain), plain.length)).toThrow();
  });

  it('ignores bytes after the stream', () => {
    const packed = Buffer.concat([deflateSync(plain), new Uint8Array(100_000)]);
    expect(same(inflate(packed, plain.length + 1), plain)).toBe(true);
  });
});
