import type { Rng } from '../../base/rng';
import { floatTensor, floats } from '../../base/tensor';
import type { TensorData } from '../../base/tensor';
import type { Value } from '../../graph/value';
import type { FitContext, FitProgress, FitSize, Inputs, Portion, View } from '../contract';
import { FeatureStore } from './feature-cache';
import { mirrored, mirrorsOf } from './mirror';
import type { Mirror } from './mirror';

/** Quarter turns are mirrored transposed images. */
interface Turn extends Mirror {
  readonly transposed: boolean;
}

/** The eight ways to lay a square, the image as it is first. @source methods.md 14.1 */
const TURNS: readonly Turn[] = [false, true].flatMap((transposed) =>
  mirrorsOf(true).map((mirror) => ({ ...mirror, transposed })),
);

export const MOST_VIEWS = TURNS.length;

/** @shape [side·side] */
export function turned(plane: Float32Array, side: number, { transposed, ...mirror }: Turn): Float32Array {
  const laid = transposed ? plane.map((_, i) => plane[(i % side) * side + Math.floor(i / side)]) : plane;
  return mirrored(laid, side, mirror);
}

/**
 * An image with a rectangle of its own, a little brighter or darker and of a little more or less contrast, in another
 * place.
 * @param image [side·side], 0 … 1; not changed
 * @source methods.md 14.1
 */
export function cutMixed(image: Float32Array, side: number, rng: Rng): Float32Array {
  const area = rng.between(0.02, 0.15) * side * side;
  const aspect = Math.exp(rng.between(Math.log(0.3), -Math.log(0.3)));
  const [width, height] = [aspect, 1 / aspect].map((ratio) =>
    Math.min(Math.max(1, Math.round(Math.sqrt(area * ratio))), side),
  );
  const place = () => rng.integer(side - height + 1) * side + rng.integer(side - width + 1);
  const [from, to] = [place(), place()];
  const [brightness, contrast] = [rng.between(0.9, 1.1), rng.between(0.9, 1.1)];
  const inside = (i: number) => Math.floor(i / width) * side + (i % width);
  const patch = Float32Array.from({ length: width * height }, (_, i) =>
    Math.min(brightness * image[from + inside(i)], 1),
  );
  const mean = patch.reduce((sum, value) => sum + value, 0) / patch.length;
  const mixed = image.slice();
  patch.forEach((value, i) => {
    mixed[to + inside(i)] = Math.min(Math.max(mean + contrast * (value - mean), 0), 1);
  });
  return mixed;
}

/** How much is made of a set of images. */
export interface Abundance {
  /** Ways that an image is laid. */
  readonly views: number;
  /** Pseudo anomalies; at least one of each good image. */
  readonly pseudo: number;
}

const pseudoOf = (goodImages: number, pseudo: number): number => Math.max(1, Math.round(pseudo / goodImages));

/** Items of a training set: every view of an image is one. */
export const itemCount = ({ goodImages, defectImages }: FitSize, { views, pseudo }: Abundance): number =>
  (goodImages + defectImages) * views + goodImages * pseudoOf(goodImages, pseudo);

/** One picture of the training set: its place among what is kept, and the image that it was made of. */
export interface Item {
  readonly at: number;
  readonly image: number;
}

/** What is known of all pictures, and which ones are what. */
export interface TrainingImages {
  readonly store: FeatureStore;
  /** Views of good images; the first are the images as they are, in their order. */
  readonly good: readonly Item[];
  readonly defects: readonly Item[];
  readonly pseudo: readonly Item[];
}

/**
 * Embeds good and defective images in every view, and pseudo anomalies made of the good ones.
 * @param build from features to [B,width]
 */
export async function* trainingImages(
  context: FitContext,
  build: (inputs: Inputs) => Value,
  width: number,
  { views, pseudo }: Abundance,
): AsyncGenerator<FitProgress, TrainingImages> {
  const { side } = context;
  // What a step costs doesn't depend on how many pictures there are.
  const [turns, made] = context.trial ? [1, 1] : [views, pseudoOf(context.goodImages, pseudo)];
  const total = itemCount(context, { views, pseudo });
  const store = new FeatureStore(context.checkpoint, 'items', width, total);
  const kinds = { good: [] as Item[], defects: [] as Item[], pseudo: [] as Item[] };
  const passes: { key: string; of: Portion; into: Item[]; view?: View }[] = [];
  for (const [v, turn] of TURNS.slice(0, turns).entries()) {
    const view: View | undefined = v ? (image) => turned(image, side, turn) : undefined;
    for (const of of ['good', 'defects'] as const)
      passes.push({ key: `view.${v}`, of, into: kinds[of], view });
  }
  for (let i = 0; i < made; i++)
    passes.push({
      key: `pseudo.${i}`,
      of: 'good',
      into: kinds.pseudo,
      view: (image, index) => {
        const rng = context.rng(`pseudo.${i}.${index}`);
        return turned(cutMixed(image, side, rng), side, TURNS[rng.integer(views)]);
      },
    });
  for (const { key, of, into, view } of passes)
    for await (const { first, count, values } of context.embed(key, build, of, view)) {
      const found = floats(values);
      for (let i = 0; i < count; i++) {
        into.push({ at: store.count, image: first + i });
        await store.add(found.slice(i * width, (i + 1) * width));
      }
      yield { phase: 'features', done: store.count, total, unit: 'images' };
    }
  return { store, ...kinds };
}

/** What a batch is made of. */
export interface BatchPlan {
  readonly normals: number;
  readonly anomalies: number;
}

/** Two thirds of a batch are draws of good images, the rest known anomalies. @source methods.md 14.1 */
export function batchPlan(batch: number): BatchPlan {
  const anomalies = Math.max(1, Math.round(batch / 3));
  return { normals: batch - anomalies, anomalies };
}

/** A batch: the pictures' places, what they are (`headLosses`), and how much each reference counts for each of them. */
export interface Batch {
  readonly items: readonly number[];
  readonly kinds: TensorData;
  readonly shares: TensorData;
}

/**
 * Draws a batch. Each draw of a good image becomes, with probability ½, a pseudo anomaly instead. A picture made of a
 * reference is held against the others: an image that is inspected is never among the references.
 * @param references good images
 * @source methods.md 14.1
 */
export function drawBatch(
  { good, defects, pseudo }: Pick<TrainingImages, 'good' | 'defects' | 'pseudo'>,
  references: readonly number[],
  { normals, anomalies }: BatchPlan,
  rng: Rng,
): Batch {
  const drawn = [
    ...Array.from({ length: normals }, () => {
      const made = rng.uniform() < 0.5;
      return { kind: made ? 2 : 0, item: rng.pick(made ? pseudo : good) };
    }),
    ...Array.from({ length: anomalies }, () => ({ kind: 1, item: rng.pick(defects) })),
  ];
  const kinds = drawn.flatMap(({ kind }) => [0, 1, 2].map((own) => Number(own === kind)));
  const shares = drawn.flatMap(({ kind, item }) => {
    const others = references.filter((image) => kind === 1 || image !== item.image);
    const counted = others.length ? others : references;
    return references.map((image) => Number(counted.includes(image)) / counted.length);
  });
  return {
    items: drawn.map(({ item }) => item.at),
    kinds: floatTensor([drawn.length, 3], kinds),
    shares: floatTensor([drawn.length, references.length], shares),
  };
}
