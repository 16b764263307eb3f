import type { FitSpec, FitSummary } from '../../src/protocol/engine-api';
import type { BenchImage } from './dataset';

export interface HostResult {
  readonly score: number;
  readonly map: Float32Array;
}

/** Where the engine runs: in this process, or in a browser's workers. */
export interface BenchHost {
  readonly provider: string;
  fit(spec: FitSpec, good: readonly BenchImage[]): Promise<FitSummary>;
  /** Results in the order of the images, and the milliseconds all of them took together. */
  inspect(
    spec: FitSpec,
    images: readonly BenchImage[],
  ): Promise<{ results: HostResult[]; durationMs: number }>;
  /** Milliseconds an image through the bare backbone. */
  measure(spec: FitSpec): Promise<number>;
  /** Frees what a fit held. */
  forget(spec: FitSpec): Promise<void>;
  /** Steps of gradient descent in the last fit; null for methods that take none. */
  steps(): number | null;
  close(): Promise<void>;
}
