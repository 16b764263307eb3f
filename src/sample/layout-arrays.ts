/** Layouts that repeat: pads with vias, standard cells, contact holes, nanowires. */
import type { Rng } from '../base/rng';
import { positions } from './drawing';
import type { Draw } from './drawing';
import { box, cutOut, disc } from './shapes';
import type { Area, Shape } from './shapes';

/** Vias on a grid that fits a pad. */
function viaArray(pad: Area, pitchPx: number, radius: number): Shape[] {
  const columns = Math.floor((pad.x1 - pad.x0) / pitchPx);
  const rows = Math.floor((pad.y1 - pad.y0) / pitchPx);
  const out: Shape[] = [];
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++)
      out.push(
        disc(
          (pad.x0 + pad.x1) / 2 + (column - (columns - 1) / 2) * pitchPx,
          (pad.y0 + pad.y1) / 2 + (row - (rows - 1) / 2) * pitchPx,
          radius,
        ),
      );
  return out;
}

/** Large pads in rows, each with a field of vias or bare, some led away by a wire. */
export const pads: Draw = (rng, area, { pitchPx, duty }) => {
  const base: Shape[] = [];
  const top: Shape[] = [];
  const padWidth = pitchPx * rng.between(2, 5);
  const padHeight = padWidth * rng.between(0.5, 1.6);
  const gap = pitchPx * rng.between(0.7, 2);
  const viaShare = rng.uniform() < 0.6 ? rng.between(0.4, 1) : 0;
  const viaPitch = Math.max(pitchPx * rng.between(0.5, 0.8), 5);
  const leadShare = rng.between(0, 0.5);
  const radius = Math.min(padWidth, padHeight) * rng.between(0, 0.25);
  const columns = positions(rng, area.x0 - padWidth, area.x1, padWidth + gap);
  for (const y of positions(rng, area.y0 - padHeight, area.y1, padHeight + gap))
    for (const x of columns) {
      base.push(box(x, y, x + padWidth, y + padHeight, radius));
      if (rng.uniform() < viaShare)
        top.push(
          ...viaArray({ x0: x, y0: y, x1: x + padWidth, y1: y + padHeight }, viaPitch, viaPitch * 0.27),
        );
      if (rng.uniform() < leadShare) {
        const middle = y + padHeight * rng.between(0.25, 0.75);
        const half = Math.max((duty * pitchPx) / 3, 1.5);
        base.push(box(x + padWidth / 2, middle - half, x + padWidth + gap + padWidth / 2, middle + half));
      }
    }
  return { base, top };
};

/** A cell: boxes and contacts on a small grid of gates (columns) and tracks (rows), in units of one pitch. */
interface Cell {
  readonly columns: number;
  readonly base: readonly Shape[];
  readonly top: readonly Shape[];
}

const TRACKS = 6;

function drawCell(rng: Rng, duty: number, wired: number): Cell {
  const columns = 2 + rng.integer(4);
  const half = duty / 2;
  const base: Shape[] = [];
  const top: Shape[] = [];
  for (let column = 0; column < columns; column++) {
    if (rng.uniform() > wired) continue;
    // A gate column is whole, or parted into an upper and a lower piece.
    const split = rng.uniform() < 0.5 ? 2 + rng.integer(TRACKS - 4) : 0;
    const pieces = split
      ? [
          [1, split],
          [split + 1, TRACKS - 1],
        ]
      : [[1, TRACKS - 1]];
    for (const [from, to] of pieces) {
      base.push(box(column + 0.5 - half, from + 0.5 - half, column + 0.5 + half, to + 0.5 - 1 + half));
      if (rng.uniform() < 0.5)
        top.push(disc(column + 0.5, rng.uniform() < 0.5 ? from + 0.5 : to - 0.5, half * 0.6));
      // An L towards the next column, where that doesn't lead out of the cell.
      if (column + 1 < columns && rng.uniform() < 0.3) {
        base.push(box(column + 0.5, from + 0.5 - half, column + 1.5 + half, from + 0.5 + half));
      }
    }
  }
  return { columns, base, top };
}

/** Rows of a few repeated cells between supply rails, every second row upside down, as a place-and-route tool leaves them. */
export const cells: Draw = (rng, area, { pitchPx, duty }) => {
  const base: Shape[] = [];
  const top: Shape[] = [];
  const wired = rng.between(0.6, 1);
  const library = Array.from({ length: 3 + rng.integer(4) }, () => drawCell(rng, duty, wired));
  const rail = pitchPx * duty * rng.between(0.6, 1.3);
  positions(rng, area.y0 - TRACKS * pitchPx, area.y1, TRACKS * pitchPx).forEach((y, row) => {
    base.push(box(area.x0, y - rail / 2, area.x1, y + rail / 2));
    let x = area.x0 - 4 * pitchPx * rng.uniform();
    while (x < area.x1) {
      const cell = rng.pick(library);
      const place = (shape: Shape): Shape => ({
        x: x + shape.x * pitchPx,
        y: y + (row % 2 ? TRACKS - shape.y : shape.y) * pitchPx,
        halfWidth: shape.halfWidth * pitchPx,
        halfHeight: shape.halfHeight * pitchPx,
        radius: shape.radius * pitchPx,
      });
      base.push(...cell.base.map(place));
      top.push(...cell.top.map(place));
      x += cell.columns * pitchPx;
    }
  });
  return { base, top };
};

/** Round, oval or square contacts, straight or staggered, in one field or in blocks. */
export const contacts: Draw = (rng, area, { pitchPx, duty }) => {
  const base: Shape[] = [];
  const stepX = pitchPx * rng.between(1, 1.5);
  const stepY = pitchPx * rng.between(1, 1.5);
  const radius = Math.max((pitchPx * duty) / 2, 2);
  const stagger = rng.uniform() < 0.45 ? 0.5 : 0;
  const stretch = rng.uniform() < 0.3 ? rng.between(1.1, 1.5) : 1;
  const roundness = rng.uniform() < 0.7 ? 1 : rng.between(0.3, 0.7);
  const block = rng.uniform() < 0.3 ? 3 + rng.integer(5) : 0;
  const rows = positions(rng, area.y0, area.y1, stepY);
  const columns = positions(rng, area.x0 - stepX, area.x1, stepX);
  const halfHeight = Math.min(radius * stretch, 0.4 * stepY);
  rows.forEach((y, row) =>
    columns.forEach((x, column) => {
      if (block && (row % (block + 1) === 0 || column % (2 * block) === 0)) return;
      const middle = x + (row % 2 ? stagger * stepX : 0);
      base.push(
        box(
          middle - radius,
          y - halfHeight,
          middle + radius,
          y + halfHeight,
          Math.min(radius, halfHeight) * roundness,
        ),
      );
    }),
  );
  return { base, top: [] };
};

/** Standing wires seen at a slant: a long body, a ring at the tip and a bright foot, on a staggered grid. */
export const nanowires: Draw = (rng, area, { pitchPx, duty }) => {
  const base: Shape[] = [];
  const top: Shape[] = [];
  const stepX = pitchPx * rng.between(1.6, 2.4);
  const half = Math.max(stepX * duty * rng.between(0.12, 0.22), 1.5);
  const length = Math.max(stepX * rng.between(0.45, 0.9), 8 * half);
  const stepY = length * rng.between(1.25, 1.6);
  const seen = rng.uniform() < 0.75;
  const wander = half * rng.between(0, 0.5);
  const columns = positions(rng, area.x0 - stepX, area.x1, stepX);
  positions(rng, area.y0 - length, area.y1, stepY / 2).forEach((y, row) => {
    for (const x of columns) {
      const middle = x + (row % 2 ? stepX / 2 : 0) + wander * rng.bell();
      const tip = y + 2 * wander * rng.bell();
      // Looked at from above, a standing wire is a dot.
      if (!seen) {
        base.push(disc(middle, tip, 1.8 * half));
        continue;
      }
      base.push(
        box(middle - half, tip, middle + half, y + length, half),
        disc(middle, tip, 1.35 * half),
        cutOut(disc(middle, tip, 0.5 * half)),
      );
      top.push(
        box(middle - 1.3 * half, y + length - 3.4 * half, middle + 1.3 * half, y + length + half, half),
      );
    }
  });
  return { base, top };
};

/** A film without a pattern. */
export const blanket: Draw = () => ({ base: [], top: [] });
