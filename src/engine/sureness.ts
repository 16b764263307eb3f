import type { ImageId } from '../base/ids';
import { calibrationError, fitTemperature } from '../metrics/reliability';
import type { HeldOutAnswer, Sureness } from '../protocol/classes-api';

/** A handful of images that are all told right would say that every answer is certain. */
const PRIOR = 1;

/** What fits that had not seen them said of images: logits row by row. */
export interface HeldOut {
  readonly logits: number[];
  readonly labels: number[];
  readonly images: ImageId[];
}

/** Their probabilities. @param classes how many */
export const answersOf = (
  { logits, images }: HeldOut,
  classes: number,
  temperature: number,
): HeldOutAnswer[] =>
  images.map((imageId, i) => ({
    imageId,
    probabilities: Float32Array.from(softmaxOf(logits.slice(i * classes, (i + 1) * classes), temperature)),
  }));

/** How sure answers are; null of nothing. @param classes how many */
export function surenessOf({ logits, labels }: HeldOut, classes: number): Sureness | null {
  const found = fitTemperature(logits, labels, PRIOR);
  if (!found) return null;
  const error = (temperature: number) =>
    calibrationError(
      labels.flatMap((_, i) => softmaxOf(logits.slice(i * classes, (i + 1) * classes), temperature)),
      labels,
    )!;
  const { temperature, n } = found;
  return { temperature, n, errorBefore: error(1), error: error(temperature) };
}

function softmaxOf(logits: readonly number[], temperature: number): number[] {
  const most = Math.max(...logits);
  const raised = logits.map((logit) => Math.exp((logit - most) / temperature));
  const sum = raised.reduce((total, value) => total + value, 0);
  return raised.map((value) => value / sum);
}
