import type { View } from '../contract';

/** How an image is turned over: left and right, up and down. */
export interface Mirror {
  readonly x: boolean;
  readonly y: boolean;
}

const AS_IT_IS: Mirror = { x: false, y: false };
const TURNED: readonly Mirror[] = [
  { x: true, y: false },
  { x: false, y: true },
  { x: true, y: true },
];

/** How images are turned over to learn from, as they are first. @source methods.md 19.3 */
export const mirrorsOf = (flips: boolean): readonly Mirror[] => (flips ? [AS_IT_IS, ...TURNED] : [AS_IT_IS]);

/** An image or a mask turned over. @shape [side·side] */
export function mirrored<T extends Float32Array | Uint8Array>(plane: T, side: number, { x, y }: Mirror): T {
  const turned = plane.slice() as T;
  for (let row = 0; row < side; row++)
    for (let column = 0; column < side; column++)
      turned[row * side + column] =
        plane[(y ? side - 1 - row : row) * side + (x ? side - 1 - column : column)];
  return turned;
}

/** A view that turns an image over; none for one that leaves it. */
export const mirrorView = (side: number, mirror: Mirror): View | undefined =>
  mirror.x || mirror.y ? (image) => mirrored(image, side, mirror) : undefined;
