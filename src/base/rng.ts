/** FNV-1a, 32 bits, over the UTF-16 code units of a name (ASCII names: the same as over bytes). */
export function fnv1a32(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}

/**
 * Seeded random numbers: xoshiro128**, one generator per named stream, so that asking one stream for more numbers
 * never changes another. Same seed and name, same numbers, on every platform.
 * @source Blackman and Vigna, "Scrambled linear pseudorandom number generators", 2018
 */
export class Rng {
  readonly #state: Uint32Array;

  constructor(seed: number, stream: string) {
    // splitmix32 spreads the seed over the state; the stream's name separates the sequences.
    let x = (fnv1a32(stream) ^ Math.imul(seed | 0, 0x9e3779b9)) >>> 0;
    this.#state = Uint32Array.from({ length: 4 }, () => {
      x = (x + 0x9e3779b9) >>> 0;
      let z = x;
      z = Math.imul(z ^ (z >>> 16), 0x85ebca6b);
      z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
      return (z ^ (z >>> 16)) >>> 0;
    });
    if (this.#state.every((word) => word === 0)) this.#state[0] = 1;
  }

  /** An independent generator whose sequence depends on this one's position and on `name`. */
  fork(name: string): Rng {
    return new Rng(this.uint32(), name);
  }

  uint32(): number {
    const s = this.#state;
    const x = Math.imul(s[1], 5);
    const result = Math.imul((x << 7) | (x >>> 25), 9) >>> 0;
    const t = s[1] << 9;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = (s[3] << 11) | (s[3] >>> 21);
    return result;
  }

  /** Uniform in [0, 1). */
  uniform(): number {
    return this.uint32() / 4294967296;
  }

  /** Uniform in [low, high). */
  between(low: number, high: number): number {
    return low + (high - low) * this.uniform();
  }

  /** Uniform integer in [0, n). */
  integer(n: number): number {
    return Math.floor(this.uniform() * n);
  }

  /**
   * Mean 0, variance 1, by the sum of four uniforms: bounded by ±2√3 and made of +, − and × alone, hence the same
   * bits in every engine. For pictures; `normal` is for noise whose tails matter.
   */
  bell(): number {
    return (this.uniform() + this.uniform() + this.uniform() + this.uniform() - 2) * 1.7320508075688772;
  }

  /** Standard normal by Box and Muller. */
  normal(): number {
    const radius = Math.sqrt(-2 * Math.log(1 - this.uniform()));
    return radius * Math.cos(2 * Math.PI * this.uniform());
  }

  /** A random order of 0 … n−1 (Fisher and Yates). */
  permutation(n: number): Int32Array {
    const order = Int32Array.from({ length: n }, (_, i) => i);
    for (let i = n - 1; i > 0; i--) {
      const j = this.integer(i + 1);
      [order[i], order[j]] = [order[j], order[i]];
    }
    return order;
  }

  /** k different numbers of 0 … n−1, ascending. */
  choose(n: number, k: number): Int32Array {
    return this.permutation(n).slice(0, k).sort();
  }

  /** Some different items, in their order; all where there are fewer. */
  some<T>(items: readonly T[], count: number): T[] {
    return Array.from(this.choose(items.length, Math.min(count, items.length)), (i) => items[i]);
  }

  pick<T>(items: readonly T[]): T {
    return items[this.integer(items.length)];
  }
}
