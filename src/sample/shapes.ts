/** Shapes of a mask design and the signed distance of every pixel to them. */

/** A box with rounded corners in layout coordinates (pixels); a disc is one whose radius fills it. */
export interface Shape {
  readonly x: number;
  readonly y: number;
  readonly halfWidth: number;
  readonly halfHeight: number;
  readonly radius: number;
  /** Taken away from the others instead of added. */
  readonly cut?: boolean;
}

/** An upright rectangle in layout coordinates. */
export interface Area {
  readonly x0: number;
  readonly y0: number;
  readonly x1: number;
  readonly y1: number;
}

/** Where the image looks: the layout position of its first pixel and the direction of its rows. */
export interface View {
  readonly width: number;
  readonly height: number;
  readonly x: number;
  readonly y: number;
  readonly cos: number;
  readonly sin: number;
  /** How far each row is displaced to the right by vibration and drift, px. @shape [height] */
  readonly shifts: Float32Array;
}

/** The box between two opposite corners. */
export const box = (x0: number, y0: number, x1: number, y1: number, radius = 0): Shape => ({
  x: (x0 + x1) / 2,
  y: (y0 + y1) / 2,
  halfWidth: Math.abs(x1 - x0) / 2,
  halfHeight: Math.abs(y1 - y0) / 2,
  radius,
});

/** A disc about a point. */
export const disc = (x: number, y: number, radius: number): Shape => ({
  x,
  y,
  halfWidth: radius,
  halfHeight: radius,
  radius,
});

/** A wire from one point to another on the same row or column, ending half its width beyond both. */
export const wire = (x0: number, y0: number, x1: number, y1: number, width: number): Shape => ({
  x: (x0 + x1) / 2,
  y: (y0 + y1) / 2,
  halfWidth: (Math.abs(x1 - x0) + width) / 2,
  halfHeight: (Math.abs(y1 - y0) + width) / 2,
  radius: 0,
});

export const cutOut = (shape: Shape): Shape => ({ ...shape, cut: true });

/** The same shape with rows and columns exchanged. */
export const transposed = (shape: Shape): Shape => ({
  ...shape,
  x: shape.y,
  y: shape.x,
  halfWidth: shape.halfHeight,
  halfHeight: shape.halfWidth,
});

/** The smallest upright rectangle of the layout that holds the whole view, widened by `margin`. */
export function areaOf(view: View, margin: number): Area {
  const { width, height, cos, sin } = view;
  const xs = [0, width * cos, -height * sin, width * cos - height * sin];
  const ys = [0, width * sin, height * cos, width * sin + height * cos];
  return {
    x0: view.x + Math.min(...xs) - margin,
    y0: view.y + Math.min(...ys) - margin,
    x1: view.x + Math.max(...xs) + margin,
    y1: view.y + Math.max(...ys) + margin,
  };
}

/**
 * Signed distance to the nearest edge, positive inside, no lower than −`reach`.
 * @shape [height·width]
 * @unit pixels
 */
export function distances(view: View, shapes: readonly Shape[], reach: number): Float32Array {
  const field = new Float32Array(view.width * view.height).fill(-reach);
  for (const shape of shapes) if (!shape.cut) drawShape(field, view, shape, reach);
  for (const shape of shapes) if (shape.cut) drawShape(field, view, shape, reach);
  return field;
}

/** Columns at which |offset + step·column| ≤ limit, as [first, last]; empty where first > last. */
function slab(offset: number, step: number, limit: number, width: number): [number, number] {
  if (step < 1e-9 && step > -1e-9) return offset <= limit && offset >= -limit ? [0, width - 1] : [0, -1];
  const a = (-limit - offset) / step;
  const b = (limit - offset) / step;
  return [Math.max(Math.ceil(Math.min(a, b)), 0), Math.min(Math.floor(Math.max(a, b)), width - 1)];
}

/** Visits only the pixels within `reach` of the shape: a row of the image meets a turned box in one interval. */
function drawShape(field: Float32Array, view: View, shape: Shape, reach: number): void {
  const { width, height, cos, sin } = view;
  const { radius } = shape;
  const outerX = shape.halfWidth + reach;
  const outerY = shape.halfHeight + reach;
  const innerX = shape.halfWidth - radius;
  const innerY = shape.halfHeight - radius;
  const middle = (shape.y - view.y) * cos - (shape.x - view.x) * sin;
  const half = Math.abs(sin) * outerX + Math.abs(cos) * outerY;
  const top = Math.max(Math.floor(middle - half), 0);
  const bottom = Math.min(Math.ceil(middle + half), height - 1);
  for (let y = top; y <= bottom; y++) {
    const left = -view.shifts[y];
    const startX = view.x + cos * left - sin * y - shape.x;
    const startY = view.y + sin * left + cos * y - shape.y;
    const [firstX, lastX] = slab(startX, cos, outerX, width);
    const [firstY, lastY] = slab(startY, sin, outerY, width);
    const last = Math.min(lastX, lastY);
    for (let x = Math.max(firstX, firstY), i = y * width + x; x <= last; x++, i++) {
      const dx = Math.abs(startX + cos * x) - innerX;
      const dy = Math.abs(startY + sin * x) - innerY;
      const outside = dx > 0 && dy > 0 ? Math.sqrt(dx * dx + dy * dy) : dx > dy ? dx : dy;
      const distance = radius - outside;
      if (shape.cut) {
        if (-distance < field[i]) field[i] = -distance;
      } else if (distance > field[i]) field[i] = distance;
    }
  }
}
