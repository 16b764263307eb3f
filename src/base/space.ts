import type { Branded } from './ids';

/** Coordinate spaces: a position in one is not a position in another, and the compiler knows. */
/** Pixels of the image file, x to the right, y down, the corner of the first pixel at 0. */
export type ImagePx = Branded<number, 'ImagePx'>;
/** Pixels of the anomaly map (the model's input size). */
export type MapPx = Branded<number, 'MapPx'>;
/** CSS pixels of the viewer. */
export type ScreenPx = Branded<number, 'ScreenPx'>;

export interface Point<Space> {
  readonly x: Space;
  readonly y: Space;
}

/** An axis-aligned box; `x`, `y` is its first pixel, `width`, `height` count pixels. */
export interface Box<Space> {
  readonly x: Space;
  readonly y: Space;
  readonly width: Space;
  readonly height: Space;
}
