/** Cells that come and go at once. */
const BLOCK = 4;

/**
 * Which of a line of cells are drawn: those in view and a block to either side. Whole blocks, so that scrolling a
 * little changes nothing.
 * @param offsetPx how far the line is scrolled
 * @param extentPx how much of it is in view
 * @returns the first, and the one after the last
 */
export function cellsNear(
  offsetPx: number,
  extentPx: number,
  cellPx: number,
  count: number,
): readonly [first: number, end: number] {
  const blockPx = BLOCK * cellPx;
  const within = (block: number) => Math.min(Math.max(BLOCK * block, 0), count);
  return [
    within(Math.floor(offsetPx / blockPx) - 1),
    within(Math.ceil((offsetPx + Math.max(extentPx, 0)) / blockPx) + 1),
  ];
}
