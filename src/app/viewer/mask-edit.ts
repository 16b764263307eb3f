import type { ImagePx, Point } from '../../base/space';
import type { MaskPixels } from '../../protocol/pixels-api';

/** A part of a mask, in its pixels; `right` and `bottom` are just outside. */
export interface Patch {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

/** A finished stroke: what was there before and after. */
interface Step extends Patch {
  readonly before: Uint8Array;
  readonly after: Uint8Array;
}

/** Strokes that can be taken back. */
const MOST_STEPS = 100;

/** A mask that is being painted: one step of undo for each stroke. */
export class MaskEdit {
  readonly width: number;
  readonly height: number;
  /** 0 or 1. @shape [height·width] */
  readonly inside: Uint8Array<ArrayBuffer>;
  readonly #done: Step[] = [];
  readonly #undone: Step[] = [];
  #before: Uint8Array | undefined;
  #touched: Patch | undefined;

  constructor({ width, height, inside }: MaskPixels) {
    this.width = width;
    this.height = height;
    this.inside = inside;
  }

  get canUndo(): boolean {
    return this.#done.length > 0;
  }

  get canRedo(): boolean {
    return this.#undone.length > 0;
  }

  /** How many pixels are inside. */
  get area(): number {
    return this.inside.reduce((sum, value) => sum + value, 0);
  }

  /**
   * Paints or erases from one point to another with a round brush; a pixel is touched when its middle is.
   * @param radius in pixels of the mask; at least the pixel under the point is touched
   * @returns the part that may have changed
   */
  stroke(from: Point<ImagePx>, to: Point<ImagePx>, radius: number, value: 0 | 1): Patch {
    this.#before ??= this.inside.slice();
    const reach = Math.max(radius, 0.5);
    const patch = this.#cut({
      left: Math.floor(Math.min(from.x, to.x) - reach),
      top: Math.floor(Math.min(from.y, to.y) - reach),
      right: Math.ceil(Math.max(from.x, to.x) + reach) + 1,
      bottom: Math.ceil(Math.max(from.y, to.y) + reach) + 1,
    });
    for (let y = patch.top; y < patch.bottom; y++)
      for (let x = patch.left; x < patch.right; x++)
        if (distance2(x + 0.5, y + 0.5, from, to) <= reach * reach) this.inside[y * this.width + x] = value;
    this.#dot(to, value);
    this.#touched = this.#touched ? union(this.#touched, patch) : patch;
    return patch;
  }

  /** Ends a stroke. @returns whether it changed anything */
  end(): boolean {
    const [before, patch] = [this.#before, this.#touched];
    this.#before = this.#touched = undefined;
    if (!before || !patch) return false;
    const step = { ...patch, before: this.#read(patch, before), after: this.#read(patch, this.inside) };
    if (step.before.every((value, i) => value === step.after[i])) return false;
    this.#done.push(step);
    if (this.#done.length > MOST_STEPS) this.#done.shift();
    this.#undone.length = 0;
    return true;
  }

  /** Erases everything, as one step. @returns whether there was anything */
  clear(): boolean {
    this.#before = this.inside.slice();
    this.#touched = { left: 0, top: 0, right: this.width, bottom: this.height };
    this.inside.fill(0);
    return this.end();
  }

  undo(): boolean {
    const step = this.#done.pop();
    if (!step) return false;
    this.#write(step, step.before);
    this.#undone.push(step);
    return true;
  }

  redo(): boolean {
    const step = this.#undone.pop();
    if (!step) return false;
    this.#write(step, step.after);
    this.#done.push(step);
    return true;
  }

  /** However thin the brush: the pixel under the point. */
  #dot({ x, y }: Point<ImagePx>, value: 0 | 1): void {
    const [column, row] = [Math.floor(x), Math.floor(y)];
    if (column >= 0 && row >= 0 && column < this.width && row < this.height)
      this.inside[row * this.width + column] = value;
  }

  #cut({ left, top, right, bottom }: Patch): Patch {
    const within = (value: number, most: number) => Math.min(Math.max(value, 0), most);
    return {
      left: within(left, this.width),
      top: within(top, this.height),
      right: within(right, this.width),
      bottom: within(bottom, this.height),
    };
  }

  #read({ left, top, right, bottom }: Patch, from: Uint8Array): Uint8Array {
    const values = new Uint8Array((right - left) * (bottom - top));
    for (let y = top; y < bottom; y++)
      values.set(from.subarray(y * this.width + left, y * this.width + right), (y - top) * (right - left));
    return values;
  }

  #write({ left, top, right, bottom }: Patch, values: Uint8Array): void {
    const width = right - left;
    for (let y = top; y < bottom; y++)
      this.inside.set(values.subarray((y - top) * width, (y - top + 1) * width), y * this.width + left);
  }
}

const union = (a: Patch, b: Patch): Patch => ({
  left: Math.min(a.left, b.left),
  top: Math.min(a.top, b.top),
  right: Math.max(a.right, b.right),
  bottom: Math.max(a.bottom, b.bottom),
});

/** Squared distance of a point from a line's piece. */
function distance2(x: number, y: number, a: Point<ImagePx>, b: Point<ImagePx>): number {
  const [dx, dy] = [b.x - a.x, b.y - a.y];
  const length2 = dx * dx + dy * dy;
  const t = length2 ? Math.min(Math.max(((x - a.x) * dx + (y - a.y) * dy) / length2, 0), 1) : 0;
  return (x - a.x - t * dx) ** 2 + (y - a.y - t * dy) ** 2;
}
