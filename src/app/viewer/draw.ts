import type { ImagePx, Point, ScreenPx } from '../../base/space';
import { formatLength } from '../actions/format';
import { scaleBar } from './camera';
import type { Camera, Extent } from './camera';

/** All that one frame shows. */
export interface Scene {
  readonly density: number;
  readonly camera: Camera;
  readonly picture: OffscreenCanvas | undefined;
  readonly overlay: OffscreenCanvas | undefined;
  /** The overlay pixel by pixel, as masks are; otherwise smoothed, as maps are. */
  readonly sharpOverlay?: boolean;
  readonly contour: { readonly path: Path2D; readonly side: number } | undefined;
  /** nm per image pixel; without it the scale bar counts pixels. */
  readonly pitchNm: number | undefined;
  readonly view: Extent;
}

/** Above this zoom single pixels are what one wants to see. */
const SHARP_FROM = 2;

/** Draws picture, map, contour and scale bar. */
export function drawScene(context: CanvasRenderingContext2D, scene: Scene): void {
  const { density, camera, picture, overlay, contour } = scene;
  context.setTransform(density, 0, 0, density, 0, 0);
  context.clearRect(0, 0, scene.view.width, scene.view.height);
  if (!picture) return;
  const [width, height] = [picture.width * camera.zoom, picture.height * camera.zoom];
  context.imageSmoothingEnabled = camera.zoom < SHARP_FROM;
  context.drawImage(picture, camera.x, camera.y, width, height);
  if (overlay) {
    context.imageSmoothingEnabled = !scene.sharpOverlay;
    context.drawImage(overlay, camera.x, camera.y, width, height);
  }
  if (contour) drawContour(context, contour.path, camera, width / contour.side, height / contour.side);
  drawScaleBar(context, scene);
}

/** White with a black halo: readable on any grey and any colour. */
function drawContour(
  context: CanvasRenderingContext2D,
  path: Path2D,
  { x, y }: Camera,
  scaleX: number,
  scaleY: number,
): void {
  const onScreen = new Path2D();
  onScreen.addPath(path, new DOMMatrix([scaleX, 0, 0, scaleY, x, y]));
  context.lineJoin = 'round';
  context.strokeStyle = 'rgb(0 0 0 / 0.8)';
  context.lineWidth = 3.5;
  context.stroke(onScreen);
  context.strokeStyle = 'white';
  context.lineWidth = 1.5;
  context.stroke(onScreen);
}

function drawScaleBar(context: CanvasRenderingContext2D, { camera, pitchNm, view }: Scene): void {
  const { units, widthPx } = scaleBar((pitchNm ?? 1) / camera.zoom, view.width);
  const text = pitchNm ? formatLength(units) : `${units} px`;
  const [right, bottom] = [view.width - 20, view.height - 20];
  context.font = '12px system-ui, sans-serif';
  context.textAlign = 'center';
  context.lineWidth = 4;
  context.strokeStyle = 'black';
  context.strokeText(text, right - widthPx / 2, bottom - 8);
  context.fillStyle = 'white';
  context.fillText(text, right - widthPx / 2, bottom - 8);
  context.fillStyle = 'black';
  context.fillRect(right - widthPx - 1, bottom - 3, widthPx + 2, 5);
  context.fillStyle = 'white';
  context.fillRect(right - widthPx, bottom - 2, widthPx, 3);
}

/** Where a mouse event happened, in the viewer's own pixels. */
export const centreOf = ({ offsetX, offsetY }: MouseEvent): Point<ScreenPx> =>
  ({ x: offsetX, y: offsetY }) as Point<ScreenPx>;

/** The brush as a circle of its size, readable on any grey. */
export function drawBrush(
  context: CanvasRenderingContext2D,
  { x, y, zoom }: Camera,
  at: Point<ImagePx>,
  radius: number,
): void {
  context.beginPath();
  context.arc(at.x * zoom + x, at.y * zoom + y, Math.max(radius * zoom, 1), 0, 2 * Math.PI);
  context.strokeStyle = 'rgb(0 0 0 / 0.8)';
  context.lineWidth = 3;
  context.stroke();
  context.strokeStyle = 'white';
  context.lineWidth = 1;
  context.stroke();
}
