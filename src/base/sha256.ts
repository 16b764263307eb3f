const BLOCK = 64;

/** The first `count` primes' roots: 32 bits behind the point, as the standard defines its constants. */
function rootBits(count: number, root: (prime: number) => number): Int32Array {
  const primes: number[] = [];
  for (let n = 2; primes.length < count; n++) if (primes.every((prime) => n % prime)) primes.push(n);
  // Signed, since engines keep signed 32-bit numbers in registers and unsigned ones as floats.
  return new Int32Array(Uint32Array.from(primes, (prime) => (root(prime) % 1) * 2 ** 32));
}

const ROUND_CONSTANTS = rootBits(64, Math.cbrt);
const START = rootBits(8, Math.sqrt);

const rotated = (word: number, by: number): number => (word >>> by) | (word << (32 - by));

/**
 * SHA-256 of data that come in parts: the browser's own wants the whole in memory at once.
 * @source FIPS 180-4, 6.2
 */
export class Sha256 {
  readonly #state = START.slice();
  readonly #words = new Int32Array(64);
  readonly #rest = new Uint8Array(BLOCK);
  #bytes = 0;

  update(part: Uint8Array): void {
    let at = 0;
    const held = this.#bytes % BLOCK;
    this.#bytes += part.byteLength;
    if (held) {
      at = Math.min(BLOCK - held, part.byteLength);
      this.#rest.set(part.subarray(0, at), held);
      if (held + at < BLOCK) return;
      this.#take(this.#rest, 0);
    }
    for (; at + BLOCK <= part.byteLength; at += BLOCK) this.#take(part, at);
    this.#rest.set(part.subarray(at));
  }

  /** The 32 bytes; nothing can be added afterwards. */
  finish(): Uint8Array {
    const bytes = this.#bytes;
    // A one, zeros, and the length in bits as the last eight bytes of a block.
    const end = new Uint8Array(BLOCK - ((bytes + 8) % BLOCK) + 8);
    end[0] = 0x80;
    new DataView(end.buffer).setBigUint64(end.byteLength - 8, BigInt(bytes) * 8n);
    this.update(end);
    const out = new DataView(new ArrayBuffer(32));
    this.#state.forEach((word, i) => out.setUint32(4 * i, word));
    return new Uint8Array(out.buffer);
  }

  #take(data: Uint8Array, at: number): void {
    const words = this.#words;
    for (let i = 0; i < 16; i++, at += 4)
      words[i] = (data[at] << 24) | (data[at + 1] << 16) | (data[at + 2] << 8) | data[at + 3];
    for (let i = 16; i < 64; i++) {
      const [early, late] = [words[i - 15], words[i - 2]];
      const small = rotated(early, 7) ^ rotated(early, 18) ^ (early >>> 3);
      const large = rotated(late, 17) ^ rotated(late, 19) ^ (late >>> 10);
      words[i] = words[i - 16] + small + words[i - 7] + large;
    }
    const state = this.#state;
    let [a, b, c, d, e, f, g, h] = state;
    for (let i = 0; i < 64; i++) {
      const first =
        (h +
          (rotated(e, 6) ^ rotated(e, 11) ^ rotated(e, 25)) +
          ((e & f) ^ (~e & g)) +
          ROUND_CONSTANTS[i] +
          words[i]) |
        0;
      const second = (rotated(a, 2) ^ rotated(a, 13) ^ rotated(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
      h = g;
      g = f;
      f = e;
      e = (d + first) | 0;
      d = c;
      c = b;
      b = a;
      a = (first + second) | 0;
    }
    [a, b, c, d, e, f, g, h].forEach((word, i) => (state[i] += word));
  }
}
