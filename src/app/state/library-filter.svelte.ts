import type { ImageId } from '../../base/ids';
import type { Inspections } from './inspections.svelte';
import type { Entry, Library } from './library.svelte';

/** Which images the list shows, by their part or by what was found. */
export type Which = 'all' | 'good' | 'inspect' | 'strange';

/** The images that the list shows, and the way from one to the next among them. */
export class LibraryFilter {
  which = $state<Which>('all');
  /** Part of a name or a class, in any case. */
  text = $state('');
  shown = $derived.by(() => this.library.entries.filter((entry) => this.#shows(entry)));

  constructor(
    private readonly library: Pick<Library, 'entries'>,
    private readonly inspections: Pick<Inspections, 'verdict'>,
  ) {}

  /**
   * The next image that is shown, or the one before; undefined at the ends. An image that the filter hides has
   * neighbours too: a change of its role or label may have hidden it.
   */
  beside(imageId: ImageId | undefined, direction: 1 | -1): Entry | undefined {
    const { entries } = this.library;
    const at = entries.findIndex((entry) => entry.imageId === imageId);
    return direction > 0
      ? entries.slice(at + 1).find((entry) => this.#shows(entry))
      : entries.slice(0, Math.max(at, 0)).findLast((entry) => this.#shows(entry));
  }

  #shows(entry: Entry): boolean {
    const { imageId, role, className, name } = entry;
    if (!`${className ?? ''}/${name}`.toLowerCase().includes(this.text.toLowerCase())) return false;
    if (this.which === 'strange') return this.inspections.verdict(imageId) === 'strange';
    return this.which === 'all' || role === this.which;
  }
}
