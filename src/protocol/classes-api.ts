import type { ImageId, JobId } from '../base/ids';
import type { ClassifierNeeds } from '../methods/classifier';
import type { About, Citation, MemoryEstimate, StepCost } from '../methods/contract';
import type { OptionSpec } from '../methods/options';
import type { ProviderReport } from '../runtime/ort';
import type { FitSpec, ImageSource, InspectionFailure, JobProgress, MethodDescription } from './engine-api';
import type { Outcome } from './outcome';

export type { ClassifierNeeds };

/** A classifier as the app shows it: drawn from its own description. */
export interface ClassifierDescription {
  readonly id: string;
  readonly title: string;
  readonly about: About;
  readonly source: Citation;
  readonly options: Readonly<Record<string, OptionSpec>>;
  readonly needs: ClassifierNeeds;
  readonly standsOn: MethodDescription['standsOn'];
}

/** What, with its images, determines the fit of a classifier. */
export interface ClassFitSpec extends Omit<FitSpec, 'support'> {
  /** Names in the order of probabilities. */
  readonly classes: readonly string[];
  /** What it is taught and asked: whole frames, or the part around the region that a mask or a detector tells. */
  readonly view: 'frame' | 'crop';
}

export interface LabelledSource {
  readonly image: ImageSource;
  readonly classIndex: number;
}

export interface ClassFitRequest {
  readonly jobId: JobId;
  readonly spec: ClassFitSpec;
  readonly images: readonly LabelledSource[];
}

/** How sure answers are, told by labelled images that the fit had not seen. */
export interface Sureness {
  /** Logits are divided by it. */
  readonly temperature: number;
  /** Images that told it. */
  readonly n: number;
  /** Expected calibration error on them, with a temperature of 1 and with this one. */
  readonly errorBefore: number;
  readonly error: number;
}

export interface ClassFitSummary {
  readonly durationMs: number;
  readonly stateBytes: number;
  readonly provider: ProviderReport['kind'];
  readonly resumedImages: number;
  readonly steps: number | undefined;
  readonly remarks: readonly string[];
  /** Null where classes have too few images to set any aside. */
  readonly sureness: Sureness | null;
  /** Images that were set aside, told by fits that had not seen them: what a review may count. */
  readonly heldOut: readonly HeldOutAnswer[];
}

export interface HeldOutAnswer {
  readonly imageId: ImageId;
  /** With the temperature. */
  readonly probabilities: Float32Array;
}

export interface ClassifyRequest {
  readonly jobId: JobId;
  readonly spec: ClassFitSpec;
  readonly images: readonly ImageSource[];
}

/** A picture of where a classifier looked: [height·width], from 0 on, without unit. */
export interface Attention {
  readonly width: number;
  readonly height: number;
  readonly values: Float32Array;
}

/** One image with its class. */
export interface Classification {
  readonly imageId: ImageId;
  /** In the order of the classes. */
  readonly probabilities: Float32Array;
  /** Of each expert, where there are several, with the same temperature. */
  readonly experts?: readonly Float32Array[];
  readonly attention?: Attention;
  readonly durationMs: number;
}

export interface ClassEstimateRequest extends Omit<
  ClassFitSpec,
  'fitId' | 'seed' | 'white' | 'classes' | 'view'
> {
  readonly images: number;
  readonly classes: number;
}

/** What a fit of a classifier takes on this device, measured. */
export interface ClassCost {
  /** A step of training; null for those without steps. */
  readonly training: StepCost | null;
  /** How often it trains: once more for each part that is set aside in its turn. */
  readonly rounds: number;
  /** How often each image goes through the backbone before it trains. */
  readonly passes: number;
  /** Milliseconds an image takes through the backbone. */
  readonly backboneMs: number;
}

/** The engine worker's calls about classes. */
export interface ClassesApi {
  /** @throws fit/memory, fit/option, fit/backbone */
  estimateClasses(request: ClassEstimateRequest): Promise<Outcome<MemoryEstimate>>;
  measureClasses(request: ClassEstimateRequest): Promise<Outcome<ClassCost>>;
  fitClasses(
    request: ClassFitRequest,
    report: (progress: JobProgress) => void,
  ): Promise<Outcome<ClassFitSummary>>;
  /** Reports each image as it comes. */
  classify(
    request: ClassifyRequest,
    report: (result: Classification | InspectionFailure) => void | Promise<void>,
  ): Promise<Outcome<void>>;
  /** From grey pixels to probabilities as one ONNX model; what it wants stands in its metadata. */
  exportClassifier(spec: ClassFitSpec): Promise<Outcome<Uint8Array<ArrayBuffer>>>;
}
