/** The learning rate of a step, counted from 0. @source methods.md 1.8 */
export type Schedule = (step: number) => number;

export const constantRate =
  (rate: number): Schedule =>
  () =>
    rate;

/** rate·γ^(milestones passed) */
export const multiStep =
  (rate: number, milestones: readonly number[], gamma: number): Schedule =>
  (step) =>
    rate * gamma ** milestones.filter((milestone) => step >= milestone).length;

/** rate·γ^⌊step/every⌋ */
export const everySteps =
  (rate: number, every: number, gamma: number): Schedule =>
  (step) =>
    rate * gamma ** Math.floor(step / every);

/** From `rate` down to `least` along half a cosine over `total` steps; `least` afterwards. */
export const cosine =
  (rate: number, total: number, least = 0): Schedule =>
  (step) =>
    least + ((rate - least) * (1 + Math.cos((Math.PI * Math.min(step, total)) / total))) / 2;
