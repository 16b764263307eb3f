import { SvelteSet } from 'svelte/reactivity';
import type { BackboneId } from '../../base/ids';
import type { ClassEstimateRequest, ClassifierDescription } from '../../protocol/classes-api';
import type { BackboneDescription } from '../../protocol/engine-api';
import type { ClassFitRecord, SetRecord } from '../../store/schema';
import { NO_ENCODER_YET, sidesOf } from './backbones.svelte';
import { classProblem, classRemarks } from './classifiers.svelte';
import type { ClassPlan } from './classifiers.svelte';
import type { Labels } from './labels.svelte';
import type { Entry } from './library.svelte';
import { MethodChoice } from './method-choice.svelte';
import type { Session } from './session.svelte';

/** What of the session a new fit is chosen from. */
export type TrainingRest = Pick<Session, 'library' | 'engine' | 'backbones' | 'inspections' | 'settings'>;

/** What the next fit of a classifier is going to be: which classes are taught, what learns them, and what it is shown. */
export class ClassTraining {
  readonly choice = new MethodChoice('nearest-mean');
  seed = $state(0);
  view = $state<ClassPlan['view']>('frame');
  /** Points to either side that a class's recall should be known to. */
  bound = $state(10);
  wantedBackbone = $state<BackboneId | undefined>(undefined);
  wantedSide = $state<number | undefined>(undefined);
  readonly #leftOut = new SvelteSet<string>();
  #set: SetRecord | undefined;

  method = $derived.by(() => this.rest.engine?.classifiers.find(({ id }) => id === this.choice.shown));
  /** Those that the classifier can stand on. */
  backbones = $derived.by(() => backbonesFor(this.method, this.rest.backbones));
  backbone = $derived.by(
    () => this.backbones.find(({ id }) => id === this.wantedBackbone) ?? this.backbones.at(0),
  );
  sides = $derived.by(() => {
    if (!this.backbone) return [];
    return this.backbone.clip ? [this.backbone.sides.usual] : sidesOf(this.backbone);
  });
  side = $derived.by(() =>
    this.wantedSide !== undefined && this.sides.includes(this.wantedSide)
      ? this.wantedSide
      : this.backbone?.sides.usual,
  );
  /** In the order of their keys. */
  classes = $derived.by(() => this.labels.classes.filter((name) => this.teaches(name)));
  counts = $derived.by(() => this.labels.counts.filter((_, c) => this.teaches(this.labels.classes[c])));
  images = $derived.by(() => this.counts.reduce((sum, count) => sum + count, 0));
  /** Labelled images whose region a mask or the open detector's map tells. */
  withRegion = $derived.by(() => {
    const { library, inspections } = this.rest;
    const taught = library.entries.filter(({ className }) => this.classes.includes(className!));
    return taught.filter(({ mask, imageId }) => mask || inspections.results.has(imageId)).length;
  });
  remarks = $derived.by(() => classRemarks(this.classes, this.counts));
  problem = $derived.by(() => this.#problem());

  constructor(
    private readonly rest: TrainingRest,
    private readonly labels: Labels,
  ) {}

  /** Shows what was chosen for a set: the classifier, and the classes that are left out. */
  async open(set: SetRecord | undefined): Promise<void> {
    const { settings } = this.rest;
    const method = set && (await settings.get<string>(`classifier.${set.id}`));
    const leftOut = (set && (await settings.get<readonly string[]>(`classesLeftOut.${set.id}`))) ?? [];
    this.#set = set;
    if (method) this.choice.shown = method;
    this.#leftOut.clear();
    for (const name of leftOut) this.#leftOut.add(name);
  }

  async choose(method: string): Promise<void> {
    this.choice.shown = method;
    if (this.#set) await this.rest.settings.put(`classifier.${this.#set.id}`, method);
  }

  teaches(name: string): boolean {
    return !this.#leftOut.has(name);
  }

  async teach(name: string, wanted: boolean): Promise<void> {
    if (wanted) this.#leftOut.delete(name);
    else this.#leftOut.add(name);
    await this.#keep();
  }

  async renamed(from: string, to: string): Promise<void> {
    if (!this.#leftOut.delete(from)) return;
    this.#leftOut.add(to);
    await this.#keep();
  }

  /** What would be trained now; undefined where there is a problem. */
  get plan(): ClassPlan | undefined {
    const { method, backbone, side } = this;
    if (this.problem || !method || !backbone || side === undefined) return undefined;
    const { seed, view, classes } = this;
    const options = this.choice.optionsOf(method);
    const activation = this.rest.backbones.activationOf(backbone.id);
    return {
      method: method.id,
      options,
      backboneId: backbone.id,
      side,
      seed,
      view,
      classes,
      ...(activation && { activation }),
    };
  }

  get estimate(): ClassEstimateRequest | undefined {
    const { plan } = this;
    if (!plan) return undefined;
    const { seed: _seed, view: _view, classes, ...rest } = plan;
    return { ...rest, images: this.images, classes: classes.length };
  }

  /** A fit as it was planned, on the labels as they are now: of the classes that it knows and of new ones. */
  again({ spec }: ClassFitRecord): ClassPlan {
    const { fitId: _id, white: _white, ...plan } = spec;
    const { classes, counts } = this.labels;
    const taught = (name: string, c: number) =>
      counts[c] > 0 && (spec.classes.includes(name) || this.teaches(name));
    return { ...plan, classes: classes.filter(taught) };
  }

  /** Why a fit can't be trained again; undefined when it can. */
  againProblem(fit: ClassFitRecord, title: string): string | undefined {
    const { classes } = this.again(fit);
    const counts = classes.map((name) => this.labels.counts[this.labels.classes.indexOf(name)]);
    return classProblem({ title }, classes, counts);
  }

  async #keep(): Promise<void> {
    if (this.#set) await this.rest.settings.put(`classesLeftOut.${this.#set.id}`, [...this.#leftOut]);
  }

  #problem(): string | undefined {
    const { method, backbone, choice } = this;
    if (!method) return 'The engine is starting…';
    const lacking = classProblem(method, this.classes, this.counts);
    if (lacking) return lacking;
    if (!backbone) return backboneProblem(method);
    const encoder = this.rest.backbones.encoders.find(({ description }) => description.id === backbone.id);
    if (encoder && !encoder.activation) return `Choose the activation of ${backbone.title} first: under Ask.`;
    if (!choice.isValid(method.id)) return 'One of the options is out of its range.';
    if (!Number.isInteger(this.seed) || this.seed < 0) return 'The seed has to be a whole number from 0.';
    return undefined;
  }
}

type Weights = Pick<Session['backbones'], 'forDetectors' | 'encoders'>;

function backbonesFor(
  method: ClassifierDescription | undefined,
  { forDetectors, encoders }: Weights,
): readonly BackboneDescription[] {
  if (!method) return [];
  const clips = encoders.map(({ description }) => description);
  if (method.standsOn === 'clip') return clips;
  const { architectures } = method.needs;
  return [...forDetectors, ...clips].filter(
    ({ architecture }) => !architectures || architectures.some((start) => architecture.startsWith(start)),
  );
}

const backboneProblem = ({ title, standsOn, needs }: ClassifierDescription): string =>
  standsOn === 'clip'
    ? NO_ENCODER_YET
    : `${title} stands on weights of ${needs.architectures?.join(', ') ?? 'a backbone'}; there are none yet. Drop them as one .safetensors file.`;

/**
 * Images that a fit would be taught otherwise now: labelled otherwise, new or no longer labelled. Those that can't be read
 * are not counted.
 */
export function labelsChanged(
  { spec, taught, unread }: Pick<ClassFitRecord, 'spec' | 'taught' | 'unread'>,
  entries: readonly Entry[],
  classes: readonly string[],
): number {
  const before = new Map(taught.map(({ imageId, classIndex }) => [imageId, spec.classes[classIndex]]));
  const differs = entries.filter(({ imageId, className }) => {
    const now = className !== undefined && classes.includes(className) ? className : undefined;
    return before.get(imageId) !== now && !unread?.includes(imageId);
  });
  const there = new Set(entries.map(({ imageId }) => imageId));
  return differs.length + taught.filter(({ imageId }) => !there.has(imageId)).length;
}
