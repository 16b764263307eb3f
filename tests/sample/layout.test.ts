import { describe, expect, it } from 'vitest';
import { connectedComponents } from '../../src/base/components';
import { Rng } from '../../src/base/rng';
import { LAYOUT_NAMES, drawLayout, suits } from '../../src/sample/layout';
import { distances } from '../../src/sample/shapes';
import type { View } from '../../src/sample/shapes';

const SIZE = 200;
const MARGIN = 40;
const view: View = { width: SIZE, height: SIZE, x: 0, y: 0, cos: 1, sin: 0, shifts: new Float32Array(SIZE) };
const area = { x0: -MARGIN, y0: -MARGIN, x1: SIZE + MARGIN, y1: SIZE + MARGIN };
const RULES = { pitchPx: 16, duty: 0.5 };

const drawn = (seed: number, name: (typeof LAYOUT_NAMES)[number], rules = RULES): Float32Array =>
  distances(view, drawLayout(new Rng(seed, name), name, area, rules).base, 9);

const share = (field: Float32Array): number => field.filter((value) => value > 0).length / field.length;

describe('layouts', () => {
  it.each(LAYOUT_NAMES.filter((name) => name !== 'blanket'))('%s has features and ground', (name) => {
    for (let seed = 0; seed < 20; seed++) {
      const filled = share(drawn(seed, name));
      expect(filled).toBeGreaterThan(name === 'mixture' ? 0.005 : 0.02);
      expect(filled).toBeLessThan(0.95);
    }
  });

  it('blanket is bare, and nothing can bridge there', () => {
    expect(drawLayout(new Rng(1, 'blanket'), 'blanket', area, RULES)).toEqual({ base: [], top: [] });
    expect(suits('blanket', 'bridge')).toBe(false);
    expect(suits('blanket', 'particle')).toBe(true);
    expect(suits('lines', 'bridge')).toBe(true);
  });

  it('lines fill the share of the pitch that the rules give', () => {
    for (const duty of [0.35, 0.5, 0.65]) {
      let sum = 0;
      for (let seed = 0; seed < 30; seed++) sum += share(drawn(seed, 'lines', { pitchPx: 14, duty }));
      // Rails and cut tips move it a little.
      expect(Math.abs(sum / 30 - duty)).toBeLessThan(0.06);
    }
  });

  it('runs along the rows as often as down the columns', () => {
    let upright = 0;
    for (let seed = 0; seed < 60; seed++) {
      const { base } = drawLayout(new Rng(seed, 'way'), 'lines', area, RULES);
      if (base[0].halfHeight > base[0].halfWidth) upright++;
    }
    expect(upright).toBeGreaterThan(18);
    expect(upright).toBeLessThan(42);
  });

  it('every spine of a comb is a net of its own: a short or a loose finger would be a defect', () => {
    const side = 160;
    const wide = { ...view, width: 620, height: 620, x: -230, y: -230, shifts: new Float32Array(620) };
    for (let seed = 0; seed < 10; seed++) {
      const { base } = drawLayout(new Rng(seed, 'comb'), 'comb', { x0: 0, y0: 0, x1: side, y1: side }, RULES);
      const spines = base.filter(
        (shape) =>
          (shape.x === side / 2 && shape.halfWidth === side / 2 + RULES.pitchPx) ||
          (shape.y === side / 2 && shape.halfHeight === side / 2 + RULES.pitchPx),
      );
      const metal = distances(wide, base, 9).map((value) => (value > 0 ? 1 : 0));
      expect(spines.length).toBeGreaterThan(0);
      expect(connectedComponents(metal, wide.width, wide.height).count).toBe(spines.length);
    }
  });

  it('routed wires keep the space of the rules between them', () => {
    for (let seed = 0; seed < 10; seed++) {
      const field = drawn(seed, 'routing');
      const space = RULES.pitchPx * (1 - RULES.duty);
      for (let y = 0; y < SIZE; y++)
        for (let x = 8; x < SIZE - 8; x++) {
          const at = (dx: number): number => field[y * SIZE + x + dx];
          if (at(0) < 0 && at(-1) > 0) {
            let width = 0;
            while (x + width < SIZE && field[y * SIZE + x + width] < 0) width++;
            if (x + width < SIZE) expect(width).toBeGreaterThanOrEqual(Math.floor(space) - 1);
          }
        }
    }
  });
});
