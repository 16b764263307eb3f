import type { GraphBuilder } from '../graph/builder';
import type { Value } from '../graph/value';
import type { TapRole } from '../nn/backbones/backbone';
import type {
  About,
  Citation,
  FitProgress,
  FitSize,
  FitWorld,
  Inputs,
  MemoryEstimate,
  MethodState,
  StateValues,
} from './contract';
import type { OptionSpecs, Options } from './options';

/** What a classifier is taught by. */
export interface Labels {
  /** In the order of probabilities; at least two. */
  readonly classes: readonly string[];
  /** Index of each image's class. */
  readonly classOf: readonly number[];
  /** The images to train on, ascending; what the others are like tells how sure the answers are. */
  readonly trained: readonly number[];
}

/** Sizes that an estimate depends on. */
export interface ClassifierSize extends Pick<FitSize, 'taps' | 'side' | 'backbone'> {
  readonly images: number;
  readonly classes: number;
}

/** All that a classifier's fit may ask of the world; its images are the portion `labelled`. */
export interface ClassifierContext extends FitWorld {
  readonly labels: Labels;
}

/** What a classifier tells of a batch of images. */
export interface Classified {
  /** Their softmax, after division by the fit's temperature, are the probabilities. [B,C] */
  readonly logits: Value;
  /** Of several experts, each one's own logits: where they disagree, a reviewer should look. [B,C] each */
  readonly experts?: readonly Value[];
  /** Where it looked, from 0 on, without unit. [B,1,h,w] */
  readonly attention?: Value;
  /** Of a smaller network that learnt to answer like the whole: what is exported. [B,C] */
  readonly student?: Value;
}

export interface ClassifierNeeds {
  readonly taps: readonly TapRole[];
  /** Backbones it is about, by the start of their architectures' names; any when left out. */
  readonly architectures?: readonly string[];
}

/** Tells the classes of defects apart: a description, as a detector is. */
export interface Classifier<O extends Options = Options> {
  readonly title: string;
  readonly source: Citation;
  readonly about: About;
  readonly options: OptionSpecs<O>;
  readonly needs: ClassifierNeeds;
  /** Taps that these options need, where that depends on them; `needs.taps` are those of the defaults then. */
  taps?(options: O): readonly TapRole[];
  /** Taps that a fit needs beside those, for what it learns and forgets: `classify` has none of them. */
  fitTaps?(options: O): readonly TapRole[];
  /**
   * True for those that fit within seconds: they are fitted twice, on a part to learn from the rest how sure answers
   * are, then on everything. The others train once and leave that part out.
   */
  refits(options: O): boolean;
  /** How often each image goes through the backbone: as it is, turned over, in other views. */
  passes(options: O): number;
  memory(size: ClassifierSize, options: O): MemoryEstimate;
  fit(context: ClassifierContext, options: O): AsyncGenerator<FitProgress, MethodState>;
  classify(graph: GraphBuilder, inputs: Inputs, state: StateValues, options: O): Classified;
}
