/** IEEE 754 half precision to number, for all 65,536 patterns (subnormals, infinities and NaN included). */
export function halfToFloat(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

const word = new Uint32Array(1);
const float = new Float32Array(word.buffer);

/** A float32 value to half precision, rounded to nearest, ties to even; beyond 65,504 becomes infinity. */
export function floatToHalf(value: number): number {
  float[0] = value;
  const bits = word[0];
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00;
  if (magnitude >= 0x47800000) return sign | 0x7c00;
  if (magnitude < 0x38800000) {
    // Subnormal half: adding 0.5 aligns the fraction so that the float unit rounds it for us.
    float[0] = Math.abs(float[0]) + 0.5;
    return sign | (word[0] - 0x3f000000);
  }
  const rounded = magnitude - 0x38000000 + 0xfff + ((magnitude >>> 13) & 1);
  return sign | (rounded >>> 13);
}

let table: Float32Array | undefined;

/** Half-precision patterns to a float32 array. @param out of their length, where they go */
export function halvesToFloats(halves: Uint16Array, out = new Float32Array(halves.length)): Float32Array {
  table ??= Float32Array.from({ length: 65536 }, (_, bits) => halfToFloat(bits));
  for (let i = 0; i < out.length; i++) out[i] = table[halves[i]];
  return out;
}

/** A float32 array to half-precision patterns. */
export function floatsToHalves(floats: Float32Array): Uint16Array {
  const out = new Uint16Array(floats.length);
  for (let i = 0; i < out.length; i++) out[i] = floatToHalf(floats[i]);
  return out;
}

/** bfloat16 patterns (the upper half of a float32) to a float32 array. */
export function bfloatsToFloats(patterns: Uint16Array): Float32Array {
  return new Float32Array(Uint32Array.from(patterns, (bits) => bits << 16).buffer);
}
