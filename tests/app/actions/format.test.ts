import { expect, it } from 'vitest';
import { formatArea, formatInterval, formatShare } from '../../../src/app/actions/format';

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

it('areas are in the unit that reads best, never in powers of ten', () => {
  expect([640, 21_500, 2.5e9, 1.684e12].map(formatArea)).toEqual([
    '640 nm²',
    '0.0215 µm²',
    '2500 µm²',
    '1.68 mm²',
  ]);
});
