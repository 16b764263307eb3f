import type { NumberSpec } from '../options';

/**
 * Options that every trained method has, each with the method's own default.
 * @param ends whether training may end before, by held-out good images
 */
export const stepsOption = (value: number, ends: 'held out' | 'fixed' = 'held out'): NumberSpec => ({
  kind: 'number',
  default: value,
  min: 1,
  max: 100_000,
  integer: true,
  unit: 'steps',
  label: ends === 'fixed' ? 'Steps' : 'Steps at most',
  help:
    ends === 'fixed'
      ? 'Length of the training; its end is not found by itself.'
      : 'Training ends earlier when held-out good images stop getting better.',
});

export const batchOption = (value: number): NumberSpec => ({
  kind: 'number',
  default: value,
  min: 2,
  max: 64,
  integer: true,
  unit: 'images',
  label: 'Batch',
  help: 'Good images in one step. More is steadier and takes more time and memory a step.',
});

export const rateOption = (value: number): NumberSpec => ({
  kind: 'number',
  default: value,
  min: 1e-6,
  max: 10,
  integer: false,
  unit: '',
  label: 'Learning rate',
  help: 'Size of a step. Halve it when the loss jumps or stops being a number.',
});

export const blurOption = (value: number): NumberSpec => ({
  kind: 'number',
  default: value,
  min: 0,
  max: 16,
  integer: false,
  unit: 'px',
  label: 'Map smoothing',
  help: 'Gaussian smoothing of the map, in pixels of the model input; the score is its maximum.',
});
