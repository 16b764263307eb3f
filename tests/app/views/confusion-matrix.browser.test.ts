import { flushSync } from 'svelte';
import { describe, expect, it, vi } from 'vitest';
import { userEvent } from 'vitest/browser';
import ConfusionMatrix from '../../../src/app/views/ConfusionMatrix.svelte';
import { accessibilityProblems, keysOfTheApp, mounted } from '../../support/mounted.svelte';

const classes = ['particle', 'scratch', 'void'];
const matrix = [
  [8, 1, 0, 1],
  [0, 4, 0, 0],
  [0, 3, 0, 2],
];

const table = (box: HTMLElement) => box.querySelector('table')!;
const cell = (box: HTMLElement, row: number, column: number) => table(box).rows[row + 1].cells[column + 1];

/** Right on the diagonal but for one of each class, which is called the next. */
const large = (count: number) =>
  Array.from({ length: count }, (_, i) =>
    Array.from({ length: count + 1 }, (_, j) => (i === j ? 20 : j === (i + 1) % count ? 1 : 0)),
  );
const names = (count: number) => Array.from({ length: count }, (_, i) => `a rather long defect name ${i}`);

describe('ConfusionMatrix', () => {
  it('shows counts, none for zero, recall at the end and purity below', () => {
    const { box } = mounted(ConfusionMatrix, { classes, matrix, onselect: () => undefined });
    const [head, ...rows] = table(box).rows;
    expect([...head.cells].slice(1, 5).map(({ title }) => title)).toEqual([...classes, 'Unknown']);
    expect([...rows[0].cells].slice(1, 6).map(({ textContent }) => textContent)).toEqual([
      '8',
      '1',
      '',
      '1',
      '10',
    ]);
    expect(cell(box, 0, 2).ariaLabel).toBe('0');
    const figures = (of: Iterable<HTMLTableCellElement>) =>
      [...of].map((td) => td.querySelector('[title]')?.getAttribute('title'));
    expect(figures(rows.slice(0, 3).map((row) => row.cells[6]))).toEqual([
      'Recall of particle: 80.0 % [44.4, 97.5], 8 of 10 images',
      'Recall of scratch: 100.0 % [39.8, 100.0], 4 of 4 images',
      'Recall of void: 0.0 % [0.0, 52.2], 0 of 5 images',
    ]);
    expect(figures([...rows[3].cells].slice(1))).toEqual([
      'Purity of particle: 100.0 % [63.1, 100.0], 8 of 8 images',
      'Purity of scratch: 50.0 % [15.7, 84.3], 4 of 8 images',
      'Purity of void: not defined no interval, 0 of 0 images',
      undefined,
      undefined,
      'Accuracy: 63.2 % [38.4, 83.7], 12 of 19 images',
    ]);
  });

  it('arrows move between cells, Enter and a click select', async () => {
    const onselect = vi.fn();
    const { box, props } = mounted(ConfusionMatrix, {
      classes,
      matrix,
      onselect,
      selected: undefined as [number, number] | undefined,
    });
    const keys = keysOfTheApp();
    await userEvent.tab();
    expect(document.activeElement).toBe(cell(box, 0, 0));
    await userEvent.keyboard('{ArrowRight}{ArrowRight}{ArrowDown}{ArrowLeft}{Enter}');
    expect(document.activeElement).toBe(cell(box, 1, 1));
    expect(onselect.mock.calls).toEqual([[1, 1]]);
    await userEvent.keyboard('{End}{ArrowRight}{ArrowUp} ');
    expect(onselect.mock.lastCall).toEqual([0, 3]);
    await userEvent.keyboard(
      '{Control>}{End}{/Control}{Enter}{Control>}{Home}{/Control}{ArrowUp}{ArrowLeft}{Enter}',
    );
    expect(onselect.mock.calls.slice(-2)).toEqual([
      [2, 3],
      [0, 0],
    ]);
    expect(keys.filter((key) => key !== 'Control' && key !== 'Tab')).toEqual([]);
    await userEvent.click(cell(box, 2, 1));
    expect(onselect.mock.lastCall).toEqual([2, 1]);
    props.selected = [2, 1];
    flushSync();
    const chosen = box.querySelectorAll('[aria-selected=true]');
    expect([...chosen]).toEqual([cell(box, 2, 1)]);
    expect(box.querySelectorAll('[role=gridcell][tabindex="0"]')).toHaveLength(1);
  });

  it('keeps one cell to stop at when classes go', () => {
    const { box, props } = mounted(ConfusionMatrix, { classes, matrix, onselect: () => undefined });
    cell(box, 2, 3).click();
    props.classes = ['particle'];
    props.matrix = [[3, 1]];
    flushSync();
    expect(box.querySelector('[tabindex="0"]')).toBe(cell(box, 0, 1));
  });

  it.each([1, 14])('of %i classes has nothing that axe objects to', async (count) => {
    const { box } = mounted(ConfusionMatrix, {
      classes: names(count),
      matrix: large(count),
      selected: [0, count] as const,
      onselect: () => undefined,
    });
    expect(box.querySelectorAll('[role=gridcell]')).toHaveLength(count * (count + 1));
    expect(await accessibilityProblems(box)).toEqual([]);
  });

  it('60 classes scroll in their box, the focus never under the headers', async () => {
    const { box } = mounted(ConfusionMatrix, {
      classes: names(60),
      matrix: large(60),
      onselect: () => undefined,
    });
    expect(box.getBoundingClientRect().height).toBe(600);
    expect(box.scrollWidth).toBe(1000);
    const [head, side] = [table(box).rows[0].cells[1], table(box).rows[1].cells[0]];
    const end = table(box).rows[1].cells[63];
    expect([head.title, side.title]).toEqual(['a rather long defect name 0', 'a rather long defect name 0']);
    const foot = table(box).tFoot!;
    await userEvent.tab();
    for (const keys of [
      '{Control>}{End}{/Control}',
      '{ArrowUp}'.repeat(30) + '{ArrowLeft}'.repeat(40),
      '{Home}{ArrowUp}',
    ]) {
      await userEvent.keyboard(keys);
      const at = document.activeElement!.getBoundingClientRect();
      expect(at.top).toBeGreaterThanOrEqual(head.getBoundingClientRect().bottom - 1);
      expect(at.left).toBeGreaterThanOrEqual(side.getBoundingClientRect().right - 1);
      expect(at.bottom).toBeLessThanOrEqual(foot.rows[0].cells[0].getBoundingClientRect().top + 1);
      expect(at.right).toBeLessThanOrEqual(end.getBoundingClientRect().left + 1);
    }
  });
});
