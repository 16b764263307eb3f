/** Layouts of wires: line/space, serpentine, comb and free routing. */
import type { Rng } from '../base/rng';
import { positions } from './drawing';
import type { Draw } from './drawing';
import { box, disc, wire } from './shapes';
import type { Area, Shape } from './shapes';

/** Bands as wide as the area and of random heights, as [top, bottom], with `gapPx` between. */
function bands(rng: Rng, area: Area, low: number, high: number, gapPx: number): [number, number][] {
  const out: [number, number][] = [];
  let top = area.y0 - high * rng.uniform();
  while (top < area.y1) {
    const bottom = top + rng.between(low, high);
    out.push([top, bottom]);
    top = bottom + gapPx;
  }
  return out;
}

/** Parallel lines; some designs cut them tip to tip, some widen every n-th into a supply rail. */
export const lines: Draw = (rng, area, { pitchPx, duty }) => {
  const base: Shape[] = [];
  const width = duty * pitchPx;
  const cutShare = rng.uniform() < 0.4 ? rng.between(0.15, 0.7) : 0;
  const railEvery = rng.uniform() < 0.2 ? 3 + rng.integer(5) : 0;
  positions(rng, area.x0, area.x1, pitchPx).forEach((x, k) => {
    const right = railEvery && k % railEvery === 0 ? x + width + pitchPx : x + width;
    // The line that a rail has swallowed.
    if (railEvery && k % railEvery === 1) return;
    if (rng.uniform() >= cutShare) {
      base.push(box(x, area.y0, right, area.y1));
      return;
    }
    const tip = rng.between(area.y0, area.y1);
    const gap = Math.max(pitchPx * rng.between(0.4, 1.2), 4);
    base.push(box(x, area.y0, right, tip - gap / 2), box(x, tip + gap / 2, right, area.y1));
  });
  return { base, top: [] };
};

/** Meanders: long bars joined in turn at the top and at the bottom, in bands. */
export const serpentine: Draw = (rng, area, { pitchPx, duty }) => {
  const base: Shape[] = [];
  const width = duty * pitchPx;
  for (const [top, bottom] of bands(rng, area, 4 * pitchPx, 11 * pitchPx, pitchPx * rng.between(0.9, 2.2))) {
    positions(rng, area.x0, area.x1, pitchPx).forEach((x, k) => {
      base.push(wire(x, top, x, bottom, width));
      const turn = k % 2 ? top : bottom;
      base.push(wire(x, turn, x + pitchPx, turn, width));
    });
  }
  return { base, top: [] };
};

/** Two combs whose fingers reach between each other: the structure that fabs measure shorts with. */
export const comb: Draw = (rng, area, { pitchPx, duty }) => {
  const base: Shape[] = [];
  const width = duty * pitchPx;
  const spine = width * rng.between(1, 3);
  const gap = pitchPx - width;
  for (const [top, bottom] of bands(rng, area, 6 * pitchPx, 13 * pitchPx, gap * rng.between(1, 2.5))) {
    const [left, right] = [area.x0 - pitchPx, area.x1 + pitchPx];
    base.push(box(left, top, right, top + spine), box(left, bottom - spine, right, bottom));
    positions(rng, area.x0, area.x1, pitchPx).forEach((x, k) => {
      const ends = k % 2 ? [top, bottom - spine - gap] : [top + spine + gap, bottom];
      base.push(box(x, ends[0], x + width, ends[1]));
    });
  }
  return { base, top: [] };
};

/** Free tracks of a routing grid, so that wires never touch by accident: that would be a defect. */
class Tracks {
  readonly #taken: Uint8Array;

  constructor(
    readonly columns: number,
    readonly rows: number,
  ) {
    this.#taken = new Uint8Array(columns * rows);
  }

  isFree(column: number, row: number): boolean {
    if (column < 0 || row < 0 || column >= this.columns || row >= this.rows) return false;
    return this.#taken[row * this.columns + column] === 0;
  }

  take(column: number, row: number): void {
    this.#taken[row * this.columns + column] = 1;
  }

  /** The longest free run of at most `length` tracks from a point along a direction; takes it. */
  run(column: number, row: number, dx: number, dy: number, length: number): number {
    let steps = 0;
    while (steps < length && this.isFree(column + (steps + 1) * dx, row + (steps + 1) * dy)) {
      steps++;
      this.take(column + steps * dx, row + steps * dy);
    }
    return steps;
  }
}

/** Wires with bends on a grid, mostly along the rows, between a few wide straps; vias at some ends. */
export const routing: Draw = (rng, area, { pitchPx, duty }) => {
  const grid = pitchPx;
  const drawing = { base: [] as Shape[], top: [] as Shape[] };
  const tracks = new Tracks(
    Math.ceil((area.x1 - area.x0) / grid) + 1,
    Math.ceil((area.y1 - area.y0) / grid) + 1,
  );
  const x0 = area.x0 - grid * rng.uniform();
  const y0 = area.y0 - grid * rng.uniform();
  const density = rng.between(0.15, 0.6);
  const bends = rng.between(0.1, 0.6);
  const vias = rng.uniform() < 0.35 ? rng.between(0.2, 0.7) : 0;
  const straps = rng.uniform() < 0.5 ? 1 + rng.integer(Math.ceil(tracks.rows / 8)) : 0;
  for (let k = 0; k < straps; k++) {
    const row = 1 + rng.integer(tracks.rows - 1);
    for (let column = 0; column < tracks.columns; column++) {
      tracks.take(column, row - 1);
      tracks.take(column, row);
    }
    const y = y0 + row * grid;
    const half = (duty * grid) / 2;
    drawing.base.push(box(area.x0, y - grid - half, area.x1, y + half));
  }
  const attempts = 4 + Math.ceil(tracks.columns * tracks.rows * density * 0.3);
  for (let k = 0; k < attempts; k++) {
    const column = rng.integer(tracks.columns);
    const row = rng.integer(tracks.rows);
    if (tracks.isFree(column, row))
      routeOne(rng, tracks, column, row, { grid, width: duty * grid, x0, y0, bends, vias }, drawing);
  }
  return drawing;
};

interface RouteRules {
  readonly grid: number;
  readonly width: number;
  readonly x0: number;
  readonly y0: number;
  readonly bends: number;
  readonly vias: number;
}

function routeOne(
  rng: Rng,
  tracks: Tracks,
  startColumn: number,
  startRow: number,
  rules: RouteRules,
  drawing: { base: Shape[]; top: Shape[] },
): void {
  let column = startColumn;
  let row = startRow;
  const place = (c: number, r: number): [number, number] => [
    rules.x0 + c * rules.grid,
    rules.y0 + r * rules.grid,
  ];
  tracks.take(column, row);
  let along = rng.uniform() < 0.8;
  for (let piece = 0; piece < 4; piece++) {
    const sign = rng.uniform() < 0.5 ? 1 : -1;
    const length = along ? 2 + rng.integer(14) : 1 + rng.integer(4);
    const steps = tracks.run(column, row, along ? sign : 0, along ? 0 : sign, length);
    const [fromX, fromY] = place(column, row);
    column += along ? sign * steps : 0;
    row += along ? 0 : sign * steps;
    drawing.base.push(wire(fromX, fromY, ...place(column, row), rules.width));
    along = !along;
    if (rng.uniform() >= rules.bends) break;
  }
  if (rng.uniform() < rules.vias) drawing.top.push(disc(...place(column, row), rules.width * 0.32));
}
