import type { ImageId } from '../../base/ids';
import { byNaturalOrder } from '../../base/natural-order';
import { parseLabels } from '../../exchange/labels-csv';
import { plural } from '../actions/format';
import { imagesCalled } from './label-lines';
import type { Entry, Library } from './library.svelte';
import type { Notices } from './notices.svelte';

/** Steps that can be taken back. */
const MOST_STEPS = 500;

/** Labels and class names before or after a step. */
interface Standing {
  readonly labels: ReadonlyMap<ImageId, string | undefined>;
  readonly classes: readonly string[];
  /** Names that fits call a class by, old to new. */
  readonly renamed?: readonly [from: string, to: string];
}

interface Step {
  readonly title: string;
  readonly before: Standing;
  readonly after: Standing;
}

/** The defect classes of the open set: which image is of which, step by step, each of which can be taken back. */
export class Labels {
  #done = $state.raw<readonly Step[]>([]);
  #undone = $state.raw<readonly Step[]>([]);
  #turn: Promise<void> = Promise.resolve();

  /** In the order of their keys: those of the set, then others that images have. */
  classes: readonly string[] = $derived.by(() => {
    const listed = this.library.set?.classes ?? [];
    const seen = new Set(this.library.entries.flatMap(({ className }) => className ?? []));
    return [...listed, ...[...seen].filter((name) => !listed.includes(name)).sort(byNaturalOrder)];
  });
  /** Labelled images of each class. */
  counts: readonly number[] = $derived.by(() => {
    const { entries } = this.library;
    return this.classes.map((name) => entries.filter(({ className }) => className === name).length);
  });

  constructor(
    private readonly library: Library,
    private readonly notices: Notices,
    /** Told of a class's new name, and of the old one when that is taken back. */
    private readonly onRename: (from: string, to: string) => Promise<void>,
  ) {}

  get undoTitle(): string | undefined {
    return this.#done.at(-1)?.title;
  }

  get redoTitle(): string | undefined {
    return this.#undone.at(-1)?.title;
  }

  /** Another set is open: its labels have no steps yet. */
  opened(): void {
    this.#done = [];
    this.#undone = [];
  }

  /** @param className undefined takes the label away */
  label(entries: readonly Entry[], className: string | undefined): Promise<void> {
    const labels = new Map(entries.map(({ imageId }) => [imageId, className]));
    const what = entries.length === 1 ? entries[0].name : plural(entries.length, 'image');
    return this.#do(className === undefined ? `no class for ${what}` : `${what}: ${className}`, {
      labels,
      classes: withClass(this.classes, className),
    });
  }

  /** Labels by the place of a key: 1 to 9 the classes, 0 none. */
  async labelByKey(entries: readonly Entry[], key: number): Promise<boolean> {
    if (key > this.classes.length) return false;
    await this.label(entries, key ? this.classes[key - 1] : undefined);
    return true;
  }

  async add(name: string): Promise<void> {
    const own = name.trim();
    if (own && !this.classes.includes(own))
      await this.#do(`new class ${own}`, { labels: new Map(), classes: [...this.classes, own] });
  }

  /** A name that another class has joins the two. */
  async rename(from: string, name: string): Promise<void> {
    const to = name.trim();
    if (!to || to === from) return;
    const joins = this.classes.includes(to);
    const classes = joins
      ? this.classes.filter((own) => own !== from)
      : this.classes.map((own) => (own === from ? to : own));
    await this.#do(joins ? `${from} joined to ${to}` : `${from} called ${to}`, {
      labels: this.#labelsOf(from, to),
      classes,
      ...(!joins && { renamed: [from, to] as const }),
    });
  }

  /** Its images lose their label; the notice puts it back. */
  async remove(name: string): Promise<void> {
    const labels = this.#labelsOf(name, undefined);
    await this.#do(`class ${name} deleted`, { labels, classes: this.classes.filter((own) => own !== name) });
    this.notices.say(`The class ${name} was deleted; ${plural(labels.size, 'image')} lost the label.`, {
      undo: () => void this.undo(),
    });
  }

  /**
   * Takes labels from a file. Images that the set doesn't have, or has several of by that name, are listed; classes that
   * it doesn't have are added.
   * @throws exchange/labels, exchange/empty
   */
  async importFile(file: File): Promise<void> {
    const lines = parseLabels(await file.text(), file.name);
    const called = imagesCalled(this.library.entries);
    const labels = new Map<ImageId, string | undefined>();
    const leftOut: { name: string; reason: string }[] = [];
    for (const { name, className } of lines) {
      const found = called(name);
      const entry = found.at(0);
      const before = entry && labels.get(entry.imageId);
      if (found.length > 1)
        leftOut.push({ name, reason: `${found.length} images of this set have this name` });
      else if (!entry) leftOut.push({ name, reason: 'no image of this set has this name' });
      else if (labels.has(entry.imageId) && before !== (className || undefined))
        leftOut.push({ name, reason: `labelled ${before} and ${className}: the first was taken` });
      else labels.set(entry.imageId, className || undefined);
    }
    const named = [...new Set([...labels.values()].flatMap((name) => name ?? []))];
    const fresh = named.filter((name) => !this.classes.includes(name));
    if (labels.size)
      await this.#do(`labels of ${file.name}`, { labels, classes: [...this.classes, ...fresh] });
    const added = fresh.length ? `; new: ${fresh.join(', ')}` : '';
    this.notices.say(`${plural(labels.size, 'label')} taken from ${file.name}${added}.`, {
      details: leftOut,
      ...(labels.size && { undo: () => void this.undo() }),
    });
  }

  undo(): Promise<void> {
    return this.#take(async () => {
      const step = this.#done.at(-1);
      if (!step) return;
      await this.#go(step.before, step.after.renamed && [step.after.renamed[1], step.after.renamed[0]]);
      this.#done = this.#done.slice(0, -1);
      this.#undone = [...this.#undone, step];
    });
  }

  redo(): Promise<void> {
    return this.#take(async () => {
      const step = this.#undone.at(-1);
      if (!step) return;
      await this.#go(step.after, step.after.renamed);
      this.#undone = this.#undone.slice(0, -1);
      this.#done = [...this.#done, step];
    });
  }

  #labelsOf(name: string, to: string | undefined): Map<ImageId, string | undefined> {
    const own = this.library.entries.filter(({ className }) => className === name);
    return new Map(own.map(({ imageId }) => [imageId, to]));
  }

  #do(title: string, after: Standing): Promise<void> {
    return this.#take(async () => {
      const touched = this.library.entries.filter(({ imageId }) => after.labels.has(imageId));
      const labels = new Map(touched.map(({ imageId, className }) => [imageId, className]));
      const before: Standing = { labels, classes: this.classes };
      await this.#go(after, after.renamed);
      this.#done = [...this.#done, { title, before, after }].slice(-MOST_STEPS);
      this.#undone = [];
    });
  }

  async #go({ labels, classes }: Standing, renamed: Standing['renamed']): Promise<void> {
    await this.library.setClasses(classes);
    await this.library.setClass(labels);
    if (renamed) await this.onRename(...renamed);
  }

  /** Steps are taken one after the other: keys are pressed faster than a store writes. */
  #take(work: () => Promise<void>): Promise<void> {
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => undefined);
    return done;
  }
}

const withClass = (classes: readonly string[], name: string | undefined): readonly string[] =>
  name === undefined || classes.includes(name) ? classes : [...classes, name];
