import type { ImagePx, Point, ScreenPx } from '../../base/space';

/** Where the picture lies on the screen: screen = image · zoom + offset, in CSS pixels. */
export interface Camera {
  readonly zoom: number;
  readonly x: number;
  readonly y: number;
}

const LEAST_ZOOM = 0.05;
const MOST_ZOOM = 64;
/** Around a fitted picture, in CSS pixels: no less than the height of a row of jobs, which then cuts none of it off. */
export const MARGIN = 36;

export interface Extent {
  readonly width: number;
  readonly height: number;
}

/** The whole picture in the middle, with a margin. */
export function fit(image: Extent, screen: Extent): Camera {
  const zoom = Math.max(
    Math.min((screen.width - 2 * MARGIN) / image.width, (screen.height - 2 * MARGIN) / image.height),
    LEAST_ZOOM,
  );
  return centred(image, screen, zoom);
}

/** A zoom with the picture in the middle. */
export const centred = (image: Extent, screen: Extent, zoom: number): Camera => ({
  zoom,
  x: (screen.width - image.width * zoom) / 2,
  y: (screen.height - image.height * zoom) / 2,
});

/** Zooms by a factor, keeping the point under the pointer where it is. */
export function zoomAt(camera: Camera, at: Point<ScreenPx>, factor: number): Camera {
  const zoom = Math.min(Math.max(camera.zoom * factor, LEAST_ZOOM), MOST_ZOOM);
  const change = zoom / camera.zoom;
  return { zoom, x: at.x - (at.x - camera.x) * change, y: at.y - (at.y - camera.y) * change };
}

export const toImage = (camera: Camera, at: Point<ScreenPx>): Point<ImagePx> => ({
  x: ((at.x - camera.x) / camera.zoom) as ImagePx,
  y: ((at.y - camera.y) / camera.zoom) as ImagePx,
});

/** A length of the 1-2-5 series whose bar takes 15 to 25 % of the view, or as near as the series comes. */
export function scaleBar(unitsPerScreenPx: number, viewWidth: number): { units: number; widthPx: number } {
  const wanted = unitsPerScreenPx * viewWidth * 0.2;
  const power = 10 ** Math.floor(Math.log10(wanted));
  const nearest = [1, 2, 5, 10].reduce((best, step) =>
    Math.abs(Math.log(wanted / (step * power))) < Math.abs(Math.log(wanted / (best * power))) ? step : best,
  );
  const units = nearest * power;
  return { units, widthPx: units / unitsPerScreenPx };
}
