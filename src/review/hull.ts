type Corner = readonly [x: number, y: number];

/**
 * Convex hull of the corners of pixels given row by row, without points on its straight lines: from the top left down
 * the left side, then up the right.
 * @param top the first row
 * @param left first column of each row from `top` on
 * @param right last column of each row
 * @source Andrew, "Another efficient algorithm for convex hulls in two dimensions", 1979
 */
export function hullOfRows(top: number, left: readonly number[], right: readonly number[]): Corner[] {
  // On the line between two rows the outermost corner of the two counts.
  const lines = left.length + 1;
  const outermost = (pick: typeof Math.min, columns: readonly number[], k: number) =>
    pick(columns[k - 1] ?? columns[k], columns[k] ?? columns[k - 1]);
  const leftSide: Corner[] = [];
  const rightSide: Corner[] = [];
  for (let k = 0; k < lines; k++) {
    extend(leftSide, [outermost(Math.min, left, k), top + k], 1);
    extend(rightSide, [outermost(Math.max, right, k) + 1, top + k], -1);
  }
  return [...leftSide, ...rightSide.reverse()];
}

/** Adds a corner below the others and drops those that no longer bulge: to the left for side 1, to the right for −1. */
function extend(side: Corner[], corner: Corner, towards: 1 | -1): void {
  while (side.length > 1 && towards * turn(side[side.length - 2], side[side.length - 1], corner) >= 0)
    side.pop();
  side.push(corner);
}

/** Below 0 when the middle corner lies to the left of the line from the first down to the last. */
const turn = (first: Corner, middle: Corner, last: Corner): number =>
  (middle[0] - first[0]) * (last[1] - first[1]) - (last[0] - first[0]) * (middle[1] - first[1]);
