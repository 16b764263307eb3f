import { aliveLock } from '../src/protocol/engine-api';

/** Holds a lock until this worker ends, however it ends: whoever waits for the lock learns of it. */
export function holdAliveLock(): void {
  void navigator.locks?.request(aliveLock(self.name), () => new Promise(() => undefined));
}
