import type { Camera, Extent } from './camera';
import { MARGIN, centred, fit, zoomAt } from './camera';
import type { Point, ScreenPx } from '../../base/space';

/** How the viewer looks at images: kept from image to image, so that the eye can compare. */
export class ViewerState {
  showMap = $state(true);
  showContour = $state(true);
  opacity = $state(0.75);
  camera = $state.raw<Camera>({ zoom: 1, x: 0, y: 0 });
  /** The camera follows the window until the user moves it. */
  #fitted = true;
  #image: Extent = { width: 1, height: 1 };
  #screen: Extent = { width: 1, height: 1 };
  #fittedTo = this.#screen;

  /** A new picture or a new window size; views of equal pictures stay where they are, also when a row of jobs comes. */
  resize(image: Extent, screen: Extent): void {
    const other = image.width !== this.#image.width || image.height !== this.#image.height;
    this.#image = image;
    this.#screen = screen;
    const rowOnly =
      screen.width === this.#fittedTo.width && Math.abs(screen.height - this.#fittedTo.height) <= MARGIN;
    if (other || (this.#fitted && !rowOnly)) this.fit();
  }

  fit(): void {
    this.#fitted = true;
    this.#fittedTo = this.#screen;
    this.camera = fit(this.#image, this.#screen);
  }

  oneToOne(): void {
    this.#fitted = false;
    this.camera = centred(this.#image, this.#screen, 1);
  }

  zoom(factor: number, at?: Point<ScreenPx>): void {
    this.#fitted = false;
    const middle = { x: this.#screen.width / 2, y: this.#screen.height / 2 } as Point<ScreenPx>;
    this.camera = zoomAt(this.camera, at ?? middle, factor);
  }

  pan(dx: number, dy: number): void {
    this.#fitted = false;
    this.camera = { ...this.camera, x: this.camera.x + dx, y: this.camera.y + dy };
  }

  changeOpacity(by: number): void {
    this.opacity = Math.min(Math.max(Number((this.opacity + by).toFixed(2)), 0), 1);
  }
}
