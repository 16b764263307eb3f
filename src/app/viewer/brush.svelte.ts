import type { ImagePx, Point } from '../../base/space';
import type { MaskPixels } from '../../protocol/pixels-api';
import { MaskEdit } from './mask-edit';
import type { Patch } from './mask-edit';
import { ViewerState } from './viewer-state.svelte';

/** Okabe and Ito's orange: seen by everyone, on any grey. */
const PAINT = [230, 159, 0, 130] as const;
export const LEAST_RADIUS = 0.5;
export const MOST_RADIUS = 100;

/** The brush and the mask that it paints; the mask is kept whenever a stroke ends. */
export class Brush {
  /** How the painted image is looked at, apart from the other viewer. */
  readonly viewer = new ViewerState();
  tool = $state<'paint' | 'erase'>('paint');
  /** In pixels of the image. */
  radius = $state(6);
  /** How much of the image is painted after the last stroke, 0 … 1. */
  share = $state(0);
  /** Changes with everything that is painted. */
  version = $state(0);
  #edit = $state.raw<MaskEdit | undefined>(undefined);
  #layer: OffscreenCanvas | undefined;
  #keep: (mask: MaskPixels) => void = () => undefined;

  get edit(): MaskEdit | undefined {
    return this.#edit;
  }

  get canUndo(): boolean {
    return this.version >= 0 && !!this.#edit?.canUndo;
  }

  get canRedo(): boolean {
    return this.version >= 0 && !!this.#edit?.canRedo;
  }

  /** The mask as a translucent picture. */
  get layer(): OffscreenCanvas | undefined {
    return this.version >= 0 ? this.#layer : undefined;
  }

  /** Takes a mask to paint on. @param keep is told after every stroke */
  open(mask: MaskPixels, keep: (mask: MaskPixels) => void): void {
    this.#edit = new MaskEdit(mask);
    this.#keep = keep;
    this.#layer = new OffscreenCanvas(mask.width, mask.height);
    this.share = this.#edit.area / mask.inside.length;
    this.#paint({ left: 0, top: 0, right: mask.width, bottom: mask.height });
  }

  close(): void {
    this.#edit = undefined;
    this.#layer = undefined;
    this.share = 0;
    this.version++;
  }

  stroke(from: Point<ImagePx>, to: Point<ImagePx>): void {
    if (this.#edit) this.#paint(this.#edit.stroke(from, to, this.radius, this.tool === 'paint' ? 1 : 0));
  }

  end(): void {
    if (this.#edit?.end()) this.#changed();
  }

  undo(): void {
    if (this.#edit?.undo()) this.#repaint();
  }

  redo(): void {
    if (this.#edit?.redo()) this.#repaint();
  }

  clear(): void {
    if (this.#edit?.clear()) this.#repaint();
  }

  /** A step of about an eighth, at least a half. */
  resize(direction: 1 | -1): void {
    const step = Math.max(0.5, Math.round(this.radius / 4) / 2);
    this.radius = Math.min(Math.max(this.radius + direction * step, LEAST_RADIUS), MOST_RADIUS);
  }

  #repaint(): void {
    const { width, height } = this.#edit!;
    this.#paint({ left: 0, top: 0, right: width, bottom: height });
    this.#changed();
  }

  #changed(): void {
    this.version++;
    const { width, height, inside, area } = this.#edit!;
    this.share = area / inside.length;
    this.#keep({ width, height, inside: inside.slice() });
  }

  #paint({ left, top, right, bottom }: Patch): void {
    const [width, height] = [right - left, bottom - top];
    if (width > 0 && height > 0) {
      const { inside, width: row } = this.#edit!;
      const image = new ImageData(width, height);
      for (let y = 0; y < height; y++)
        for (let x = 0; x < width; x++)
          if (inside[(top + y) * row + left + x]) image.data.set(PAINT, 4 * (y * width + x));
      this.#layer!.getContext('2d')!.putImageData(image, left, top);
    }
    this.version++;
  }
}
