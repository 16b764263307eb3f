import { describe, expect, it } from 'vitest';
import { MaskEdit } from '../../../src/app/viewer/mask-edit';
import type { ImagePx, Point } from '../../../src/base/space';

const at = (x: number, y: number) => ({ x, y }) as Point<ImagePx>;
const blank = (width: number, height: number) =>
  new MaskEdit({ width, height, inside: new Uint8Array(width * height) });
const rows = ({ width, inside }: MaskEdit) =>
  Array.from({ length: inside.length / width }, (_, y) =>
    [...inside.subarray(y * width, (y + 1) * width)].map((value) => '.#'[value]).join(''),
  );

describe('a stroke', () => {
  it('touches the pixels whose middles are in reach', () => {
    const mask = blank(7, 5);
    mask.stroke(at(2, 2), at(5, 2), 1, 1);
    expect(rows(mask)).toEqual(['.......', '.#####.', '.#####.', '.......', '.......']);
  });

  it('of the thinnest brush touches the pixel under the point, wherever in it', () => {
    for (const [x, y] of [
      [1, 1],
      [1.01, 1.99],
      [1.99, 1.01],
    ]) {
      const mask = blank(3, 3);
      mask.stroke(at(x, y), at(x, y), 0.1, 1);
      expect(mask.inside[4]).toBe(1);
    }
  });

  it('that runs off the image stays in it', () => {
    const mask = blank(4, 4);
    const patch = mask.stroke(at(-10, 1.5), at(20, 1.5), 0.5, 1);
    expect(rows(mask)).toEqual(['....', '####', '....', '....']);
    expect(patch.right).toBe(4);
    mask.stroke(at(50, 50), at(60, 60), 3, 1);
    expect(mask.area).toBe(4);
  });

  it('erases', () => {
    const mask = blank(5, 1);
    mask.stroke(at(0, 0.5), at(5, 0.5), 1, 1);
    mask.end();
    mask.stroke(at(2.5, 0.5), at(2.5, 0.5), 0.5, 0);
    expect(rows(mask)).toEqual(['##.##']);
  });
});

describe('undo', () => {
  it('takes back one stroke at a time, and redo brings it again', () => {
    const mask = blank(6, 3);
    for (const x of [0.5, 2.5, 4.5]) {
      mask.stroke(at(x, 0.5), at(x, 0.5), 0.5, 1);
      mask.stroke(at(x, 0.5), at(x, 2.5), 0.5, 1);
      expect(mask.end()).toBe(true);
    }
    const full = rows(mask);
    expect(mask.undo()).toBe(true);
    expect(rows(mask)[0]).toBe('#.#...');
    mask.undo();
    mask.undo();
    expect(mask.area).toBe(0);
    expect(mask.undo()).toBe(false);
    while (mask.redo());
    expect(rows(mask)).toEqual(full);
    mask.undo();
    mask.stroke(at(4.5, 1.5), at(4.5, 1.5), 0.5, 1);
    mask.end();
    expect([mask.canUndo, mask.canRedo]).toEqual([true, false]);
  });

  it('knows no stroke that changed nothing', () => {
    const mask = blank(4, 4);
    mask.stroke(at(1, 1), at(1, 1), 1, 0);
    expect(mask.end()).toBe(false);
    expect(mask.clear()).toBe(false);
    expect(mask.end()).toBe(false);
    expect(mask.canUndo).toBe(false);
  });

  it('brings back what was cleared', () => {
    const mask = blank(4, 4);
    mask.stroke(at(0, 0), at(4, 4), 1, 1);
    mask.end();
    const before = rows(mask);
    expect(mask.clear()).toBe(true);
    expect(mask.area).toBe(0);
    mask.undo();
    expect(rows(mask)).toEqual(before);
  });
});
