import { cosine } from '../../src/nn/schedules';
import type { Schedule } from '../../src/nn/schedules';
import type { Disturbance } from './batches';

/** A stretch of training on images of one size. */
export interface Phase {
  /** Side of the images in px. */
  readonly side: number;
  /** Different images. */
  readonly images: number;
  readonly batch: number;
  readonly steps: number;
  readonly rate: number;
  readonly warmUp: number;
  /** Steps between two looks at the held-out images. */
  readonly lookEvery: number;
}

/** Everything that the numbers of a training depend on. */
export interface Plan extends Disturbance {
  readonly seed: number;
  readonly phases: readonly Phase[];
  /** Captions of each group in a batch. */
  readonly each: number;
  /** Of the weight average, for each step. */
  readonly decay: number;
}

/** What two quiet cores do in `MINUTES`, images included. */
export const MINUTES = 105;
export const IMAGES = 48_000;
const STEPS = 7000;
const FINE_STEPS = 700;
/** Large images for each small one. */
const FINE_SHARE = 1 / 8;
const LOOKS = 14;
const FINE_LOOKS = 4;
/** A look takes about as long as ten steps. */
const LEAST_BETWEEN_LOOKS = 60;

/** The two phases of a budget: most of it at 160 px, where a step sees four small images for two large ones. */
export function phasesOf(minutes: number, images: number): readonly [Phase, Phase] {
  const steps = (full: number) => Math.max(Math.round((full * minutes) / MINUTES), 10);
  const lookEvery = (all: number, looks: number) => Math.max(Math.ceil(all / looks), LEAST_BETWEEN_LOOKS);
  const [coarse, fine] = [steps(STEPS), steps(FINE_STEPS)];
  return [
    {
      side: 160,
      images,
      batch: 32,
      steps: coarse,
      rate: 1e-3,
      warmUp: 60,
      lookEvery: lookEvery(coarse, LOOKS),
    },
    {
      side: 240,
      images: Math.ceil(images * FINE_SHARE),
      batch: 16,
      steps: fine,
      rate: 2e-4,
      warmUp: 20,
      lookEvery: lookEvery(fine, FINE_LOOKS),
    },
  ];
}

/** Up along a line, down along half a cosine to a hundredth. */
export function scheduleOf({ rate, steps, warmUp }: Phase): Schedule {
  const fall = cosine(rate, Math.max(steps - warmUp, 1));
  return (step) => Math.min((rate * (step + 1)) / warmUp, fall(Math.max(step - warmUp, 0)) + 0.01 * rate);
}
