import { describe, expect, it } from 'vitest';
import { unpackBytes, unpackLzw } from '../../src/image/tiff-codecs';

/** Codes of 9 bits, high bit first. */
function nineBits(...codes: number[]): Uint8Array {
  const bits = codes.map((code) => code.toString(2).padStart(9, '0')).join('');
  const bytes = bits.match(/.{1,8}/g) ?? [];
  return Uint8Array.from(bytes, (byte) => parseInt(byte.padEnd(8, '0'), 2));
}

describe('PackBits', () => {
  // The example of Apple's Technical Note TN1023.
  const packed = Uint8Array.from([
    0xfe, 0xaa, 2, 0x80, 0, 0x2a, 0xfd, 0xaa, 3, 0x80, 0, 0x2a, 0x22, 0xf7, 0xaa,
  ]);
  const run = (length: number) => new Array<number>(length).fill(0xaa);
  const plain = [...run(3), 0x80, 0, 0x2a, ...run(4), 0x80, 0, 0x2a, 0x22, ...run(10)];

  it('unpacks the published example', () => {
    expect([...unpackBytes(packed, 24)]).toEqual(plain);
  });

  it('stops at the limit and at the end', () => {
    for (let limit = 0; limit <= 24; limit++)
      expect([...unpackBytes(packed, limit)]).toEqual(plain.slice(0, limit));
    expect(unpackBytes(packed, 100)).toHaveLength(24);
    expect([...unpackBytes(packed.subarray(0, 5), 24)]).toEqual(plain.slice(0, 5));
    expect([...unpackBytes(packed.subarray(0, 1), 24)]).toEqual([]);
  });

  it('skips the head that means nothing', () => {
    expect([...unpackBytes(Uint8Array.of(0x80, 0x80, 0, 7), 9)]).toEqual([7]);
  });
});

describe('LZW', () => {
  it('unpacks the example of the TIFF specification', () => {
    const packed = nineBits(256, 7, 258, 8, 8, 258, 6, 6, 257);
    expect([...unpackLzw(packed, 100)]).toEqual([7, 7, 7, 8, 8, 7, 7, 6, 6]);
  });

  it('stops at the limit within a string, and where the codes end', () => {
    const packed = nineBits(256, 7, 258, 8, 8, 258, 6, 6);
    expect([...unpackLzw(packed, 2)]).toEqual([7, 7]);
    expect([...unpackLzw(packed, 100)]).toEqual([7, 7, 7, 8, 8, 7, 7, 6, 6]);
    expect(unpackLzw(new Uint8Array(0), 100)).toHaveLength(0);
  });

  it('refuses codes that are not in the table yet', () => {
    expect(() => unpackLzw(nineBits(256, 258), 9)).toThrow('LZW code 258, the table ends at 257');
    expect(() => unpackLzw(nineBits(256, 7, 259), 9)).toThrow('LZW code 259, the table ends at 258');
    // After a clear the old strings are gone.
    expect(() => unpackLzw(nineBits(256, 7, 258, 258, 256, 7, 259), 99)).toThrow('the table ends at 258');
  });

  it('unpacks a table that is full and never cleared', () => {
    // One byte again and again: string n is n bytes long, so that widths grow to 12 and the table fills.
    let bits = '';
    let width = 9;
    const write = (code: number) => (bits += code.toString(2).padStart(width, '0'));
    write(256);
    write(5);
    let length = 1;
    for (let next = 258; next < 4096; next++) {
      if (next + 2 === 1 << width && width < 12) {
        write(next);
        width++;
      } else write(next);
      length += next - 256;
    }
    for (let i = 0; i < 3; i++) {
      write(4095);
      length += 4095 - 256;
    }
    const packed = Uint8Array.from(bits.match(/.{1,8}/g) ?? [], (byte) => parseInt(byte.padEnd(8, '0'), 2));
    const unpacked = unpackLzw(packed, length + 100);
    expect(unpacked).toHaveLength(length);
    expect(unpacked.every((v) => v === 5)).toBe(true);
  });
});
