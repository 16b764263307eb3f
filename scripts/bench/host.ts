import type { BackboneId } from '../../src/base/ids';
import type { ClassShares, FitSpec, FitSummary, StepCost } from '../../src/protocol/engine-api';
import type { BenchImage } from './dataset';

export interface HostResult {
  readonly score: number;
  readonly map: Float32Array;
  readonly classes?: ClassShares<Float32Array>;
  readonly strangeness?: number;
}

/** A look at good images that are not trained on. */
export interface Look {
  readonly phase: string;
  readonly step: number;
  readonly loss: number;
}

/** Where the engine runs: in this process, or in a browser's workers. */
export interface BenchHost {
  readonly provider: string;
  /**
   * @param defects of a support set
   * @param looked is told the held-out losses of a training, where the host hears of them
   * @throws usage where the host takes no support set
   */
  fit(
    spec: FitSpec,
    good: readonly BenchImage[],
    defects?: readonly BenchImage[],
    looked?: (look: Look) => void,
  ): Promise<FitSummary>;
  /** The side that images have for some weights. */
  usualSide(backboneId: BackboneId): Promise<number>;
  /** Results in the order of the images, and the milliseconds all of them took together. */
  inspect(
    spec: FitSpec,
    images: readonly BenchImage[],
  ): Promise<{ results: HostResult[]; durationMs: number }>;
  /** Milliseconds an image through the bare backbone. */
  measure(spec: FitSpec): Promise<number>;
  /** Frees what a fit held. */
  forget(spec: FitSpec): Promise<void>;
  /** Milliseconds of a training step and its forward pass; null for methods that take no steps. */
  measureTraining(spec: FitSpec, goodImages: number): Promise<StepCost | null>;
  /** Results of the trivial detector. @throws usage where the host has no pixels of its own */
  meanImage(spec: FitSpec, good: readonly BenchImage[], test: readonly BenchImage[]): Promise<HostResult[]>;
  close(): Promise<void>;
}
