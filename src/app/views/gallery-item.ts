import type { ImageId } from '../../base/ids';

/** An image as the gallery of a confusion cell shows it. */
export interface GalleryItem {
  readonly id: ImageId;
  readonly name: string;
  readonly thumbnail: Blob;
  /** Name of the class; undefined for unknown. */
  readonly predicted: string | undefined;
  readonly actual: string;
  /** Of the most probable class, 0 … 1. */
  readonly probability: number;
}
