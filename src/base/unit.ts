/** Below this a vector has no direction. */
const TINY = 1e-12;

/** A vector of length 1 in the direction of another. */
export function unit(vector: ArrayLike<number>): Float32Array {
  let squares = 0;
  for (let i = 0; i < vector.length; i++) squares += vector[i] * vector[i];
  const length = Math.max(Math.sqrt(squares), TINY);
  return Float32Array.from(vector, (value) => value / length);
}
