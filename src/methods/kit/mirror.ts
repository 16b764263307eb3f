/** How an image is turned over: left and right, up and down. */
export interface Mirror {
  readonly x: boolean;
  readonly y: boolean;
}

/** An image or a mask turned over. @shape [side·side] */
export function mirrored<T extends Float32Array | Uint8Array>(plane: T, side: number, { x, y }: Mirror): T {
  const turned = plane.slice() as T;
  for (let row = 0; row < side; row++)
    for (let column = 0; column < side; column++)
      turned[row * side + column] =
        plane[(y ? side - 1 - row : row) * side + (x ? side - 1 - column : column)];
  return turned;
}
