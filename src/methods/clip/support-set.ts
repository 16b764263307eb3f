import { assert } from '../../base/errors';
import { floats, sizeOf } from '../../base/tensor';
import { concat } from '../../graph/ops/index';
import type { Value } from '../../graph/value';
import type { FitContext, FitProgress, Inputs, Portion, Support } from '../contract';
import { FeatureStore } from '../kit/feature-cache';
import { mirrorView, mirrored, mirrorsOf } from '../kit/mirror';
import { classTokenOf, headInputs } from './head';
import type { LabelledRows } from '../kit/class-head';
import { headLevels } from './options';
import type { SemClipOptions } from './options';
import { denseFeatures, denseWidth, lossSide } from './transformation';

/** A pixel of a reduced mask is marked when this share of it is: half would wipe out thin scratches. */
const LEAST_SHARE = 1 / 4;

/**
 * A mask at a smaller side, by the share of marked pixels; a mask too fine to leave anything keeps every place that
 * one of its pixels lies in.
 * @param mask [side·side], 0 or 1
 * @param to divides `side`
 * @returns [to·to], 0 or 1
 * @source methods.md 16.7
 */
export function reduceMask(mask: Uint8Array, side: number, to: number): Uint8Array {
  const factor = side / to;
  const counts = new Uint32Array(to * to);
  for (let i = 0; i < mask.length; i++)
    if (mask[i]) counts[Math.floor(Math.floor(i / side) / factor) * to + Math.floor((i % side) / factor)]++;
  const marked = (least: number) => Uint8Array.from(counts, (count) => Number(count >= least));
  const reduced = marked(LEAST_SHARE * factor * factor);
  return reduced.includes(1) ? reduced : marked(1);
}

/**
 * Masks of the defective images at the side of the loss; `undefined` where there is none or nothing is marked.
 * @throws fit/mask
 */
export async function supportMasks(
  context: FitContext,
  support: Support | undefined,
  o: SemClipOptions,
): Promise<(Uint8Array | undefined)[]> {
  const masks: (Uint8Array | undefined)[] = [];
  let empty = 0;
  for (let i = 0; i < context.defectImages; i++) {
    const mask = support?.masked[i] ? await context.defectMask(i) : undefined;
    const marked = mask?.includes(1);
    if (mask && !marked) empty++;
    masks.push(mask && marked ? reduceMask(mask, context.side, lossSide(context.side, o)) : undefined);
  }
  if (empty)
    context.remark(
      `The masks of ${empty} of ${masks.length} images with defects are empty: no maps from those.`,
    );
  return masks;
}

/** What is kept of the images of a support set, every view one item. */
export interface SupportFeatures {
  /** For the class head: all images. */
  readonly labelled: LabelledRows;
  /** What texts are held against: class tokens of all images as they are, in the space of texts. */
  readonly tokens: LabelledRows;
  /** For the transformation layers: good images and those with masks. */
  readonly dense: FeatureStore;
  /** Mask of each item of `dense`. */
  readonly masks: readonly Uint8Array[];
}

/** Which trainings there will be. */
export interface Wanted {
  readonly head: boolean;
  readonly maps: boolean;
}

/**
 * Embeds the images once in each view.
 * @param masks of the defective images, at the side of the loss
 */
export async function* supportFeatures(
  context: FitContext,
  support: Support | undefined,
  masks: readonly (Uint8Array | undefined)[],
  wanted: Wanted,
  o: SemClipOptions,
): AsyncGenerator<FitProgress, SupportFeatures> {
  const views = mirrorsOf(o.flips && !context.trial);
  const side = lossSide(context.side, o);
  const none = new Uint8Array(side * side);
  const width = wanted.maps ? denseWidth(context, o) : 0;
  const tokenWidth = wanted.head ? context.taps.classes![1] : 0;
  const rows: Float32Array[] = [];
  const classOf: number[] = [];
  const tokens: Float32Array[] = [];
  const ownMasks: Uint8Array[] = [];
  const portions: readonly (readonly [Portion, number])[] = [
    ['good', context.goodImages],
    ['defects', context.defectImages],
  ];
  const images = context.goodImages + context.defectImages;
  const total = images * views.length;
  const dense = new FeatureStore(context.checkpoint, 'support', width, total);
  let done = 0;
  for (const [v, mirror] of views.entries()) {
    const view = mirrorView(context.side, mirror);
    for (const [of, count] of portions) {
      if (!count) continue;
      for await (const batch of context.embed(
        `features.${v}`,
        (inputs) => emitFeatures(inputs, wanted, o),
        of,
        view,
      )) {
        const found = floats(batch.values);
        const size = found.length / batch.count;
        for (let i = 0; i < batch.count; i++) {
          const vector = found.subarray(i * size, (i + 1) * size);
          const index = batch.first + i;
          const mask = of === 'good' ? none : masks[index];
          if (wanted.maps && mask) {
            await dense.add(vector.slice(size - width));
            ownMasks.push(mirrored(mask, side, mirror));
          }
          if (!wanted.head) continue;
          assert(support, 'classes are the support set’s');
          rows.push(vector.slice(tokenWidth, size - width));
          classOf.push(of === 'good' ? support.normal : support.defectClasses[index]);
          if (!view) tokens.push(vector.slice(0, tokenWidth));
        }
        done += batch.count;
        yield { phase: 'features', done, total, unit: 'images' };
      }
    }
  }
  return {
    labelled: { rows, classOf },
    // The first view is of the images as they are.
    tokens: { rows: tokens, classOf: classOf.slice(0, tokens.length) },
    dense,
    masks: ownMasks,
  };
}

function emitFeatures(inputs: Inputs, wanted: Wanted, o: SemClipOptions): Value {
  const parts: Value[] = [];
  if (wanted.head) parts.push(classTokenOf(inputs, 4), headInputs(inputs, o));
  if (wanted.maps) parts.push(denseFeatures(inputs, o));
  return concat(parts, 1);
}

/** Values of one image that the head sees. */
export const headWidth = ({ taps }: Pick<FitContext, 'taps'>, o: SemClipOptions): number =>
  headLevels(o).reduce((sum, level) => sum + sizeOf(taps[`tokens${level}`]!.slice(1)), 0);

/** Images of the class that has most. */
export function shotsOf(context: FitContext, support: Support | undefined): number {
  const counts = new Map<number, number>();
  for (const own of support?.defectClasses ?? []) counts.set(own, (counts.get(own) ?? 0) + 1);
  return Math.max(context.goodImages, ...counts.values());
}
