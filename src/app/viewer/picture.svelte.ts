import { toAppError } from '../../base/errors';
import type { EngineClient } from '../engine-client';
import { paintGrey } from './overlay';

/** An image file as a picture for the screen. */
export class Picture {
  canvas = $state.raw<OffscreenCanvas | undefined>(undefined);
  failure = $state('');

  constructor(private readonly client: Pick<EngineClient, 'pixels'>) {}

  /** Reads an image, for an effect: what it returns drops a slower one that was asked for before. */
  show(image: { readonly name: string; readonly blob: Blob } | undefined): (() => void) | undefined {
    this.failure = '';
    if (!image) {
      this.canvas = undefined;
      return undefined;
    }
    let current = true;
    this.client
      .pixels((pixels) => pixels.display(image.blob, image.name))
      .then(
        ({ grey, width, height }) => {
          if (current) this.canvas = toCanvas(paintGrey(grey, width, height));
        },
        (error: unknown) => {
          if (current) this.failure = toAppError(error).message;
        },
      );
    return () => (current = false);
  }
}

/** A picture that can be drawn at any size. */
export function toCanvas(image: ImageData): OffscreenCanvas {
  const made = new OffscreenCanvas(image.width, image.height);
  made.getContext('2d')!.putImageData(image, 0, 0);
  return made;
}
