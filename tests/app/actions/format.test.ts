import { expect, it } from 'vitest';
import {
  changedOptions,
  formatArea,
  formatInterval,
  formatShare,
  inAbout,
} from '../../../src/app/actions/format';
import { recame } from '../../../src/methods/classifiers/recame';
import { semclip } from '../../../src/methods/clip/sem-clip';
import { defaultOptions } from '../../../src/methods/options';
import type { Options } from '../../../src/methods/options';

it('shares and their intervals are in percent, or said not to be there', () => {
  expect([formatShare(5 / 6), formatShare(5 / 6, 0), formatShare(null)]).toEqual([
    '83.3 %',
    '83 %',
    'not defined',
  ]);
  expect([formatInterval({ low: 0.6525, high: 1 }), formatInterval(null)]).toEqual([
    '[65.3, 100.0]',
    'no interval',
  ]);
});

it('a button tells a time that is known and takes a second or more', () => {
  expect([inAbout(undefined), inAbout(999), inAbout(4000)]).toEqual(['', '', ', about 0:04']);
});

it('areas are in the unit that reads best, never in powers of ten', () => {
  expect([640, 21_500, 2.5e9, 1.684e12].map(formatArea)).toEqual([
    '640 nm²',
    '0.0215 µm²',
    '2500 µm²',
    '1.68 mm²',
  ]);
});

it('options that differ from their defaults are said with their units and labels', () => {
  const methods = [{ id: 'recame', options: recame.options }];
  const defaults = defaultOptions(recame.options);
  const changed = (options: Options) => changedOptions(methods, { method: 'recame', options });
  expect(changed(defaults)).toEqual([]);
  expect(changed({ ...defaults, width: 192, mining: false, metric: 'none' })).toEqual([
    'Width of an expert: 192 channels',
    'Hard categories: off',
    'Metric losses: none',
  ]);
  const steps = [{ id: 'semclip', options: semclip.options }];
  expect(changedOptions(steps, { method: 'semclip', options: { steps: 30 } })).toEqual(['Steps: 30']);
});
