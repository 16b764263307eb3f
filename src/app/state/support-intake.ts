import type { ImageId } from '../../base/ids';
import type { PathEntry } from '../../exchange/layout';
import { sortMasks } from '../../exchange/masks';
import type { MaskPixels } from '../../protocol/pixels-api';
import type { SupportClass, SupportImage } from '../../store/schema';
import type { EngineClient } from '../engine-client';
import type { FitImage } from './fits.svelte';
import type { Entry } from './library.svelte';
import { reasonOf } from './reason';
import { NORMAL_NAME, draw, isNormalName, maskProblem, newClass, shareOf } from './support-rules';
import type { Refused } from './support-rules';
import { unpack } from './unpack';

type Pixels = Pick<EngineClient, 'pixels'>;

/** An image that is to join a class; its mask is not looked at yet. */
export type Candidate = Pick<FitImage, 'imageId' | 'name' | 'image' | 'mask'>;

interface Intake {
  readonly candidates: readonly Candidate[];
  /** Masks of images that are in the class already. */
  readonly masks: readonly { readonly imageId: ImageId; readonly mask: Blob }[];
  readonly refused: readonly Refused[];
}

/** Reads files that are to join a class, archives too. What can't be read is listed and the rest goes on. @param tick one was read */
export async function readFiles(
  client: Pixels,
  files: readonly PathEntry<Blob>[],
  there: readonly SupportImage[],
  tick: (left: number) => void,
): Promise<Intake> {
  const inside = await unpack(files);
  const sorted = sortMasks(inside.files, there);
  const refused = [...inside.leftOut, ...sorted.leftOut].map(({ path, reason }) => ({ name: path, reason }));
  const candidates: Candidate[] = [];
  let left = sorted.images.length;
  tick(left);
  for (const { name, file, mask } of sorted.images) {
    try {
      const imageId = (await client.pixels((pixels) => pixels.hash(file))) as ImageId;
      const summary = await client.pixels((pixels) => pixels.summarise(file, name));
      candidates.push({ imageId, name, image: { id: imageId, blob: file, ...summary }, mask });
    } catch (error) {
      refused.push({ name, reason: reasonOf(error, name) });
    }
    tick(--left);
  }
  return {
    candidates,
    refused,
    masks: sorted.masks.map(({ of, file }) => ({ imageId: of.imageId, mask: file })),
  };
}

/** Candidates as a class holds them; a mask that is none is left away and listed. */
export async function withMasks(
  client: Pixels,
  candidates: readonly Candidate[],
  refused: Refused[],
): Promise<SupportImage[]> {
  const images: SupportImage[] = [];
  for (const { imageId, name, image, mask } of candidates) {
    let kept: Pick<SupportImage, 'mask' | 'maskShare' | 'maskedAt'> = {};
    if (mask)
      try {
        const found = await client.pixels((pixels) => pixels.wholeMask(mask, `the mask of ${name}`));
        const maskShare = shareOf(found.inside);
        const reason = maskProblem(image, found, maskShare);
        if (reason) refused.push({ name, reason });
        else kept = { mask, maskShare, maskedAt: Date.now() };
      } catch (error) {
        refused.push({ name, reason: reasonOf(error, '') });
      }
    images.push({ imageId, name, ...kept });
  }
  return images;
}

/**
 * Labels as classes, each with at most `count` of its images drawn by `seed`; of good ones those that detectors fit on
 * come before those that are inspected.
 * @returns undefined where no label names a defect
 */
export async function classesFrom(
  client: Pixels,
  entries: readonly Entry[],
  count: number,
  seed: number,
  refused: Refused[],
): Promise<SupportClass[] | undefined> {
  const labelOf = ({ role, className }: Entry) =>
    role === 'good' || (className && isNormalName(className)) ? NORMAL_NAME : className;
  const labels = [...new Set(entries.flatMap((entry) => labelOf(entry) ?? []))].sort();
  if (labels.every((label) => label === NORMAL_NAME)) return undefined;
  const classes: SupportClass[] = [];
  for (const label of labels) {
    const own = entries.filter((entry) => labelOf(entry) === label);
    const fittedOn = own.filter(({ role }) => role === 'good');
    const from = fittedOn.length ? fittedOn : own;
    classes.push(newClass(label, await withMasks(client, draw(from, count, seed, label), refused)));
  }
  return classes;
}

/** An image's mask to paint on: its own, or an empty one. @throws image/… */
export async function maskToPaint(
  client: Pixels,
  { width, height }: { readonly width: number; readonly height: number },
  { name, mask }: SupportImage,
): Promise<MaskPixels> {
  if (!mask) return { width, height, inside: new Uint8Array(width * height) };
  return client.pixels((pixels) => pixels.wholeMask(mask, `the mask of ${name}`));
}
