import { toAppError } from '../base/errors';
import type { ImageSource, InspectionFailure } from '../protocol/engine-api';

/** An image and its grey plane at the input side, 0 … 1. */
export interface Readable {
  readonly image: ImageSource;
  readonly pixels: Float32Array;
}

/** Images that can be read, in their order; of the others it is reported why not. */
export async function readable(
  images: readonly ImageSource[],
  load: (image: ImageSource) => Promise<Float32Array>,
  report: (failure: InspectionFailure) => void | Promise<void>,
): Promise<readonly Readable[]> {
  const loaded = await Promise.allSettled(images.map(load));
  const good: Readable[] = [];
  for (const [i, image] of images.entries()) {
    const result = loaded[i];
    if (result.status === 'fulfilled') good.push({ image, pixels: result.value });
    else {
      const { code, message, hint } = toAppError(result.reason);
      await report({ imageId: image.id, error: { code, message, hint } });
    }
  }
  return good;
}
