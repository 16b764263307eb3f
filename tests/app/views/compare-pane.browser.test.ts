import { expect, it } from 'vitest';
import ComparePane from '../../../src/app/views/ComparePane.svelte';
import { accessibilityProblems, mounted } from '../../support/mounted.svelte';

const NONE = { auroc: null, ap: null, f1: null, aupro: null };
const result = { score: 0.5, durationMs: 12 };
const column = (id: string, ...inspected: string[]) => ({
  fit: { id },
  results: new Map(inspected.map((imageId) => [imageId, result])),
});

function pane(loading: boolean) {
  const comparison = {
    columns: [column('measured', 'a'), column('unlabelled', 'b'), column('empty')],
    figures: new Map([['measured', { image: { ...NONE, auroc: 0.875, count: 1 }, pixel: NONE }]]),
    loading,
  };
  const library = { toInspect: [{ imageId: 'a' }, { imageId: 'b' }] };
  const session = { comparison, library, nameOf: ({ id }: { id: string }) => id };
  return mounted<{ session: never }>(ComparePane, { session: session as never });
}
const rows = (box: HTMLElement) =>
  [...box.querySelectorAll('[aria-label="Figures against the labels"] tbody tr')].map((row) =>
    [...row.querySelectorAll('th, td')].map((cell) => cell.textContent.trim()),
  );
const missing = new Array<string>(5).fill('not defined');

it('a fit without figures says why, once all figures are there', async () => {
  const { box } = pane(false);
  expect(rows(box)).toEqual([
    ['measured', '1', '0.875', ...missing],
    ['unlabelled', '', 'no labelled image inspected'],
    ['empty', '', 'not inspected'],
  ]);
  expect(box.textContent).toContain('Inspect 4 missing results');
  expect(await accessibilityProblems(box)).toEqual([]);
});

it('figures that are being computed are waited for', () => {
  const { box } = pane(true);
  expect(rows(box)[2]).toEqual(['empty', '', ...new Array<string>(6).fill('…')]);
});
