import { AppError } from '../base/errors';
import type { FitId } from '../base/ids';
import { kept } from '../base/kept';
import type { MethodState } from '../methods/contract';
import type { Runtime } from '../runtime/runtime';
import type { StateStore } from './collaborators';

/** States of finished fits: stored, and read once. */
export class FitStates {
  readonly #known = new Map<FitId, Promise<MethodState>>();

  /** @param remedy what to do when a fit is gone */
  constructor(
    private readonly store: StateStore,
    private readonly remedy: string,
  ) {}

  /** @throws store/missing */
  get(fitId: FitId): Promise<MethodState> {
    return kept(this.#known, fitId, async () => {
      const found = await this.store.get(fitId);
      if (!found)
        throw new AppError('store/missing', 'this fit is no longer in the store', { hint: this.remedy });
      return found;
    });
  }

  /** @throws store/quota */
  async put(fitId: FitId, state: MethodState): Promise<void> {
    await this.store.put(fitId, state);
    this.#known.set(fitId, Promise.resolve(state));
  }

  /** It is read from the store when it is needed again. */
  forget(fitId: FitId): void {
    this.#known.delete(fitId);
  }
}

/** What was compiled for fits, by the size of a batch, on the runtime in use: a lost device takes all of it along. */
export class FitPrograms<T> {
  #held: { readonly runtime: Runtime; readonly byKey: Map<string, Promise<T>> } | undefined;

  get(runtime: Runtime, fitId: FitId, batch: number, open: () => Promise<T>): Promise<T> {
    if (this.#held?.runtime !== runtime) this.#held = { runtime, byKey: new Map() };
    return kept(this.#held.byKey, `${fitId}|${batch}`, open);
  }

  forget(fitId: FitId): void {
    for (const key of this.#held?.byKey.keys() ?? [])
      if (key.startsWith(`${fitId}|`)) this.#held?.byKey.delete(key);
  }
}
