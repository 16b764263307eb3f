import type { BackboneId, FitId, ImageId, JobId } from '../base/ids';
import type { Calibration } from '../metrics/threshold';
import type {
  About,
  Citation,
  ClassShares,
  FitProgress,
  MemoryEstimate,
  Needs,
  StepCost,
} from '../methods/contract';
import type { OptionSpec, Options } from '../methods/options';
import type { Activation } from '../nn/clip/config';
import type { ProviderReport } from '../runtime/ort';
import type { PromptSet } from '../text/prompts';
import type { Token } from '../text/tokenizer';
import type { ClassesApi, ClassifierDescription } from './classes-api';
import type { Outcome, WireError } from './outcome';
import type { Crop } from './pixels-api';

export type { Crop };

export type {
  About,
  Activation,
  Citation,
  ClassShares,
  FitProgress,
  MemoryEstimate,
  Needs,
  OptionSpec,
  Options,
  PromptSet,
  ProviderReport,
  StepCost,
  Token,
};

/** A method as the app shows it: drawn from its own description. */
export interface MethodDescription {
  readonly id: string;
  readonly title: string;
  readonly about: About;
  readonly source: Citation;
  readonly options: Readonly<Record<string, OptionSpec>>;
  readonly needs: Needs;
  /** What its features come from. */
  readonly standsOn: 'pixels' | 'backbone' | 'clip';
  /** Whether it can show its own picture of an image. */
  readonly reconstructs: boolean;
  /** Whether a sentence made by rules stands in for its language model. */
  readonly sentence: boolean;
}

/** A backbone's weights that the engine can open. */
export interface BackboneDescription {
  readonly id: BackboneId;
  readonly title: string;
  readonly architecture: string;
  /** Square input sides it takes. */
  readonly sides: { readonly multipleOf: number; readonly least: number; readonly usual: number };
  /** Of a CLIP, which puts images and texts into one space; `ask` where its file doesn't tell the activation. */
  readonly clip?: { readonly activation: Activation | 'ask' };
}

/** An image by reference: its bytes cross a boundary as a handle and are read by whoever decodes them. */
export interface ImageSource {
  readonly id: ImageId;
  readonly name: string;
  readonly blob: Blob;
  /** The part that is looked at; all of it when left out. */
  readonly crop?: Crop;
}

/** A defective image, with the mask that says where; of a support set's, the class says what. */
export interface DefectSource {
  readonly image: ImageSource;
  readonly mask?: Blob;
  /** Index among the support's classes. */
  readonly classIndex?: number;
}

/** What a support set teaches beside its images. */
export interface SupportSpec {
  /** Classes in the order of probabilities, and their texts. */
  readonly prompts: PromptSet;
  /** Index of the class without a defect. */
  readonly normal: number;
}

/** What, with its images, determines a fit. */
export interface FitSpec {
  readonly fitId: FitId;
  readonly method: string;
  readonly options: Options;
  readonly backboneId: BackboneId;
  /** Side of the square input, px. */
  readonly side: number;
  readonly seed: number;
  /** Value that becomes 1 in 16-bit images. */
  readonly white: number;
  /** Of a CLIP whose file doesn't tell it. */
  readonly activation?: Activation;
  /** For methods that are taught by a support set. */
  readonly support?: SupportSpec;
}

/** What good images alone tell about scores: held out one at a time, or as a part. Null when they are too few. */
export interface FitCalibration {
  readonly image: Calibration | null;
  readonly pixel: Calibration | null;
  /**
   * How the good scores were come by, for the page that explains the threshold. Support sets have no good image to
   * spare: others of the open set are taken, or synthetic ones.
   */
  readonly heldOut: 'one at a time' | 'a part' | 'others' | 'synthetic' | 'none';
  readonly scores: readonly number[];
}

export interface FitRequest {
  readonly jobId: JobId;
  readonly spec: FitSpec;
  readonly good: readonly ImageSource[];
  /** Taken by methods that learn from defects too. */
  readonly defects: readonly DefectSource[];
  /** Good images beside a support set's: they tell the threshold. */
  readonly others?: readonly ImageSource[];
}

export interface FitSummary {
  readonly calibration: FitCalibration;
  readonly stateBytes: number;
  readonly durationMs: number;
  readonly calibrationMs: number;
  readonly provider: ProviderReport['kind'];
  /** Good images whose work was found in a checkpoint. */
  readonly resumedImages: number;
  /** Steps of gradient descent; undefined for methods that take none. */
  readonly steps: number | undefined;
  /** Facts about this fit: which form ran, why it ended early. */
  readonly remarks: readonly string[];
}

/** A tick of a job with its clock. */
export interface JobProgress extends Omit<FitProgress, 'unit'> {
  readonly unit: FitProgress['unit'] | 'MB';
  readonly elapsedMs: number;
  /** From the pace of this phase; undefined until there is one. */
  readonly remainingMs: number | undefined;
}

export interface InspectRequest {
  readonly jobId: JobId;
  readonly spec: FitSpec;
  readonly images: readonly ImageSource[];
}

/** One inspected image, or why it could not be. */
export interface Inspection {
  readonly imageId: ImageId;
  readonly score: number;
  /** [side·side], higher is stranger. */
  readonly map: Float32Array;
  readonly side: number;
  readonly durationMs: number;
  /** By methods that tell classes apart: probabilities in the order of the support's classes. */
  readonly classes?: ClassShares<Float32Array>;
  /** Above 1 for an image unlike those that the encoder was trained on; undefined where the encoder can't tell. */
  readonly strangeness?: number;
}

export interface InspectionFailure {
  readonly imageId: ImageId;
  readonly error: WireError;
}

export interface EngineReport {
  readonly provider: ProviderReport;
  readonly methods: readonly MethodDescription[];
  readonly classifiers: readonly ClassifierDescription[];
  /** Largest relative error of the self-test, by operator family; empty on the CPU. */
  readonly selfTest: Readonly<Record<string, number>>;
}

export interface MemoryRequest {
  readonly method: string;
  readonly options: Options;
  readonly backboneId: BackboneId;
  /** Of a CLIP whose file doesn't tell it. */
  readonly activation?: Activation;
  readonly side: number;
  readonly goodImages: number;
  readonly defectImages: number;
}

/** A method's layers of a backbone at an input side. */
export type BackboneRequest = Pick<
  MemoryRequest,
  'method' | 'options' | 'backboneId' | 'activation' | 'side'
>;

/** One image, redrawn by a fit's method as if it were good. */
export interface ReconstructRequest {
  readonly spec: FitSpec;
  readonly image: ImageSource;
}

/** Both pictures at side×side, 0 … 1. */
export interface Reconstruction {
  readonly side: number;
  readonly image: Float32Array<ArrayBuffer>;
  readonly picture: Float32Array<ArrayBuffer>;
}

/** A CLIP, its activation settled. */
export interface EncoderChoice {
  readonly backboneId: BackboneId;
  readonly activation: Activation;
}

/** A text as an encoder reads it. */
export interface ReadText {
  readonly tokens: readonly Token[];
  /** Words that are read in parts. */
  readonly unusualWords: readonly string[];
  /** Of tokens, the texts that the encoder never learnt. */
  readonly unknownTokens: readonly string[];
  /** Tokens that have room. */
  readonly room: number;
  /** How many tokens at the end have none. */
  readonly dropped: number;
}

/** A class's prompts as an encoder reads them. */
export interface ReadPrompts {
  readonly count: number;
  /** How many are longer than there is room for; their ends are not read. */
  readonly cut: number;
  /** The longest one where any is cut. */
  readonly longest?: { readonly text: string; readonly tokens: number; readonly room: number };
  /** How many hold a word that the encoder never learnt; these don't count. */
  readonly unread: number;
  /** Those words, or parts of them. */
  readonly unknownTokens: readonly string[];
}

export interface AskedImage extends ImageSource {
  /** Value that becomes 1 in 16-bit images. */
  readonly white: number;
}

export interface AskRequest {
  readonly jobId: JobId;
  readonly encoder: EncoderChoice;
  readonly text: string;
  readonly images: readonly AskedImage[];
}

/** How alike a text and an image are. */
export interface Match {
  readonly imageId: ImageId;
  /** −1 … 1 */
  readonly cosine: number;
}

export type AskResult = Match | InspectionFailure;

/** The name under which the engine worker holds a lock as long as it lives: the page learns of its end by getting it. */
export const aliveLock = (worker: string): string => `darkfield.alive.${worker}`;

/** The engine worker's calls. Long ones report by callback and end early on `cancel`. */
export interface EngineApi extends ClassesApi {
  /** Lines to the pixels workers. */
  connectPixels(ports: readonly MessagePort[]): void;
  /** @param page address of the app, to find the built-in weights from */
  open(provider: 'auto' | 'webgpu' | 'wasm', page: string): Promise<Outcome<EngineReport>>;
  /** What a weights file holds, by its header. */
  recognise(blob: Blob): Promise<Outcome<Omit<BackboneDescription, 'id'>>>;
  describeBackbone(id: BackboneId): Promise<Outcome<BackboneDescription>>;
  estimate(request: MemoryRequest): Promise<Outcome<MemoryEstimate>>;
  /** Milliseconds an image takes through the bare backbone with a method's layers, measured on this device. */
  measureBackbone(request: BackboneRequest): Promise<Outcome<number>>;
  /** Milliseconds until features are there of all images of a fit, in all pictures that are made of them. */
  measureFeatures(request: MemoryRequest): Promise<Outcome<number>>;
  /** What a step of training costs on this device, measured on made-up features; null for methods without steps. */
  measureTraining(request: MemoryRequest): Promise<Outcome<StepCost | null>>;
  fit(request: FitRequest, report: (progress: JobProgress) => void): Promise<Outcome<FitSummary>>;
  inspect(
    request: InspectRequest,
    report: (result: Inspection | InspectionFailure) => void | Promise<void>,
  ): Promise<Outcome<void>>;
  /** @throws fit/option when the method has no picture of its own */
  reconstruct(request: ReconstructRequest): Promise<Outcome<Reconstruction>>;
  readText(text: string, encoder?: EncoderChoice): Promise<Outcome<ReadText>>;
  /** Every prompt of each class, in their order. @throws text/prompt */
  readPrompts(prompts: PromptSet, encoder?: EncoderChoice): Promise<Outcome<ReadPrompts[]>>;
  /** Similarities of a text and images, reported in parts as they come. */
  ask(
    request: AskRequest,
    report: (results: readonly AskResult[]) => void | Promise<void>,
  ): Promise<Outcome<void>>;
  /** Asks a job to end; a fit that is usable by then ends with what it has. */
  cancel(jobId: JobId): Promise<void>;
  /** Forgets a fit's cached programs and state. */
  forget(fitId: FitId): Promise<void>;
}
