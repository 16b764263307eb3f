import { describe, expect, it } from 'vitest';
import { Rng } from '../../src/base/rng';
import { expose, reachPx } from '../../src/sample/beam';
import type { Beam } from '../../src/sample/beam';
import { CLASS_NAMES } from '../../src/sample/classes';
import type { DefectName } from '../../src/sample/classes';
import { withDefect } from '../../src/sample/defects';
import type { Defective } from '../../src/sample/defects';
import {
  drawDesign,
  drawRecipe,
  drawView,
  exposeDefect,
  openField,
  photograph,
} from '../../src/sample/field-of-view';
import type { Field } from '../../src/sample/field-of-view';
import { LAYOUT_NAMES } from '../../src/sample/layout';
import type { LayoutName } from '../../src/sample/layout';
import { RANGES } from '../../src/sample/ranges';
import { changedRows } from '../../src/sample/scene';

const SIZE = 96;
const SEEDS = 12;
const DEFECTS = CLASS_NAMES.filter((name): name is DefectName => name !== 'good');

/** Nothing but the spot and the slopes: its reach is the smallest that there is. */
const sharp = (beam: Beam): Beam => ({ ...beam, shadow: 0, trail: 0, spotPx: 0.5, astigmatism: 1 });

function open(seed: number, layout: LayoutName, beam: (drawn: Beam) => Beam = (drawn) => drawn): Field {
  const rng = new Rng(seed, layout);
  const drawn = drawRecipe(rng.fork('recipe'), RANGES, layout);
  const recipe = { ...drawn, beam: beam(drawn.beam) };
  const view = drawView(rng.fork('view'), recipe, SIZE, SIZE);
  return openField(rng.fork('field'), recipe, view, drawDesign(rng.fork('design'), recipe, view));
}

const inflict = (seed: number, field: Field, className: DefectName): Defective | undefined =>
  withDefect(new Rng(seed, className), field.scene, className, field.recipe.defectSize);

/** For each pixel, whether the mask holds one within `reach` rows and columns of it. */
function grown(mask: Uint8Array, reach: number): Uint8Array {
  const out = new Uint8Array(mask.length);
  mask.forEach((inside, i) => {
    if (!inside) return;
    const [x, y] = [i % SIZE, Math.floor(i / SIZE)];
    for (let row = Math.max(y - reach, 0); row <= Math.min(y + reach, SIZE - 1); row++)
      out.fill(1, row * SIZE + Math.max(x - reach, 0), row * SIZE + Math.min(x + reach, SIZE - 1) + 1);
  });
  return out;
}

/** Sidewalls of the pattern, fringes of soft edges and the feet of lips and rims, px. */
const SLOPE_PX = 5;

describe.each(DEFECTS)('%s', (className) => {
  it('changes the noise-free picture inside its mask, and outside only within the reach of slopes and beam', () => {
    let seen = 0;
    for (const layout of LAYOUT_NAMES)
      for (let seed = 0; seed < SEEDS; seed++) {
        // Every second scene under the beam as drawn, with shadows and trails.
        const field = open(seed, layout, seed % 2 ? sharp : undefined);
        const defect = inflict(seed, field, className);
        if (!defect?.mask.includes(1)) continue;
        const exposure = exposeDefect(field, defect);
        const before = photograph(field, field.signal);
        const after = photograph(field, exposure.signal);
        const near = grown(defect.mask, SLOPE_PX + reachPx(field.recipe.beam));
        const outside = before.filter((value, i) => !near[i] && Math.abs(value - after[i]) > 1).length;
        expect.soft(outside, `${layout}, seed ${seed}: pixels changed outside`).toBe(0);
        // One that shows at all changes grey values in its mask.
        if (exposure.contrast > 2)
          expect(before.some((value, i) => defect.mask[i] === 1 && value !== after[i])).toBe(true);
        seen++;
      }
    expect(seen).toBeGreaterThan(0.6 * SEEDS * LAYOUT_NAMES.length);
  });

  it('changes the wafer at every pixel of its mask', () => {
    for (const layout of LAYOUT_NAMES)
      for (let seed = 0; seed < SEEDS; seed++) {
        const { scene: clean } = open(seed, layout);
        const defect = withDefect(new Rng(seed, className), clean, className, 1);
        if (!defect) continue;
        const { scene, mask } = defect;
        const idle = mask.filter(
          (inside, i) => inside && scene.tone[i] === clean.tone[i] && scene.relief[i] === clean.relief[i],
        ).length;
        // Where a lip or rim passes from rise to fall a pixel may happen to stay.
        expect(idle).toBeLessThanOrEqual(2 + 0.02 * mask.filter(Boolean).length);
      }
  });

  it('leaves the clean scene untouched', () => {
    const field = open(3, 'lines');
    const [tone, relief, print] = [field.scene.tone, field.scene.relief, field.scene.print].map((a) =>
      a.slice(),
    );
    inflict(3, field, className);
    expect(field.scene.tone).toEqual(tone);
    expect(field.scene.relief).toEqual(relief);
    expect(field.scene.print).toEqual(print);
  });

  it('comes in several varieties', () => {
    const field = open(1, 'comb');
    const varieties = new Set(
      Array.from({ length: 60 }, (_, seed) => inflict(seed, field, className)?.variety),
    );
    expect(varieties.size).toBeGreaterThanOrEqual(3);
  });
});

describe('bridge', () => {
  it('has no place on a bare film', () => {
    expect(inflict(1, open(1, 'blanket'), 'bridge')).toBeUndefined();
  });

  it('joins metal to metal: its footprint was ground and is metal', () => {
    let seen = 0;
    for (let seed = 0; seed < 30; seed++) {
      const field = open(seed, 'lines');
      const defect = inflict(seed, field, 'bridge');
      if (!defect) continue;
      defect.mask.forEach((inside, i) => {
        if (!inside) return;
        expect(field.scene.print[i]).toBeLessThanOrEqual(0);
        expect(defect.scene.print[i]).toBeGreaterThan(0);
      });
      seen++;
    }
    expect(seen).toBeGreaterThan(20);
  });
});

describe('exposeDefect', () => {
  it('gives what a full exposure gives, though it exposes the changed rows alone', () => {
    for (const className of DEFECTS)
      for (let seed = 0; seed < 6; seed++) {
        const field = open(seed, 'cells');
        const defect = inflict(seed, field, className);
        if (!defect) continue;
        const whole = expose(defect.scene, field.recipe.beam, field.illumination);
        const { signal } = exposeDefect(field, defect);
        const worst = whole.reduce((most, value, i) => Math.max(most, Math.abs(value - signal[i])), 0);
        expect(worst).toBeLessThan(1e-5);
      }
  });

  it('finds no changed rows in an unchanged scene', () => {
    const { scene } = open(1, 'pads');
    expect(changedRows(scene, scene)).toEqual([0, 0]);
  });
});
