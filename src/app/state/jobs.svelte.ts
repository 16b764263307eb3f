import { isCancelled } from '../../base/errors';
import type { JobProgress } from '../../protocol/engine-api';

/** One point of a training's curve. */
export interface LossPoint {
  readonly step: number;
  readonly loss: number;
}

/** What a job is called, and whether it gives way to what the user starts. */
export interface JobKind {
  readonly title: string;
  readonly background?: boolean;
}

/** A job that runs, as the bar at the foot shows it. */
export class Job {
  progress = $state.raw<JobProgress | undefined>(undefined);
  /** Of training steps, as they come; of good images that are not trained on. */
  losses = $state.raw<readonly LossPoint[]>([]);
  heldOutLosses = $state.raw<readonly LossPoint[]>([]);
  /** Cancel was asked for; the job ends at its next tick. */
  ending = $state(false);
  readonly #abort = new AbortController();

  constructor(
    readonly title: string,
    readonly background = false,
  ) {}

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  tick(progress: JobProgress): void {
    const { done: step, loss, heldOutLoss } = progress;
    this.progress = progress;
    if (loss !== undefined) this.losses = [...this.losses, { step, loss }];
    if (heldOutLoss !== undefined) this.heldOutLosses = [...this.heldOutLosses, { step, loss: heldOutLoss }];
  }

  /** Shows how many of some images are done. @param start when the first was begun, by `performance.now()` */
  count(phase: string, done: number, total: number, start: number): void {
    const elapsedMs = performance.now() - start;
    const remainingMs = done ? (elapsedMs / done) * (total - done) : undefined;
    this.progress = { phase, done, total, unit: 'images', elapsedMs, remainingMs };
  }

  cancel(): void {
    this.ending = true;
    this.#abort.abort();
  }
}

/** Jobs that run or wait. Fits take turns; inspections go beside them, the engine puts them first. */
export class Jobs {
  running = $state.raw<readonly Job[]>([]);
  #lastFit: Promise<unknown> = Promise.resolve();

  /** Runs work as a job. @returns undefined when it was cancelled */
  async run<T>(what: string | JobKind, work: (job: Job) => Promise<T>): Promise<T | undefined> {
    const { title, background }: JobKind = typeof what === 'string' ? { title: what } : what;
    const job = new Job(title, background);
    this.running = [...this.running, job];
    try {
      return await work(job);
    } catch (error) {
      if (isCancelled(error)) return undefined;
      throw error;
    } finally {
      this.running = this.running.filter((other) => other !== job);
    }
  }

  /** Ends what only runs while nothing else does. */
  endBackground(): void {
    for (const job of this.running) if (job.background) job.cancel();
  }

  /** Runs a fit when the fits before it have ended. */
  runFit<T>(title: string, work: (job: Job) => Promise<T>): Promise<T | undefined> {
    return this.run(title, async (job) => {
      const before = this.#lastFit;
      let done: () => void = () => undefined;
      this.#lastFit = new Promise<void>((resolve) => (done = resolve));
      try {
        await before;
        return await work(job);
      } finally {
        done();
      }
    });
  }
}
