import { expect, it } from 'vitest';
import { numberedName } from '../../../src/app/state/fit-names';

const FITS = [
  { id: 'a', method: 'PaDiM' },
  { id: 'b', method: 'PatchCore' },
  { id: 'c', method: 'PaDiM' },
];

it('fits of one name have numbers, others have none', () => {
  expect(FITS.map((fit) => numberedName(fit, FITS, ({ method }) => method))).toEqual([
    'PaDiM (fit\u00a01)',
    'PatchCore',
    'PaDiM (fit\u00a02)',
  ]);
});
