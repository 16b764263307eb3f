import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { toHex } from '../../src/base/ids';
import { Sha256 } from '../../src/base/sha256';

const hashOf = (parts: readonly Uint8Array[]): string => {
  const hash = new Sha256();
  for (const part of parts) hash.update(part);
  return toHex(hash.finish());
};
const text = (value: string) => new TextEncoder().encode(value);

/** @source FIPS 180-4, examples */
it.each([
  ['', 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'],
  ['abc', 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'],
  [
    'abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq',
    '248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1',
  ],
])('"%s"', (value, expected) => expect(hashOf([text(value)])).toBe(expected));

it('in whatever parts the data come', () =>
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 6 }), (parts) => {
      const whole = createHash('sha256');
      for (const part of parts) whole.update(part);
      expect(hashOf(parts)).toBe(whole.digest('hex'));
    }),
  ));

it('of lengths around a block', () => {
  for (const length of [55, 56, 57, 63, 64, 65, 119, 120, 128]) {
    const data = Uint8Array.from({ length }, (_, i) => i * 7);
    expect(hashOf([data]), String(length)).toBe(createHash('sha256').update(data).digest('hex'));
  }
});
