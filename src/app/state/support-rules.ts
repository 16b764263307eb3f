import { toAppError } from '../../base/errors';
import type { ImageId } from '../../base/ids';
import { Rng } from '../../base/rng';
import type { ClassShares, MethodDescription, SupportSpec } from '../../protocol/engine-api';
import { DETAILED_PROMPTS, defaultStates, promptsOf, spelledOut } from '../../protocol/prompts';
import type { ClassPrompts, PromptFrame } from '../../protocol/prompts';
import type { FitRecord, SupportClass, SupportImage, SupportSetRecord } from '../../store/schema';
import { plural } from '../actions/format';

/** Images that a class takes: more is no few-shot set. */
export const MOST_IMAGES = 10;
export const NORMAL_NAME = 'good';

/** What a support set is made of, before it has an id. */
export type SupportDraft = Pick<SupportSetRecord, 'classes' | 'normal' | 'objects' | 'templates'>;

/** An image that was not taken, and why. */
export interface Refused {
  readonly name: string;
  readonly reason: string;
}

/** Whether two names are one for a reader: `Copper_Residue` is copper residue. */
export const sameName = (a: string, b: string): boolean =>
  spelledOut(a).toLowerCase() === spelledOut(b).toLowerCase();

/** Names, of folders too, that mean a class without a defect. */
export const isNormalName = (name: string): boolean => /^(good|ok|normal|reference)$/i.test(name.trim());

const frame: PromptFrame = { objects: DETAILED_PROMPTS.objects, templates: DETAILED_PROMPTS.templates };

/** A class with the words that stand ready for its name, and images. @throws text/prompt without a name */
export const newClass = (name: string, images: readonly SupportImage[] = []): SupportClass => ({
  name: name.trim(),
  states: defaultStates(name),
  images,
});

/** Classes by their names, in the order given; good is the one without a defect, and is added where it is missing. */
export function draftOf(classes: readonly SupportClass[]): SupportDraft {
  const at = classes.findIndex(({ name }) => isNormalName(name));
  return at < 0
    ? { ...frame, classes: [newClass(NORMAL_NAME), ...classes], normal: 0 }
    : { ...frame, classes, normal: at };
}

/** The seven classes of the field. @source methods.md 1.1 */
export const presetDraft = (): SupportDraft =>
  draftOf(DETAILED_PROMPTS.classes.map(({ name }) => newClass(name)));

/** Why a class can't be called so; undefined when it can. @param except index of the class that is renamed */
export function nameProblem(
  classes: readonly SupportClass[],
  name: string,
  except?: number,
): string | undefined {
  if (!name.trim()) return 'A class needs a name.';
  const twin = classes.find((other, i) => i !== except && sameName(other.name, name));
  return twin && `There is a class ${twin.name} already. Take another name.`;
}

/** A label's items, at most `count` of them, drawn by a seed; in their order. */
export const draw = <T>(items: readonly T[], count: number, seed: number, label: string): T[] =>
  new Rng(seed, `support.${label}`).some(items, count);

/** Which of some images a class takes, and why it doesn't take the others. */
export function admit<T extends { readonly imageId: ImageId; readonly name: string }>(
  { classes }: Pick<SupportSetRecord, 'classes'>,
  className: string,
  images: readonly T[],
): { readonly taken: readonly T[]; readonly refused: readonly Refused[] } {
  const own = classes.find(({ name }) => name === className);
  const taken: T[] = [];
  const refused: Refused[] = [];
  if (!own) return { taken, refused: images.map(({ name }) => ({ name, reason: `${className} is gone` })) };
  for (const image of images) {
    const holder = classes.find((other) => other.images.some(({ imageId }) => imageId === image.imageId));
    const twin = taken.find(({ imageId }) => imageId === image.imageId);
    const reason = twin
      ? `the same picture as ${twin.name}`
      : holder === own
        ? `it is in ${own.name} already`
        : holder
          ? `it is in ${holder.name}; take it out there first, an image has one class`
          : own.images.length + taken.length >= MOST_IMAGES
            ? `${own.name} has ${MOST_IMAGES} images, which is the most that a class takes`
            : undefined;
    if (reason) refused.push({ name: image.name, reason });
    else taken.push(image);
  }
  return { taken, refused };
}

interface Extent {
  readonly width: number;
  readonly height: number;
}

const FULL_MASK = 'the mask covers the whole image, so it doesn’t say where; erase what is not defect';

/** Why a mask is none of its image; undefined when it is one. */
export function maskProblem(image: Extent, mask: Extent, share: number): string | undefined {
  if (mask.width !== image.width || mask.height !== image.height)
    return `the mask has ${mask.width}×${mask.height} px, the image ${image.width}×${image.height}; export it at the size of the image`;
  if (share === 0) return 'the mask is empty; paint where the defect is';
  if (share === 1) return FULL_MASK;
  return undefined;
}

/** How much of a mask is inside, 0 … 1. */
export const shareOf = (inside: Uint8Array): number =>
  inside.reduce((sum, value) => sum + value, 0) / inside.length;

/** What is wrong with a class's words; undefined when nothing is. */
export function promptProblem(own: ClassPrompts, words: PromptFrame): string | undefined {
  try {
    promptsOf(own, words);
    return undefined;
  } catch (error) {
    const { message, hint } = toAppError(error);
    return `${message[0].toUpperCase()}${message.slice(1)}. ${hint}`;
  }
}

/** Why a support set can't teach now; undefined when it can. */
export function problemOf(set: SupportSetRecord): string | undefined {
  const { classes, normal } = set;
  if (!classes.length) return `${set.name} has no class. Add one for each kind of defect, and one for good.`;
  for (const [i, { name }] of classes.entries()) {
    const wrong = nameProblem(classes, name, i);
    if (wrong) return wrong;
  }
  if (classes.length === 1)
    return `${classes[normal].name} is the only class. Add a class for each kind of defect.`;
  const holders = new Map<ImageId, string>();
  for (const { name, images } of classes) {
    if (images.length > MOST_IMAGES)
      return `${name} has ${images.length} images; a class takes ${MOST_IMAGES}. Take some out.`;
    for (const image of images) {
      const other = holders.get(image.imageId);
      if (other !== undefined)
        return `${image.name} is in ${other} and in ${name}; an image has one class. Take it out of one.`;
      holders.set(image.imageId, name);
      if (image.maskShare === 1) return `${image.name} in ${name}: ${FULL_MASK}.`;
    }
  }
  for (const own of classes) {
    const wrong = promptProblem(own, set);
    if (wrong) return wrong;
  }
  return undefined;
}

type Taught = Pick<MethodDescription, 'title' | 'needs'>;

/** Why the set can't teach a method; undefined when it can. */
export function teachProblem(
  { title, needs }: Taught,
  { classes, normal }: SupportDraft,
): string | undefined {
  const good = classes[normal]?.images.length ?? 0;
  const defects = classes.some((own, i) => i !== normal && own.images.length);
  if (good < needs.leastGoodImages)
    return `${title} needs at least ${plural(needs.leastGoodImages, 'good image')}; the class ${classes[normal]?.name ?? NORMAL_NAME} has ${good || 'none'}.`;
  if (needs.defects === 'required' && !defects)
    return `${title} learns from defects; give at least one class of defects an image.`;
  return undefined;
}

/** Titles as a sentence lists them. */
const listed = (methods: readonly Taught[]): string => methods.map(({ title }) => title).join(', ');

/** What is allowed but has its price. @param methods that will be fitted */
export function remarksOf({ classes, normal }: SupportDraft, methods: readonly Taught[]): string[] {
  const learning = methods.filter(({ needs }) => needs.defects !== 'none');
  const bare = classes.filter(({ images }) => !images.length);
  const defects = classes.filter((_, i) => i !== normal).flatMap(({ images }) => images);
  const unmasked = defects.filter(({ mask }) => !mask).length;
  const remarks: string[] = [];
  const wordy = methods.filter(({ needs }) => !needs.leastGoodImages && needs.defects !== 'required');
  if (bare.length === classes.length) {
    const judge = wordy.length === 1 ? 'judges' : 'judge';
    if (wordy.length)
      remarks.push(`No example images: ${listed(wordy)} ${judge} by text alone; expect coarse maps.`);
  } else if (bare.length && learning.length)
    remarks.push(
      `Without images, known by text alone: ${bare.map(({ name }) => name).join(', ')}. Expect these to be told apart less well.`,
    );
  if (defects.length && learning.length < methods.length)
    remarks.push(
      `By good images alone: ${listed(methods.filter((own) => !learning.includes(own)))}. The ${plural(defects.length, 'defect image')} ${defects.length === 1 ? 'isn’t' : 'aren’t'} used there.`,
    );
  if (unmasked && learning.length)
    remarks.push(
      `Without a mask: ${unmasked} of ${plural(defects.length, 'defect image')}. These teach what a defect is, not where.`,
    );
  return remarks;
}

/** How many texts a class is described by. */
export const promptCount = (states: readonly string[], { objects, templates }: PromptFrame): number =>
  states.length * templates.length * objects.length;

/** What the engine is told of a support set. */
export const specOf = ({ classes, normal, objects, templates }: SupportDraft): SupportSpec => ({
  prompts: { classes: classes.map(({ name, states }) => ({ name, states })), objects, templates },
  normal,
});

/** Whether a fit was taught other words or images than the set has now. */
export const changedSince = (
  set: SupportDraft,
  {
    spec,
    goodIds,
    defectIds = [],
    createdAt,
  }: Pick<FitRecord, 'spec' | 'goodIds' | 'defectIds' | 'createdAt'>,
): boolean => differsFrom(set, spec.support, [...goodIds, ...defectIds], createdAt);

/** Whether a set has other words or images than these, or a mask that was changed after a time. */
export function differsFrom(
  set: SupportDraft,
  support: SupportSpec | undefined,
  imageIds: readonly ImageId[],
  time: number,
): boolean {
  const images = set.classes.flatMap((own) => own.images);
  if (images.some(({ maskedAt = 0 }) => maskedAt > time)) return true;
  const ids = images.map(({ imageId }) => imageId);
  const taught = new Set(imageIds);
  const sameWords = JSON.stringify(support) === JSON.stringify(specOf(set));
  return !sameWords || ids.length !== taught.size || ids.some((id) => !taught.has(id));
}

/** The set without a class; the mark of good goes to the class called so, or to the first. */
export function withoutClass<S extends SupportDraft>(set: S, index: number): S {
  const classes = set.classes.filter((_, i) => i !== index);
  if (index !== set.normal) return { ...set, classes, normal: set.normal - Number(index < set.normal) };
  const called = classes.findIndex(({ name }) => isNormalName(name));
  return { ...set, classes, normal: Math.max(called, 0) };
}

/** The set with a class put back where it was. */
export function withClass<S extends SupportDraft>(
  set: S,
  own: SupportClass,
  index: number,
  normal: boolean,
): S {
  const at = Math.min(index, set.classes.length);
  const classes = [...set.classes.slice(0, at), own, ...set.classes.slice(at)];
  const kept = set.normal + Number(set.classes.length > 0 && at <= set.normal);
  return { ...set, classes, normal: normal ? at : kept };
}

/** The set with one class changed; `edit` is by name, because classes may have moved since. */
export const changeClass = <S extends SupportDraft>(
  set: S,
  name: string,
  edit: (own: SupportClass) => SupportClass,
): S => ({ ...set, classes: set.classes.map((own) => (own.name === name ? edit(own) : own)) });

/** `12 states × 24 templates × 3 objects = 864 prompts`. */
export const countLine = (states: readonly string[], words: PromptFrame): string =>
  `${plural(states.length, 'state')} × ${plural(words.templates.length, 'template')} × ${plural(
    words.objects.length,
    'object',
  )} = ${plural(promptCount(states, words), 'prompt')}`;

/** The most probable class and its probability; undefined where nothing tells classes apart. */
export function topClass(
  shares: ClassShares<Float32Array> | undefined,
  support: SupportSpec | undefined,
): { readonly name: string; readonly share: number } | undefined {
  if (!shares || !support) return undefined;
  const share = Math.max(...shares.fused);
  return { name: support.prompts.classes[shares.fused.indexOf(share)].name, share };
}
