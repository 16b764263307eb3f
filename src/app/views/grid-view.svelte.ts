import { flushSync } from 'svelte';
import { cellsNear } from './grid-window';

export type Cell = readonly [row: number, column: number];

/** Of a cell, px. */
export const CELL_PX = 28;
/** What sticky headers and figures cover of the box, px; the scroll padding of the matrix says where. */
const COVERED = { height: 168, width: 264 };
/** In view at first, px. */
const FIRST_PX = 10 * CELL_PX;
/** Rows are numbered from 1 in `aria-rowindex`, the header first; columns likewise. */
const HEADERS = 2;

const STEPS: Readonly<Record<string, Cell>> = {
  ArrowUp: [-1, 0],
  ArrowDown: [1, 0],
  ArrowLeft: [0, -1],
  ArrowRight: [0, 1],
};

const within = (value: number, least: number, most: number) => Math.max(Math.min(value, most), least);

/** A scrolled grid of equal cells: which of them are drawn, and which one has the focus or takes it by Tab. */
export class GridView {
  #box: HTMLElement | undefined;
  /** Of the box inside, px. Until it is known a small grid is drawn whole. */
  #inside = $state.raw({ height: COVERED.height + FIRST_PX, width: COVERED.width + FIRST_PX });
  #scroll = $state.raw({ top: 0, left: 0 });
  #stop = $state.raw<Cell>([0, 0]);

  /** Rows that are drawn: the first, and the one after the last. */
  rows = $derived.by(() =>
    cellsNear(this.#scroll.top, this.#inside.height - COVERED.height, CELL_PX, this.size().rows),
  );
  columns = $derived.by(() => {
    const { columns, widthPx } = this.size();
    return cellsNear(this.#scroll.left, this.#inside.width - COVERED.width, widthPx, columns);
  });
  /** The one cell that Tab stops at: always one that is drawn. */
  at = $derived.by((): Cell => {
    const [[top, bottom], [left, right]] = [this.rows, this.columns];
    return [within(this.#stop[0], top, bottom - 1), within(this.#stop[1], left, right - 1)];
  });

  constructor(
    private readonly size: () => {
      readonly rows: number;
      readonly columns: number;
      /** Of a column. */
      readonly widthPx: number;
    },
    private readonly onselect: (cell: Cell) => void,
  ) {}

  /** Follows the size of what scrolls. A large grid is drawn in a frame of its own, not with the page around it. */
  readonly scrolls = (box: HTMLElement): (() => void) => {
    this.#box = box;
    let frame = 0;
    const observer = new ResizeObserver(() => {
      cancelAnimationFrame(frame);
      frame = requestAnimationFrame(() => {
        this.#inside = { height: box.clientHeight, width: box.clientWidth };
      });
    });
    observer.observe(box);
    return () => {
      observer.disconnect();
      cancelAnimationFrame(frame);
    };
  };

  readonly click = (event: MouseEvent): void => {
    const cell = cellOf(event);
    if (!cell) return;
    this.#stop = cell;
    this.onselect(cell);
  };

  readonly press = (event: KeyboardEvent): void => {
    const cell = cellOf(event);
    if (!cell) return;
    const target = this.#target(cell, event);
    if (target) this.#go(target);
    else if (event.key === 'Enter' || event.key === ' ') this.onselect(cell);
    else return;
    // Arrows are the app's keys for images too.
    event.preventDefault();
    event.stopPropagation();
  };

  /** The cell that had the focus may be gone; then the nearest that is drawn has it. */
  readonly scrolled = (): void => {
    const box = this.#box;
    if (!box) return;
    const focused = box.contains(document.activeElement);
    this.#scroll = { top: box.scrollTop, left: box.scrollLeft };
    flushSync();
    if (!focused || box.contains(document.activeElement)) return;
    this.#stop = this.at;
    this.#focus(this.at, { preventScroll: true });
  };

  #target([row, column]: Cell, { key, ctrlKey, metaKey }: KeyboardEvent): Cell | undefined {
    const whole = ctrlKey || metaKey;
    const { rows, columns } = this.size();
    if (key === 'Home') return [whole ? 0 : row, 0];
    if (key === 'End') return [whole ? rows - 1 : row, columns - 1];
    const step = STEPS[key];
    if (!step || whole) return undefined;
    return [within(row + step[0], 0, rows - 1), within(column + step[1], 0, columns - 1)];
  }

  /** Moves the focus to a cell, which is drawn first when it is far away. */
  #go(target: Cell): void {
    const box = this.#box;
    if (!box) return;
    const [row, column] = target;
    const [[top, bottom], [left, right]] = [this.rows, this.columns];
    this.#stop = target;
    if (row < top || row >= bottom) box.scrollTop = CELL_PX * row - box.clientHeight / 2;
    if (column < left || column >= right) box.scrollLeft = this.size().widthPx * column - box.clientWidth / 2;
    this.#scroll = { top: box.scrollTop, left: box.scrollLeft };
    flushSync();
    this.#focus(target);
  }

  #focus([row, column]: Cell, options?: FocusOptions): void {
    const name = `[aria-rowindex="${row + HEADERS}"] > [aria-colindex="${column + HEADERS}"]`;
    this.#box?.querySelector<HTMLElement>(name)?.focus(options);
  }
}

function cellOf(event: Event): Cell | undefined {
  const cell = (event.target as HTMLElement).closest('[role=gridcell]');
  if (!cell) return undefined;
  return [Number(cell.parentElement!.ariaRowIndex) - HEADERS, Number(cell.ariaColIndex) - HEADERS];
}
