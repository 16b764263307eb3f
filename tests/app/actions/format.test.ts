import { expect, it } from 'vitest';
import { formatInterval, formatShare } from '../../../src/app/actions/format';

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
