import { SvelteMap } from 'svelte/reactivity';
import type { MethodDescription, Options } from '../../protocol/engine-api';

/** Which methods are ticked, whose options are shown, and what was changed of each from its defaults. */
export class MethodChoice {
  chosen = $state.raw<readonly string[]>([]);
  shown = $state('');
  readonly #changed = new SvelteMap<string, Options>();
  readonly #invalid = new SvelteMap<string, boolean>();

  /** @param first ticked and shown at the start */
  constructor(first: string) {
    this.chosen = [first];
    this.shown = first;
  }

  optionsOf({ id, options }: Pick<MethodDescription, 'id' | 'options'>): Options {
    return {
      ...Object.fromEntries(Object.entries(options).map(([name, spec]) => [name, spec.default])),
      ...this.#changed.get(id),
    };
  }

  change(id: string, options: Options): void {
    this.#changed.set(id, options);
  }

  /** Whether every option is within its range. */
  isValid(id: string): boolean {
    return !this.#invalid.get(id);
  }

  setValid(id: string, valid: boolean): void {
    this.#invalid.set(id, !valid);
  }
}
