import type { DBSchema } from 'idb';
import type { BackboneId, FitId, ImageId } from '../base/ids';
import type { TensorData } from '../base/tensor';
import type { ImageMetadata } from '../image/vendor-metadata';
import type { ClassFitSpec, ClassFitSummary, Classification } from '../protocol/classes-api';
import type { BackboneDescription, ClassShares, Crop, FitSpec, FitSummary } from '../protocol/engine-api';

/** An image file, once, whatever sets it is in. */
export interface ImageRecord {
  readonly id: ImageId;
  readonly blob: Blob;
  readonly width: number;
  readonly height: number;
  readonly bits: 8 | 16;
  readonly maxValue: number;
  readonly format: string;
  readonly metadata: ImageMetadata;
  readonly thumbnail: Blob;
}

export type SetId = string;

/** An image's place in a set. */
export interface EntryRecord {
  readonly setId: SetId;
  readonly imageId: ImageId;
  /** Order of adding. */
  readonly position: number;
  readonly name: string;
  readonly role: 'good' | 'inspect';
  readonly className?: string;
  /** The mask file as it was dropped. */
  readonly mask?: Blob;
}

export interface SetRecord {
  readonly id: SetId;
  readonly name: string;
  readonly createdAt: number;
  /** Names of classes in the order of their keys, those without an image among them. */
  readonly classes?: readonly string[];
}

export type SupportSetId = string;

/** An image that teaches a class. */
export interface SupportImage {
  readonly imageId: ImageId;
  readonly name: string;
  /** Of the image's own size; where the defect is. */
  readonly mask?: Blob;
  /** How much of the image the mask covers, above 0, up to 1. */
  readonly maskShare?: number;
  /** When the mask was last changed, Date.now(): a fit from before has learnt from another one. */
  readonly maskedAt?: number;
}

export interface SupportClass {
  readonly name: string;
  /** What it looks like in words, as typed: phrases with `{o}` where the object goes. */
  readonly states: readonly string[];
  readonly images: readonly SupportImage[];
}

/** Classes, their words and a few images each: what few-shot methods are taught by. Reused over sets of images. */
export interface SupportSetRecord {
  readonly id: SupportSetId;
  readonly name: string;
  readonly createdAt: number;
  readonly classes: readonly SupportClass[];
  /** Index of the class without a defect. */
  readonly normal: number;
  readonly objects: readonly string[];
  readonly templates: readonly string[];
}

/** A fit, finished or begun: one without a summary can be resumed. */
export interface FitRecord {
  readonly id: FitId;
  readonly setId: SetId;
  readonly spec: FitSpec;
  readonly goodIds: readonly ImageId[];
  /** Defective images it was fitted on; they are left out of its figures. */
  readonly defectIds?: readonly ImageId[];
  /** Where its images come from, when they aren't those of the set that it inspects. */
  readonly supportSetId?: SupportSetId;
  readonly createdAt: number;
  readonly summary?: FitSummary;
}

export interface ResultRecord {
  readonly fitId: FitId;
  readonly imageId: ImageId;
  readonly score: number;
  readonly map: Float32Array;
  readonly side: number;
  readonly durationMs: number;
  readonly classes?: ClassShares<Float32Array>;
  readonly strangeness?: number;
}

/** A fit of a classifier, finished or begun: one without a summary can be resumed. */
export interface ClassFitRecord {
  readonly id: FitId;
  readonly setId: SetId;
  readonly spec: ClassFitSpec;
  /** The images it is taught by as they were labelled then, and what of them was shown. */
  readonly taught: readonly {
    readonly imageId: ImageId;
    readonly classIndex: number;
    readonly crop?: Crop;
  }[];
  /** Labelled images that can't be read: it is taught without them. */
  readonly unread?: readonly ImageId[];
  readonly createdAt: number;
  readonly summary?: ClassFitSummary;
}

/** What a classifier says of an image. */
export interface ClassResultRecord extends Classification {
  readonly fitId: FitId;
  /** What it was shown; the whole frame when left out. */
  readonly crop?: Crop;
  /** Of the whole frame, where it was shown a crop; of the crop, where it was shown the frame. */
  readonly other?: Float32Array;
}

export interface BackboneRecord {
  readonly description: BackboneDescription;
  readonly fileName: string;
  readonly blob: Blob;
}

export interface Schema extends DBSchema {
  images: { key: ImageId; value: ImageRecord };
  sets: { key: SetId; value: SetRecord };
  entries: { key: [SetId, ImageId]; value: EntryRecord; indexes: { bySet: SetId } };
  fits: { key: FitId; value: FitRecord; indexes: { bySet: SetId } };
  states: { key: FitId; value: Readonly<Record<string, TensorData>> };
  checkpoints: { key: [FitId, string]; value: TensorData };
  results: { key: [FitId, ImageId]; value: ResultRecord };
  backbones: { key: BackboneId; value: BackboneRecord };
  settings: { key: string; value: unknown };
  /** By encoder, its id and activation, and hash of an image or a text. */
  embeddings: { key: [string, string]; value: Float32Array };
  supportSets: { key: SupportSetId; value: SupportSetRecord };
  classFits: { key: FitId; value: ClassFitRecord; indexes: { bySet: SetId } };
  classResults: { key: [FitId, ImageId]; value: ClassResultRecord };
}

export const DATABASE = 'darkfield';
export const VERSION = 4;
