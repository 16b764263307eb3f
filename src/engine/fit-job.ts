import type { JobId } from '../base/ids';
import type { FitProgress, MethodState } from '../methods/contract';
import type { JobProgress } from '../protocol/engine-api';
import { JobClock } from './clock';
import type { Engine } from './engine';
import { FitControl } from './world';

/** A fit as a job: its ticks are reported with a clock, and its end is asked for at them. */
export class FitJob {
  readonly control = new FitControl();
  /** Steps of gradient descent so far. */
  steps: number | undefined;
  readonly #clock = new JobClock();

  constructor(
    private readonly engine: Pick<Engine, 'isCancelled' | 'endIfCancelled'>,
    private readonly jobId: JobId,
    private readonly report: (progress: JobProgress) => void,
  ) {}

  /** @throws cancelled unless the fit is usable as it is */
  tick(progress: FitProgress): void {
    this.report(this.#clock.tick(progress));
    if (progress.unit === 'steps') this.steps = progress.done;
    if (this.engine.isCancelled(this.jobId)) this.control.ending = true;
    if (this.control.ending && !progress.usable && this.steps === undefined)
      this.engine.endIfCancelled(this.jobId);
  }

  /** @throws cancelled where nothing is usable yet */
  endIfAsked(): void {
    if (this.control.ending) this.engine.endIfCancelled(this.jobId);
  }

  /** Runs a fit to its end. */
  async run(fit: AsyncGenerator<FitProgress, MethodState>): Promise<MethodState> {
    let step = await fit.next();
    while (!step.done) {
      this.tick(step.value);
      step = await fit.next();
    }
    return step.value;
  }
}
