import type { FitProgress } from '../methods/contract';
import type { JobProgress } from '../protocol/engine-api';

/** Adds elapsed and remaining time to a job's ticks: the pace of the phase that is running tells what is left of it. */
export class JobClock {
  readonly #start = performance.now();
  #phase = '';
  #phaseStart = 0;
  #phaseDone = 0;

  tick(progress: FitProgress): JobProgress {
    const now = performance.now();
    if (progress.phase !== this.#phase) {
      this.#phase = progress.phase;
      this.#phaseStart = now;
      this.#phaseDone = progress.done;
    }
    const done = progress.done - this.#phaseDone;
    const remainingMs =
      done > 0 ? ((now - this.#phaseStart) / done) * (progress.total - progress.done) : undefined;
    return { ...progress, elapsedMs: now - this.#start, remainingMs };
  }
}
