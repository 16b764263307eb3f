import type { Rng } from '../base/rng';
import type { Shape, TensorData } from '../base/tensor';
import type { Graph, GraphBuilder } from '../graph/builder';
import type { Value } from '../graph/value';
import type { Backbone, TapRole } from '../nn/backbones/backbone';
import type { ClipConfig } from '../nn/clip/config';
import type { FrozenWeights } from '../nn/frozen-weights';
import type { DeviceTensor } from '../runtime/device-tensor';
import type { Feeds, RunResult } from '../runtime/program';
import type { PromptSet } from '../text/prompts';
import type { OptionSpecs, OptionValue, Options } from './options';

/** What a method has learnt: plain arrays, cloneable, storable, hashable, exportable. */
export type MethodState = Readonly<Record<string, TensorData>>;

/** A state's tensors inside a graph. */
export type StateValues = Readonly<Record<string, Value>>;

/** Where a method comes from. */
export interface Citation {
  readonly authors: string;
  readonly title: string;
  readonly where: string;
  /** Which published code was taken as the reference, and where paper and code differ, what is taken. */
  readonly reference: string;
}

/** What a reader should know before choosing a method; the app's page and the README are drawn from it. */
export interface About {
  /** One sentence for the card. */
  readonly summary: string;
  readonly assumes: string;
  readonly fails: string;
  readonly cost: string;
  /** Stands first in lists: what to try when nothing speaks for another. */
  readonly recommended?: boolean;
}

export interface Needs {
  /** Backbone layers by their part; empty for methods that see pixels. */
  readonly taps: readonly TapRole[];
  readonly leastGoodImages: number;
  readonly defects: 'none' | 'optional' | 'required';
  /** Optional defects are taken when this option has this value. */
  readonly defectsWhen?: readonly [option: string, value: OptionValue];
  /** Is taught by a support set: classes with their texts and a few images each. */
  readonly support?: true;
}

/** What a score graph is fed with. */
export interface Inputs {
  /** Backbone features, [B,C,h,w] each; `pooled` is [B,D], tokens are as `TokenRole` says. */
  readonly taps: Readonly<Partial<Record<TapRole, Value>>>;
  /** The images themselves, grey, 0 … 1, [B,1,S,S]. */
  readonly image: Value;
  /** The network that gave the features: students and decoders mirror its description. */
  readonly backbone: Backbone;
  /**
   * Only while calibrating: [B] float32, which of the fitted good images each one is. A method that `leavesOut`
   * then scores it as if it had not been fitted on it.
   */
  readonly heldOut?: Value;
}

/** Anomaly map [B,1,S,S] and score [B]; higher is stranger. */
export interface Scored {
  readonly map: Value;
  readonly score: Value;
  /** Of methods that tell classes apart. */
  readonly classes?: ClassShares<Value>;
}

/** Probabilities of the classes of a support set in their order, [B,C] each, and where they come from. */
export interface ClassShares<T> {
  readonly fused: T;
  /** By similarity with the classes' texts. */
  readonly text: T;
  /** By the head that was learnt from labelled images; the same as `text` where nothing was learnt. */
  readonly head: T;
}

/** Sizes that an estimate depends on. */
export interface FitSize {
  readonly taps: Readonly<Partial<Record<TapRole, Shape>>>;
  readonly side: number;
  readonly goodImages: number;
  /** Defective images with masks that may be fitted on; 0 for methods that take none. */
  readonly defectImages: number;
  readonly backbone: Backbone;
}

/** Bytes a fit needs at its peak beside the backbone, and what the fit keeps. */
export interface MemoryEstimate {
  readonly fitBytes: number;
  readonly stateBytes: number;
}

/** One tick of a fit: every `yield` is one, and the only place where it can be cancelled. */
export interface FitProgress {
  readonly phase: string;
  readonly done: number;
  readonly total: number;
  /** What is counted. */
  readonly unit: 'images' | 'picks' | 'positions' | 'steps' | 'texts';
  /** Of the last step that was looked at. */
  readonly loss?: number;
  /** Of good images that are not trained on, when it was just measured. */
  readonly heldOutLoss?: number;
  /** The fit may end here with what it has: a cancel then keeps that instead of throwing the work away. */
  readonly usable?: boolean;
}

/** What a step of training costs on this device: measured, not promised. */
export interface StepCost {
  /** One step: forward, backward, update. */
  readonly stepMs: number;
  /** The forward pass of the same graph on the same batch. */
  readonly forwardMs: number;
  /** Milliseconds one iteration takes, all its steps together. */
  readonly iterationMs: number;
  readonly iterations: number;
}

/** One batch of embedded good images: `values` is [count, ...] of images first, first+1, … */
export interface EmbeddedBatch {
  readonly first: number;
  readonly count: number;
  readonly values: TensorData;
}

/** A compiled graph, as a fit sees it. */
export interface FitProgram {
  run(feeds: Feeds, options?: { finite?: boolean }): Promise<RunResult>;
}

/** Named pieces that survive a lost device, a dead worker and a closed tab; gone when the fit ends. */
export interface Checkpoint {
  get(key: string): Promise<TensorData | undefined>;
  put(key: string, piece: TensorData): Promise<void>;
}

/** Which images of a fit: those of a detector's, or the labelled ones of a classifier's. */
export type Portion = 'good' | 'defects' | 'labelled';

/**
 * Another picture made of one before it is embedded: turned over, or with a piece of a good one in it. The same every
 * time, for a resumed fit.
 * @param image [side·side], 0 … 1
 * @param index of the image in its portion
 * @param good loads a good image of the fit, [side·side]
 */
export type View = (
  image: Float32Array,
  index: number,
  good: (index: number) => Promise<Float32Array>,
) => Float32Array | Promise<Float32Array>;

/** Texts as an encoder sees them, as unit vectors. */
export interface TextVectors {
  /** One for each class: the normalised mean over its prompts. [C,E] */
  readonly classes: TensorData;
  /** Good and bad in general. [2,E] */
  readonly general: TensorData;
}

/** A CLIP's text tower, for prompts of which a part is learnt. */
export interface TextSource {
  readonly config: ClipConfig;
  /** All of the tower but its table of tokens, by open_clip's names. */
  readonly weights: FrozenWeights;
  /**
   * A text as the tower's first layer gets it, without positions: start, tokens and end.
   * @returns [n,width]; undefined for words that the encoder never learnt
   */
  embedTokens(text: string): Promise<TensorData | undefined>;
}

/** What a support set says of the images: those of the normal class are the good ones, all others the defects. */
export interface Support {
  /** Index of the class without a defect. */
  readonly normal: number;
  /** Class of each defective image. */
  readonly defectClasses: readonly number[];
  /** Whether each defective image has a mask. */
  readonly masked: readonly boolean[];
  /** The classes and their words, in the order of probabilities. */
  readonly prompts: PromptSet;
  /** Encodes every prompt, once: later fits find the vectors. @throws text/prompt */
  texts(): AsyncGenerator<FitProgress, TextVectors>;
  /** @throws model/… when the weights are missing or no CLIP */
  textTower(): Promise<TextSource>;
}

/** All that training may ask of the world, whatever is trained. */
export interface FitWorld {
  readonly taps: FitSize['taps'];
  readonly side: number;
  readonly backbone: Backbone;
  /** How many images a portion has. */
  count(of: Portion): number;
  rng(stream: string): Rng;
  /**
   * A portion's images in their order through the backbone and `build`, read back batch by batch. Batches are
   * checkpointed under `key`: a resumed fit doesn't compute them again.
   * @param build from features [B,C,h,w] to any value whose first axis is B
   * @param of the good ones when left out
   * @param view makes other images of them; a key of its own for each
   */
  embed(
    key: string,
    build: (inputs: Inputs) => Value,
    of?: Portion,
    view?: View,
  ): AsyncGenerator<EmbeddedBatch>;
  /** The weights behind the features, for methods that train the network itself. */
  backboneWeights(): FrozenWeights;
  compile(graph: Graph, resident?: readonly string[]): Promise<FitProgram>;
  upload(tensor: TensorData): DeviceTensor;
  read(tensor: DeviceTensor): Promise<TensorData>;
  readonly checkpoint: Checkpoint;
  /** True once the user asked for the end: a fit that is usable ends at its next step and returns what it has. */
  readonly ending: boolean;
  /** States a fact about this fit beside its result: the form that ran, why it ended early. */
  remark(text: string): void;
  /** Set when only the cost of a step is wanted: training reports it and ends. */
  readonly trial?: { report(cost: StepCost): void };
}

/** What a detector's fit may ask beside. */
export interface FitContext extends FitSize, FitWorld {
  /** Mask of a defective image at side×side, 0 or 1. @throws fit/mask also where there is none */
  defectMask(index: number): Promise<Uint8Array>;
  /** Undefined for methods that take none. */
  readonly support?: Support;
}

/** An anomaly detector: a description. It never sees a session, a worker, the DOM or the database. */
export interface Detector<O extends Options = Options> {
  readonly title: string;
  readonly source: Citation;
  readonly about: About;
  readonly options: OptionSpecs<O>;
  readonly needs: Needs;
  /** Taps that these options need, where that depends on them; `needs.taps` are those of the defaults then. */
  taps?(options: O): readonly TapRole[];
  /**
   * True when `score` honours `heldOut`: calibration then leaves out one image at a time without a second fit. The
   * others set good images aside (`kit/held-out`) and don't train on them.
   */
  readonly leavesOut: boolean;
  /** In the place of the method's language model, the app says in a sentence made by rules what the map shows. */
  readonly sentence?: true;
  /** Pictures that images become before training, in all views. One of each good image if left out. */
  pictures?(size: FitSize, options: O): number;
  memory(size: FitSize, options: O): MemoryEstimate;
  fit(context: FitContext, options: O): AsyncGenerator<FitProgress, MethodState>;
  score(graph: GraphBuilder, inputs: Inputs, state: StateValues, options: O): Scored;
  /** For methods that redraw an image as if it were good: their picture of it, 0 … 1, [B,1,S,S]. */
  reconstruct?(graph: GraphBuilder, inputs: Inputs, state: StateValues, options: O): Value;
}
