import { SvelteMap } from 'svelte/reactivity';
import type { ImageId } from '../../base/ids';
import type { PathEntry } from '../../exchange/layout';
import type { MaskPixels } from '../../protocol/pixels-api';
import type { EncoderChoice, ReadPrompts } from '../../protocol/engine-api';
import type {
  ImageRecord,
  SetRecord,
  SupportClass,
  SupportImage,
  SupportSetId,
  SupportSetRecord,
} from '../../store/schema';
import type { SettingsStore } from '../../store/settings-store';
import type { SupportStore } from '../../store/support-store';
import { plural } from '../actions/format';
import type { EngineClient } from '../engine-client';
import type { FitImage } from './fits.svelte';
import type { Entry } from './library.svelte';
import type { Notices } from './notices.svelte';
import { classesFrom, readFiles, withMasks } from './support-intake';
import type { Candidate } from './support-intake';
import {
  admit,
  changeClass,
  draftOf,
  nameProblem,
  newClass,
  presetDraft,
  problemOf,
  promptProblem,
  shareOf,
  specOf,
  withClass,
  withoutClass,
} from './support-rules';
import type { Refused, SupportDraft } from './support-rules';

/** Support sets: classes, their words and images. Every change is in the store before it is on the screen. */
export class SupportSets {
  list = $state.raw<readonly SupportSetRecord[]>([]);
  /** Images of the open set. */
  readonly images = new SvelteMap<ImageId, ImageRecord>();
  /** How the encoder reads each class's prompts. */
  readings = $state.raw<ReadonlyMap<string, ReadPrompts>>(new Map());
  /** Counts masks that came from files: whoever paints on one takes it up anew. */
  maskTurn = $state(0);
  /** Files that are being read into the open set. */
  reading = $state(0);
  #openId = $state.raw<SupportSetId | undefined>(undefined);
  #className = $state.raw<string | undefined>(undefined);
  #imageId = $state.raw<ImageId | undefined>(undefined);
  #turn: Promise<unknown> = Promise.resolve();
  /** Longest prompts as they were read last. */
  #asked = '';

  open = $derived(this.list.find(({ id }) => id === this.#openId));
  /** The class that is looked at. */
  classIndex = $derived(
    Math.max(this.open?.classes.findIndex(({ name }) => name === this.#className) ?? 0, 0),
  );
  shownClass = $derived(this.open?.classes[this.classIndex]);
  /** The image that is looked at, of the class that is looked at. */
  shownImage = $derived(
    this.shownClass?.images.find(({ imageId }) => imageId === this.#imageId) ?? this.shownClass?.images[0],
  );
  /** Why the open set can't teach now. */
  problem = $derived(this.open ? problemOf(this.open) : 'There is no support set yet. Make one at the left.');

  constructor(
    private readonly store: SupportStore,
    private readonly settings: Pick<SettingsStore, 'get' | 'put'>,
    private readonly client: Pick<EngineClient, 'pixels' | 'engine'>,
    private readonly notices: Notices,
  ) {}

  /** Opens what was open last, or the newest set. */
  async restore(): Promise<void> {
    this.list = await this.store.all();
    const last = await this.settings.get<SupportSetId>('support');
    await this.choose(this.list.find(({ id }) => id === last)?.id ?? this.list.at(-1)?.id);
  }

  async choose(id: SupportSetId | undefined): Promise<void> {
    const set = this.list.find((other) => other.id === id);
    const ids = set?.classes.flatMap(({ images }) => images.map(({ imageId }) => imageId)) ?? [];
    for (const image of await Promise.all(ids.map((imageId) => this.store.image(imageId))))
      if (image) this.images.set(image.id, image);
    this.#openId = set?.id;
    await this.settings.put('support', set?.id);
  }

  show(className: string, imageId?: ImageId): void {
    this.#className = className;
    this.#imageId = imageId;
  }

  /** Looks at the next image, over the classes' borders. */
  step(by: number): void {
    const all = (this.open?.classes ?? []).flatMap(({ name, images }) =>
      images.map(({ imageId }) => ({ name, imageId })),
    );
    const at = all.findIndex(({ imageId }) => imageId === this.shownImage?.imageId);
    const next = all[Math.min(Math.max(at + by, 0), all.length - 1)];
    if (next) this.show(next.name, next.imageId);
  }

  /** The seven classes of the field, without images. @throws store/quota */
  createPreset(): Promise<void> {
    return this.#create('seven classes', presetDraft());
  }

  /** A class for good and no other. @throws store/quota */
  createEmpty(): Promise<void> {
    return this.#create('support set', draftOf([]));
  }

  /**
   * Labels of a set become classes, each with at most `count` images drawn by `seed`; of good ones those that
   * detectors fit on come before those that are inspected.
   * @throws store/quota
   */
  async createFrom(set: SetRecord, entries: readonly Entry[], count: number, seed: number): Promise<void> {
    const refused: Refused[] = [];
    const classes = await classesFrom(this.client, entries, count, seed, refused);
    if (!classes) {
      this.notices.say(
        `No image of ${set.name} has a label of a defect, so there is no class to take over.`,
        {
          hint: 'Labels are the names of folders, as in test/scratch. Or begin with the seven classes.',
        },
      );
      return;
    }
    const chosen = classes.flatMap(({ images }) => images.map(({ imageId }) => imageId));
    const records = entries.filter(({ imageId }) => chosen.includes(imageId)).map(({ image }) => image);
    await this.#create(`${set.name}, ${plural(count, 'shot')}`, draftOf(classes), records);
    if (refused.length) this.#tell('', 0, refused);
  }

  rename(name: string): Promise<void> {
    return name.trim() ? this.#change((set) => ({ ...set, name: name.trim() })) : Promise.resolve();
  }

  /** Deletes the open set; `undo` of the notice puts it back. */
  async delete(): Promise<void> {
    const { open } = this;
    if (!open) return;
    await this.#inTurn(() => this.store.delete(open.id));
    this.list = this.list.filter(({ id }) => id !== open.id);
    await this.choose(this.list.at(-1)?.id);
    this.notices.say(`The support set ${open.name} was deleted.`, {
      undo: () => this.#act(this.#add(open)),
    });
  }

  /** @returns why there can't be such a class; undefined when it was added */
  async addClass(name: string): Promise<string | undefined> {
    const wrong = nameProblem(this.open?.classes ?? [], name);
    if (wrong) return wrong;
    await this.#change((set) =>
      nameProblem(set.classes, name) ? set : { ...set, classes: [...set.classes, newClass(name)] },
    );
    this.show(name.trim());
    return undefined;
  }

  /** @returns why it can't be called so; undefined when it was renamed */
  async renameClass(index: number, name: string): Promise<string | undefined> {
    const { open } = this;
    if (!open) return undefined;
    const wrong = nameProblem(open.classes, name, index);
    const before = open.classes[index].name;
    if (wrong || name.trim() === before) return wrong;
    await this.#change((set) => changeClass(set, before, (own) => ({ ...own, name: name.trim() })));
    if (this.#className === before) this.#className = name.trim();
    return undefined;
  }

  /** Takes a class out with its words and images; `undo` of the notice puts it back. */
  async removeClass(index: number): Promise<void> {
    const { open } = this;
    const gone = open?.classes[index];
    if (!open || !gone) return;
    await this.#change((set) => withoutClass(set, index));
    this.notices.say(`The class ${gone.name} was taken out of ${open.name}.`, {
      undo: () =>
        this.#act(this.#change((set) => withClass(set, gone, index, open.normal === index), open.id)),
    });
  }

  /** Says which class is the one without a defect. */
  setNormal(index: number): Promise<void> {
    return this.#change((set) => ({ ...set, normal: index }));
  }

  setStates(className: string, states: readonly string[]): Promise<void> {
    return this.#change((set) => changeClass(set, className, (own) => ({ ...own, states })));
  }

  setWords(words: Partial<Pick<SupportSetRecord, 'objects' | 'templates'>>): Promise<void> {
    return this.#change((set) => ({ ...set, ...words }));
  }

  /** Images of the library join the class that is looked at, their masks with them. */
  async addEntries(entries: readonly Candidate[]): Promise<void> {
    if (this.shownClass) await this.#join(this.shownClass.name, entries, []);
  }

  /** Dropped files join the class that is looked at; `x_mask.png` is the mask of `x.png`. */
  async addFiles(files: readonly PathEntry<Blob>[]): Promise<void> {
    const own = this.shownClass;
    if (!own) {
      this.notices.say('There is no class to add images to.', { hint: 'Add a class at the left first.' });
      return;
    }
    const { candidates, masks, refused } = await readFiles(
      this.client,
      files,
      own.images,
      (left) => (this.reading = left),
    );
    // A mask alone says what it does by itself.
    if (candidates.length || refused.length || !masks.length) await this.#join(own.name, candidates, refused);
    for (const { imageId, mask } of masks) await this.setMask(imageId, mask);
  }

  /** Takes an image out of its class; `undo` of the notice puts it back. */
  async removeImage(imageId: ImageId): Promise<void> {
    const { open } = this;
    const holder = open?.classes.find(({ images }) => images.some((image) => image.imageId === imageId));
    if (!open || !holder) return;
    const at = holder.images.findIndex((image) => image.imageId === imageId);
    const gone = holder.images[at];
    const without = (own: SupportClass) => ({
      ...own,
      images: own.images.filter((image) => image.imageId !== imageId),
    });
    const back = (own: SupportClass) => ({
      ...own,
      images: [...own.images.slice(0, at), gone, ...own.images.slice(at)],
    });
    await this.#change((set) => changeClass(set, holder.name, without));
    this.notices.say(`${gone.name} was taken out of ${holder.name}.`, {
      undo: () => this.#act(this.#change((set) => changeClass(set, holder.name, back), open.id)),
    });
  }

  /** Keeps a mask file for an image, if it is one of that image. What is wrong with it is said, and the old one stays. */
  async setMask(imageId: ImageId, mask: Blob): Promise<void> {
    const name = this.#nameOf(imageId);
    const refused: Refused[] = [];
    const image = this.images.get(imageId);
    const [checked] = image ? await withMasks(this.client, [{ imageId, name, image, mask }], refused) : [];
    if (checked?.mask) await this.#putMask(checked);
    if (checked?.mask) this.maskTurn++;
    for (const { reason } of refused)
      this.notices.say(`The mask of ${name} was not taken: ${reason}.`, {
        hint: 'What was there before stays.',
      });
  }

  /** Keeps what was painted; nothing painted is no mask. */
  async paintMask(imageId: ImageId, mask: MaskPixels): Promise<void> {
    const maskShare = shareOf(mask.inside);
    const blob = maskShare ? await this.client.pixels((pixels) => pixels.drawMask(mask)) : undefined;
    await this.#putMask({
      imageId,
      name: this.#nameOf(imageId),
      ...(blob && { mask: blob, maskShare }),
      maskedAt: Date.now(),
    });
  }

  /** Has the encoder read the prompts, if it has not yet; slower answers to earlier words are dropped. */
  async readPrompts(encoder: EncoderChoice | undefined): Promise<void> {
    const { open } = this;
    // Words that make no prompts are said where they stand.
    if (!open || open.classes.some((own) => promptProblem(own, open))) return;
    const { prompts } = specOf(open);
    const asked = JSON.stringify([prompts, encoder]);
    if (asked === this.#asked) return;
    this.#asked = asked;
    const read = await this.client.engine((engine) => engine.readPrompts(prompts, encoder));
    if (asked !== this.#asked) return;
    this.readings = new Map(prompts.classes.map(({ name }, i) => [name, read[i]]));
  }

  /** A set's images as fits take them, classes by their places among `names`; other classes are left away. */
  async imagesOf(id: SupportSetId, names: readonly string[]): Promise<FitImage[]> {
    const found: FitImage[] = [];
    for (const { name: className, images } of this.list.find((set) => set.id === id)?.classes ?? []) {
      const classIndex = names.indexOf(className);
      if (classIndex < 0) continue;
      for (const { imageId, name, mask } of images) {
        const image = this.images.get(imageId) ?? (await this.store.image(imageId));
        if (image) found.push({ imageId, name, image, ...(mask && { mask }), classIndex });
      }
    }
    return found;
  }

  async #create(name: string, draft: SupportDraft, images: readonly ImageRecord[] = []): Promise<void> {
    const names = this.list.map((set) => set.name);
    let own = name;
    for (let i = 2; names.includes(own); i++) own = `${name} ${i}`;
    await this.#add({ id: crypto.randomUUID(), name: own, createdAt: Date.now(), ...draft }, images);
  }

  async #add(set: SupportSetRecord, images: readonly ImageRecord[] = []): Promise<void> {
    const stored = await this.#inTurn(() => this.store.put(set, images));
    this.list = [...this.list, stored].sort((a, b) => a.createdAt - b.createdAt);
    await this.choose(set.id);
  }

  async #join(
    className: string,
    candidates: readonly Candidate[],
    before: readonly Refused[],
  ): Promise<void> {
    const { open } = this;
    if (!open) return;
    const { taken, refused } = admit(open, className, candidates);
    const badMasks: Refused[] = [];
    const images = await withMasks(this.client, taken, badMasks);
    const records = taken.map(({ image }) => image);
    if (images.length)
      await this.#change(
        (set) =>
          changeClass(set, className, (own) => ({
            ...own,
            // Once more: the set may have changed while masks were read.
            images: [...own.images, ...admit(set, className, images).taken],
          })),
        open.id,
        records,
      );
    for (const record of records) this.images.set(record.id, record);
    if (images.length) this.show(className, images[0].imageId);
    const without = badMasks.map(({ name, reason }) => ({
      name,
      reason: `${reason}. The image was added without it`,
    }));
    this.#tell(className, images.length, [...before, ...refused, ...without]);
  }

  #tell(className: string, added: number, details: readonly Refused[]): void {
    const left = details.length ? `${plural(details.length, 'thing')} left out` : '';
    const first = className ? `${plural(added, 'image')} added to ${className}` : '';
    this.notices.say(`${[first, left].filter(Boolean).join('; ')}.`, { details });
  }

  #putMask(masked: SupportImage): Promise<void> {
    return this.#change((set) => ({
      ...set,
      classes: set.classes.map((own) => ({
        ...own,
        images: own.images.map((image) =>
          image.imageId === masked.imageId ? { ...masked, name: image.name } : image,
        ),
      })),
    }));
  }

  #nameOf(imageId: ImageId): string {
    const all = this.open?.classes.flatMap(({ images }) => images) ?? [];
    return all.find((image) => image.imageId === imageId)?.name ?? 'the image';
  }

  /** One change after the other, each of what the one before made. */
  #change(
    edit: (set: SupportSetRecord) => SupportSetRecord,
    id = this.#openId,
    images: readonly ImageRecord[] = [],
  ): Promise<void> {
    return this.#inTurn(async () => {
      const before = this.list.find((set) => set.id === id);
      if (!before) return;
      const stored = await this.store.put(edit(before), images);
      this.list = this.list.map((set) => (set.id === id ? stored : set));
    });
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => undefined);
    return done;
  }

  #act(work: Promise<void>): void {
    work.catch((error: unknown) => this.notices.fail(error));
  }
}
