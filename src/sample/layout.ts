/** The mask designs: what is drawn on the wafer before lithography rounds and roughens it. */
import type { Rng } from '../base/rng';
import type { ClassName } from './classes';
import type { DesignRules, Drawing } from './drawing';
import { blanket, cells, contacts, nanowires, pads } from './layout-arrays';
import { comb, lines, routing, serpentine } from './layout-wires';
import { transposed } from './shapes';
import type { Area, Shape } from './shapes';

/** All layouts but the mixture of them. */
const PURE = { lines, serpentine, comb, pads, cells, routing, contacts, nanowires, blanket } as const;
type PureName = keyof typeof PURE;

export const LAYOUT_NAMES = [...(Object.keys(PURE) as PureName[]), 'mixture'] as const;
export type LayoutName = (typeof LAYOUT_NAMES)[number];

/** Which classes have no meaning on a layout: there is nothing to bridge on a bare film. */
const UNSUITED: Partial<Record<LayoutName, readonly ClassName[]>> = { blanket: ['bridge'] };

/** Whether a class has a meaning on a layout. */
export const suits = (layout: LayoutName, className: ClassName): boolean =>
  !UNSUITED[layout]?.includes(className);

/** How often a layout's features are recessed (trenches, holes) instead of raised. */
export const RECESSED_SHARE: Readonly<Record<LayoutName, number>> = {
  lines: 0.4,
  serpentine: 0.35,
  comb: 0.4,
  pads: 0.2,
  cells: 0.4,
  routing: 0.55,
  contacts: 0.75,
  nanowires: 0,
  blanket: 0,
  mixture: 0.4,
};

/** What may stand beside what in a mixture. */
const MIXABLE: readonly PureName[] = [
  'lines',
  'serpentine',
  'comb',
  'pads',
  'cells',
  'routing',
  'contacts',
  'blanket',
];

/** Draws a layout over an area; half of all designs run down the columns instead of along the rows. */
export function drawLayout(rng: Rng, name: LayoutName, area: Area, rules: DesignRules): Drawing {
  if (name === 'mixture') return mixture(rng, area, rules);
  // Standing wires lean one way only: the microscope's tilt, not the design's.
  if (name === 'nanowires' || rng.uniform() < 0.5) return PURE[name](rng, area, rules);
  const turned = { x0: area.y0, y0: area.x0, x1: area.y1, y1: area.x1 };
  const { base, top } = PURE[name](rng, turned, rules);
  return { base: base.map(transposed), top: top.map(transposed) };
}

/** Blocks of different layouts side by side with a margin between, as at the border of an array. */
function mixture(rng: Rng, area: Area, rules: DesignRules): Drawing {
  const base: Shape[] = [];
  const top: Shape[] = [];
  for (const block of split(rng, area, rng.uniform() < 0.4 ? 2 : 1)) {
    const margin = rules.pitchPx * rng.between(0.3, 0.9);
    const inner = {
      x0: block.x0 + margin,
      y0: block.y0 + margin,
      x1: block.x1 - margin,
      y1: block.y1 - margin,
    };
    const drawing = drawLayout(rng, rng.pick(MIXABLE), inner, {
      pitchPx: rules.pitchPx * rng.between(0.8, 1.5),
      duty: rules.duty,
    });
    base.push(...drawing.base.flatMap((shape) => clipped(shape, inner)));
    top.push(...drawing.top.flatMap((shape) => clipped(shape, inner)));
  }
  return { base, top };
}

/** Halves an area `depth` times at random places, across its longer side. */
function split(rng: Rng, area: Area, depth: number): Area[] {
  if (depth === 0) return [area];
  const at = rng.between(0.35, 0.65);
  if (area.x1 - area.x0 >= area.y1 - area.y0) {
    const x = area.x0 + at * (area.x1 - area.x0);
    return [...split(rng, { ...area, x1: x }, depth - 1), ...split(rng, { ...area, x0: x }, depth - 1)];
  }
  const y = area.y0 + at * (area.y1 - area.y0);
  return [...split(rng, { ...area, y1: y }, depth - 1), ...split(rng, { ...area, y0: y }, depth - 1)];
}

/** The part of a shape inside an area; round shapes that would be cut fall away. */
function clipped(shape: Shape, area: Area): Shape[] {
  const x0 = Math.max(shape.x - shape.halfWidth, area.x0);
  const x1 = Math.min(shape.x + shape.halfWidth, area.x1);
  const y0 = Math.max(shape.y - shape.halfHeight, area.y0);
  const y1 = Math.min(shape.y + shape.halfHeight, area.y1);
  const isWhole = x1 - x0 > 2 * shape.halfWidth - 1e-6 && y1 - y0 > 2 * shape.halfHeight - 1e-6;
  if (isWhole) return [shape];
  if (x1 - x0 < 2 || y1 - y0 < 2 || shape.radius > 0) return [];
  return [
    {
      ...shape,
      x: (x0 + x1) / 2,
      y: (y0 + y1) / 2,
      halfWidth: (x1 - x0) / 2,
      halfHeight: (y1 - y0) / 2,
    },
  ];
}
