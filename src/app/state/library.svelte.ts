import { SvelteMap } from 'svelte/reactivity';
import { AppError } from '../../base/errors';
import type { ImageId } from '../../base/ids';
import { sortPaths } from '../../exchange/layout';
import type { LeftOut, PathEntry, Role, SortedImage, SortedSet } from '../../exchange/layout';
import type { LibraryStore } from '../../store/library-store';
import type { EntryRecord, ImageRecord, SetRecord } from '../../store/schema';
import { plural } from '../actions/format';
import type { EngineClient } from '../engine-client';
import type { Notices } from './notices.svelte';
import { reasonOf } from './reason';
import { unpack } from './unpack';

/** An image of the open set, with what is known of it. */
export interface Entry extends EntryRecord {
  readonly image: ImageRecord;
}

type PixelsClient = Pick<EngineClient, 'pixels' | 'pixelWorkers'>;

/** Masks are brought to this side to see whether they hold anything. */
const MASK_CHECK_SIDE = 64;

/** Sets of images: adding, roles, deleting. Every change is in the store before it is on the screen. */
export class Library {
  sets = $state.raw<readonly SetRecord[]>([]);
  set = $state.raw<SetRecord | undefined>(undefined);
  entries = $state.raw<readonly Entry[]>([]);
  /** Files that are being read: they have rows already. */
  readonly pending = new SvelteMap<string, string>();

  good = $derived(this.entries.filter(({ role }) => role === 'good'));
  toInspect = $derived(this.entries.filter(({ role }) => role === 'inspect'));

  constructor(
    private readonly store: LibraryStore,
    private readonly client: PixelsClient,
    private readonly notices: Notices,
  ) {}

  /** Opens what was open last, or the newest set; images that nothing holds any more are deleted meanwhile. */
  async restore(lastSet: string | undefined): Promise<void> {
    this.sets = (await this.store.sets()).sort((a, b) => a.createdAt - b.createdAt);
    const set = this.sets.find(({ id }) => id === lastSet) ?? this.sets.at(-1);
    if (set) await this.open(set);
    this.store.sweep().catch((error: unknown) => this.notices.fail(error));
  }

  async open(set: SetRecord): Promise<void> {
    const records = await this.store.entries(set.id);
    const images = await Promise.all(records.map(({ imageId }) => this.store.image(imageId)));
    this.set = set;
    this.entries = records.flatMap((record, i) => (images[i] ? [{ ...record, image: images[i] }] : []));
  }

  /**
   * Adds what was dropped or chosen: archives are unpacked, folders tell roles, classes and masks; what is not
   * understood is listed and the rest goes on.
   * @returns whether anything was added
   */
  async add(dropped: readonly PathEntry<Blob>[]): Promise<boolean> {
    const { files, leftOut } = await unpack(dropped);
    const sorted = sortPaths(files);
    leftOut.push(...sorted.leftOut);
    let added = 0;
    for (const own of sorted.sets) added += await this.#addSet(own, leftOut);
    this.#tell(dropped.length, added, leftOut);
    return added > 0;
  }

  async setRole(entries: readonly Entry[], role: Role): Promise<void> {
    const changed = entries.filter((entry) => entry.role !== role);
    await this.#replace(changed, (entry) => ({ ...entry, role }));
  }

  /** Labels images; undefined takes a label away. */
  async setClass(classes: ReadonlyMap<ImageId, string | undefined>): Promise<void> {
    const changed = this.entries.filter(
      ({ imageId, className }) => classes.has(imageId) && classes.get(imageId) !== className,
    );
    await this.#replace(changed, ({ className: _old, ...entry }) => {
      const className = classes.get(entry.imageId);
      return { ...entry, ...(className !== undefined && { className }) };
    });
  }

  /** The set's classes in the order of their keys. */
  async setClasses(classes: readonly string[]): Promise<void> {
    if (this.set) await this.#putSet({ ...this.set, classes });
  }

  /** Takes images out of the set; `undo` of the notice puts them back. */
  async remove(entries: readonly Entry[]): Promise<void> {
    if (!entries.length) return;
    await this.store.deleteEntries(entries);
    const gone = new Set(entries.map(({ imageId }) => imageId));
    this.entries = this.entries.filter(({ imageId }) => !gone.has(imageId));
    this.notices.say(`${plural(entries.length, 'image')} taken out of ${this.set?.name ?? 'the set'}.`, {
      undo: () => void this.#putBack(entries),
    });
  }

  async rename(name: string): Promise<void> {
    if (!this.set || !name.trim()) return;
    await this.#putSet({ ...this.set, name: name.trim() });
  }

  async #putSet(set: SetRecord): Promise<void> {
    await this.store.putSet(set);
    this.sets = this.sets.map((other) => (other.id === set.id ? set : other));
    this.set = set;
  }

  /** Deletes the open set and opens another. */
  async deleteSet(): Promise<SetRecord | undefined> {
    const { set } = this;
    if (!set) return undefined;
    await this.store.deleteSet(set.id);
    this.sets = this.sets.filter(({ id }) => id !== set.id);
    this.set = undefined;
    this.entries = [];
    const next = this.sets.at(-1);
    if (next) await this.open(next);
    return set;
  }

  /** Loose images join the open set; a data set in a layout gets its own, or joins the one of its name. */
  async #addSet(sorted: SortedSet<Blob>, leftOut: LeftOut[]): Promise<number> {
    const laidOut = sorted.images.some(({ className }) => className !== undefined);
    const target = laidOut ? this.sets.find(({ name }) => name === sorted.name) : this.set;
    const set = target ?? { id: crypto.randomUUID(), name: sorted.name, createdAt: Date.now() };
    if (!target) {
      await this.store.putSet(set);
      this.sets = [...this.sets, set];
    }
    if (this.set?.id !== set.id) await this.open(set);
    const before = this.entries.length;
    // Behind all others: files that were left out have left gaps, so their number doesn't tell.
    const first = 1 + this.entries.reduce((last, { position }) => Math.max(last, position), -1);
    const queue = sorted.images.map((image, i) => ({ image, position: first + i }));
    for (const { image } of queue) this.pending.set(image.path, image.path.split('/').at(-1)!);
    const lanes = Array.from({ length: this.client.pixelWorkers * 2 }, async () => {
      for (let next = queue.shift(); next; next = queue.shift())
        await this.#addImage(set, next.image, next.position, leftOut);
    });
    await Promise.all(lanes);
    const added = this.entries.length - before;
    this.entries = [...this.entries].sort((a, b) => a.position - b.position);
    // A set that nothing could be added to is none.
    if (!target && !added) await this.deleteSet();
    return added;
  }

  async #addImage(
    set: SetRecord,
    sorted: SortedImage<Blob>,
    position: number,
    leftOut: LeftOut[],
  ): Promise<void> {
    const { path, file, role, className } = sorted;
    const name = path.split('/').at(-1)!;
    try {
      const id = (await this.client.pixels((pixels) => pixels.hash(file))) as ImageId;
      const twin = this.entries.find(({ imageId }) => imageId === id);
      if (twin) {
        const contradicts =
          className !== undefined && twin.className !== undefined && className !== twin.className;
        const labels = contradicts ? `; it is labelled ${twin.className} there and ${className} here` : '';
        leftOut.push({ path, reason: `the same picture as ${twin.name}${labels}` });
        return;
      }
      const summary = await this.client.pixels((pixels) => pixels.summarise(file, name));
      const image: ImageRecord = { id, blob: file, ...summary };
      const mask = sorted.mask && (await this.#checkMask(sorted.mask, image, path, leftOut));
      const entry: EntryRecord = {
        setId: set.id,
        imageId: id,
        position,
        name,
        role,
        ...(className !== undefined && { className }),
        ...(mask && { mask }),
      };
      const stored = await this.store.add(image, entry);
      if (this.set?.id === set.id) this.entries = [...this.entries, { ...stored.entry, image: stored.image }];
    } catch (error) {
      leftOut.push({ path, reason: reasonOf(error, name) });
      if (error instanceof AppError && error.code === 'store/quota') this.notices.fail(error);
    } finally {
      this.pending.delete(path);
    }
  }

  /** A mask of the image's own size; any other would be laid over the wrong places. */
  async #checkMask(
    mask: Blob,
    image: ImageRecord,
    path: string,
    leftOut: LeftOut[],
  ): Promise<Blob | undefined> {
    const name = `the mask of ${path}`;
    try {
      const { width, height } = await this.client.pixels((pixels) => pixels.summarise(mask, name));
      if (width === image.width && height === image.height) {
        await this.client.pixels((pixels) => pixels.mask(mask, name, MASK_CHECK_SIDE));
        return mask;
      }
      const sizes = `${width}×${height} px for an image of ${image.width}×${image.height}`;
      leftOut.push({ path: name, reason: `it has ${sizes}; the image was added without it` });
    } catch (error) {
      leftOut.push({ path: name, reason: `${reasonOf(error, name)}; the image was added without it` });
    }
    return undefined;
  }

  #tell(dropped: number, added: number, details: readonly LeftOut[]): void {
    const list = details.map(({ path, reason }) => ({ name: path, reason }));
    if (!dropped || (!added && !list.length)) {
      this.notices.say('There was nothing in what was dropped.', {
        hint: 'Drop image files, a folder of them, or a zip.',
      });
      return;
    }
    const left = list.length ? `; ${plural(list.length, 'file')} left out` : '';
    this.notices.say(`${plural(added, 'image')} added${left}.`, { details: list });
  }

  async #replace(entries: readonly Entry[], change: (entry: Entry) => Entry): Promise<void> {
    if (!entries.length) return;
    const changed = new Map(entries.map((entry) => [entry.imageId, change(entry)]));
    await this.store.putEntries([...changed.values()].map(toRecord));
    this.entries = this.entries.map((entry) => changed.get(entry.imageId) ?? entry);
  }

  async #putBack(entries: readonly Entry[]): Promise<void> {
    await this.store.putEntries(entries.map(toRecord));
    if (this.set?.id === entries[0].setId)
      this.entries = [...this.entries, ...entries].sort((a, b) => a.position - b.position);
  }
}

/** An entry without its image, which is stored once for all sets. */
const toRecord = ({ image: _image, ...record }: Entry): EntryRecord => record;
