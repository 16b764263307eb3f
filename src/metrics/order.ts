import { AppError } from '../base/errors';

/** Scores by falling value. `order[0 … ends[0])` are the items of the highest value, and so on: one end per tie group. */
export interface Ranked {
  readonly order: Uint32Array;
  readonly ends: Uint32Array;
}

/** The error for a number that would sort anywhere: NaN compares false with everything. */
export const notFinite = (where: string, value: number): AppError =>
  new AppError('run/not-finite', `${where} is ${value}`, {
    hint: 'Run the images again; if it stays, fit the method again.',
  });

/** @throws run/not-finite naming the first position that holds NaN or an infinity */
export function assertFinite(values: ArrayLike<number>, name: string): void {
  for (let i = 0; i < values.length; i++)
    if (!Number.isFinite(values[i])) throw notFinite(`${name}[${i}] of ${values.length}`, values[i]);
}

/**
 * Sorts descending and finds the ties. A `Float32Array` takes three radix passes (5 million in under a second, where
 * comparing takes several times as long), anything else is sorted by comparison.
 * @throws run/not-finite
 */
export function rankDescending(scores: ArrayLike<number>): Ranked {
  assertFinite(scores, 'scores');
  const order = scores instanceof Float32Array ? radixOrder(scores) : comparedOrder(scores);
  const isEnd = (i: number) => i + 1 === order.length || scores[order[i]] !== scores[order[i + 1]];
  let groups = 0;
  for (let i = 0; i < order.length; i++) if (isEnd(i)) groups++;
  const ends = new Uint32Array(groups);
  for (let i = 0, group = 0; i < order.length; i++) if (isEnd(i)) ends[group++] = i + 1;
  return { order, ends };
}

/** The 32 bits of a finite float32 as an unsigned integer that grows with the value; −0 counts as 0. */
export const ascendingKey = (bits: number): number =>
  bits === -2147483648 ? 0x80000000 : (bits ^ ((bits >> 31) | 0x80000000)) >>> 0;

const word = new Uint32Array(1);
const float = new Float32Array(word.buffer);

/** The float32 whose `ascendingKey` is `key`. */
export function floatOfKey(key: number): number {
  word[0] = key >= 0x80000000 ? key ^ 0x80000000 : ~key;
  return float[0];
}

/** The bits of a float32 array as integers, without a copy. */
export const bitsOf = (floats: Float32Array): Int32Array =>
  new Int32Array(floats.buffer, floats.byteOffset, floats.length);

function comparedOrder(scores: ArrayLike<number>): Uint32Array {
  return Uint32Array.from({ length: scores.length }, (_, i) => i).sort((a, b) => scores[b] - scores[a]);
}

/** Least significant digit first; keys travel with their positions, so that each pass reads memory in order. */
function radixOrder(scores: Float32Array): Uint32Array {
  const n = scores.length;
  const bits = bitsOf(scores);
  let keys = new Uint32Array(n);
  let order = new Uint32Array(n);
  for (let i = 0; i < n; i++) {
    keys[i] = ~ascendingKey(bits[i]);
    order[i] = i;
  }
  let sortedKeys = new Uint32Array(n);
  let sortedOrder = new Uint32Array(n);
  for (const shift of [0, 11, 22]) {
    const next = new Uint32Array(2049);
    for (let i = 0; i < n; i++) next[((keys[i] >>> shift) & 2047) + 1]++;
    for (let digit = 1; digit < 2049; digit++) next[digit] += next[digit - 1];
    for (let i = 0; i < n; i++) {
      const to = next[(keys[i] >>> shift) & 2047]++;
      sortedKeys[to] = keys[i];
      sortedOrder[to] = order[i];
    }
    [keys, sortedKeys] = [sortedKeys, keys];
    [order, sortedOrder] = [sortedOrder, order];
  }
  return order;
}
