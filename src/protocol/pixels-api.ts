import type { ImageMetadata } from '../image/vendor-metadata';
import type { ClassReport } from '../metrics/class-report';
import type { PixelMetrics } from '../metrics/pixel-metrics';
import type { Outcome } from './outcome';

/** How pixels become a model's input. */
export interface PixelSpec {
  readonly side: number;
  readonly kernel: 'bilinear' | 'bicubic';
  /** Value that becomes 1 in 16-bit images. */
  readonly white: number;
  /** The part that is looked at; all of it when left out. */
  readonly crop?: Crop | undefined;
}

/** A part of an image, in shares of its width and height. */
export interface Crop {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** What is known of an image after decoding it once. */
export interface DecodedSummary {
  readonly width: number;
  readonly height: number;
  readonly bits: 8 | 16;
  /** Largest value in the file. */
  readonly maxValue: number;
  readonly format: string;
  readonly metadata: ImageMetadata;
  /** Aspect kept, at most the asked side, 8-bit grey PNG. */
  readonly thumbnail: Blob;
}

/** 8-bit grey pixels for the screen. */
export interface DisplayPixels {
  readonly width: number;
  readonly height: number;
  readonly grey: Uint8Array<ArrayBuffer>;
}

/** A mask at its image's size. */
export interface MaskPixels {
  readonly width: number;
  readonly height: number;
  /** 0 or 1. @shape [height·width] */
  readonly inside: Uint8Array<ArrayBuffer>;
}

/** A file of the built-in sample, as it would lie in a folder. */
export interface SampleFile {
  readonly path: string;
  readonly blob: Blob;
}

/** One inspected image of a set that is being evaluated. */
export interface EvaluationItem {
  readonly name: string;
  readonly score: number;
  readonly map: Float32Array;
  /** Undefined where no label says. */
  readonly defective: boolean | undefined;
  readonly mask: Blob | undefined;
}

export interface EvaluationRequest {
  readonly side: number;
  readonly items: readonly EvaluationItem[];
}

/** Figures of one method on one set; null is "not defined", never 0. */
export interface SetFigures {
  readonly image: {
    readonly auroc: number | null;
    readonly ap: number | null;
    readonly f1: number | null;
    /** Labelled images. */
    readonly count: number;
    readonly defective: number;
  };
  readonly pixel: PixelMetrics & { readonly images: number };
}

/** What a classifier said of labelled images. */
export interface ClassReportRequest {
  /** Class index per image. */
  readonly actual: readonly number[];
  /** Class index per image; as many as classes for unknown. */
  readonly predicted: readonly number[];
  /** [C], images that each class was taught with. */
  readonly trained: readonly number[];
}

/** Told before each part of a long work how many bytes are done; `false` ends it. */
export type GoOn = (doneBytes: number) => boolean | Promise<boolean>;

/** The pixels worker's calls: stateless, so any worker of the pool answers any call. */
export interface PixelsApi {
  summarise(blob: Blob, name: string): Promise<Outcome<DecodedSummary>>;
  /** Grey plane squashed to side×side, 0 … 1. */
  load(blob: Blob, name: string, spec: PixelSpec): Promise<Outcome<Float32Array<ArrayBuffer>>>;
  display(blob: Blob, name: string): Promise<Outcome<DisplayPixels>>;
  /** Mask at side×side, 0 or 1. */
  mask(blob: Blob, name: string, side: number): Promise<Outcome<Uint8Array<ArrayBuffer>>>;
  /** Mask at its own size. */
  wholeMask(blob: Blob, name: string): Promise<Outcome<MaskPixels>>;
  /** A mask as an 8-bit grey PNG, 0 and 255. */
  drawMask(mask: MaskPixels): Promise<Outcome<Blob>>;
  /** Image and pixel figures of inspected images, masks brought to the maps' side. */
  evaluate(request: EvaluationRequest): Promise<Outcome<SetFigures>>;
  /** The figures of a review with their intervals, which take a thousand draws of the images. */
  reportClasses(request: ClassReportRequest): Promise<Outcome<ClassReport>>;
  sample(seed: number): Promise<Outcome<SampleFile[]>>;
  /**
   * SHA-256 of a file's bytes, hexadecimal. A large file is read in parts.
   * @throws cancelled when `goOn` says so
   */
  hash(blob: Blob, goOn?: GoOn): Promise<Outcome<string>>;
  /** Answers on a second line too: the engine asks for pixels without the page between them. */
  connect(port: MessagePort): void;
}
