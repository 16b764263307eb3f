import { assert } from '../base/errors';

/** What is held on a device, in bytes: every device tensor is entered when made and struck out when disposed. */
export class Ledger {
  #bytes = 0;
  #tensors = 0;
  #peakBytes = 0;

  get liveBytes(): number {
    return this.#bytes;
  }
  get liveTensors(): number {
    return this.#tensors;
  }
  get peakBytes(): number {
    return this.#peakBytes;
  }

  enter(bytes: number): void {
    this.#bytes += bytes;
    this.#tensors++;
    this.#peakBytes = Math.max(this.#peakBytes, this.#bytes);
  }

  strike(bytes: number): void {
    this.#bytes -= bytes;
    this.#tensors--;
    assert(this.#bytes >= 0 && this.#tensors >= 0, 'the ledger of device memory went below zero');
  }
}
