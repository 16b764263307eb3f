/** Who waits in front: an inspection goes before the next step of a fit. */
export type Priority = 'inspect' | 'fit';

interface Waiting {
  readonly priority: Priority;
  readonly start: () => void;
}

/**
 * One task at a time per device: ONNX Runtime Web hangs or corrupts its heap when two calls overlap, creation and
 * release included (runtime.md 0).
 */
export class RunQueue {
  readonly #waiting: Waiting[] = [];
  #busy = false;

  /** Runs `task` when its turn comes; a task's failure is its caller's alone. */
  async run<T>(priority: Priority, task: () => Promise<T>): Promise<T> {
    await this.#turn(priority);
    try {
      return await task();
    } finally {
      this.#next();
    }
  }

  get length(): number {
    return this.#waiting.length;
  }

  async #turn(priority: Priority): Promise<void> {
    if (!this.#busy) {
      this.#busy = true;
      return;
    }
    await new Promise<void>((start) => this.#waiting.push({ priority, start }));
  }

  #next(): void {
    const first = this.#waiting.findIndex(({ priority }) => priority === 'inspect');
    const next = first > 0 ? this.#waiting.splice(first, 1)[0] : this.#waiting.shift();
    if (next) next.start();
    else this.#busy = false;
  }
}
