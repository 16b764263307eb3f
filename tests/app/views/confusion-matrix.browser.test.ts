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
    const { box } = mounted(ConfusionMatrix, { classes, keys: classes, matrix, onselect: () => undefined });
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
      keys: classes,
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

  it('numbers classes by their keys; one that was deleted has none', () => {
    const { box, props } = mounted(ConfusionMatrix, {
      classes,
      keys: ['particle', 'pit', 'scratch'],
      matrix,
      onselect: () => undefined,
    });
    const [head, ...rows] = table(box).rows;
    const text = (heading: Element) => heading.textContent.replace(/\s+/g, ' ').trim();
    expect([...head.cells].slice(1, 5).map(text)).toEqual(['1particle', '3scratch', 'void', 'Unknown']);
    expect(rows.slice(0, 3).map((row) => text(row.cells[0]))).toEqual(['1particle', '3scratch', 'void']);
    props.keys = ['scratch', 'particle'];
    flushSync();
    expect(rows.slice(0, 3).map((row) => text(row.cells[0]))).toEqual(['2particle', '1scratch', 'void']);
  });

  it('keeps one cell to stop at when classes go', () => {
    const { box, props } = mounted(ConfusionMatrix, {
      classes,
      keys: classes,
      matrix,
      onselect: () => undefined,
    });
    cell(box, 2, 3).click();
    props.classes = ['particle'];
    props.matrix = [[3, 1]];
    flushSync();
    expect(box.querySelector('[tabindex="0"]')).toBe(cell(box, 0, 1));
  });

  it.each([1, 14])('of %i classes has nothing that axe objects to', async (count) => {
    const { box } = mounted(ConfusionMatrix, {
      classes: names(count),
      keys: names(count),
      matrix: large(count),
      selected: [0, count] as const,
      onselect: () => undefined,
    });
    expect(box.querySelectorAll('[role=gridcell]')).toHaveLength(count * (count + 1));
    expect(await accessibilityProblems(box)).toEqual([]);
  });

  describe('of 60 classes', () => {
    const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
    const sixty = async () => {
      const { box } = mounted(ConfusionMatrix, {
        classes: names(60),
        keys: names(60),
        matrix: large(60),
        onselect: () => undefined,
      });
      const inside = box.querySelector<HTMLElement>('.matrix')!;
      // Its size is measured in one frame and filled in the next.
      for (let i = 0; i < 3; i++) await frame();
      const drawn = (row: number, column: number) =>
        box.querySelector(`[aria-rowindex="${row + 2}"] > [role=gridcell][aria-colindex="${column + 2}"]`);
      return { box, inside, drawn };
    };
    const scrolled = (inside: HTMLElement, to: ScrollToOptions) => {
      const seen = new Promise((resolve) => inside.addEventListener('scroll', resolve, { once: true }));
      inside.scrollTo(to);
      return seen;
    };

    it('draws those near view, wherever it is scrolled, at the same place', async () => {
      const { inside, drawn } = await sixty();
      expect(inside.querySelectorAll('[role=gridcell]').length).toBeLessThan(1000);
      const size = [inside.scrollWidth, inside.scrollHeight];
      expect(drawn(0, 0)?.textContent).toBe('20');
      expect(drawn(59, 60)).toBeNull();
      await scrolled(inside, { top: 28 * 30, left: 28 * 25 });
      expect(inside.querySelectorAll('[role=gridcell]').length).toBeLessThan(1000);
      expect(drawn(0, 0)).toBeNull();
      expect(drawn(34, 34)?.textContent).toBe('20');
      const corner = inside.querySelector('thead th')!.getBoundingClientRect();
      const first = drawn(30, 25)!.getBoundingClientRect();
      expect([first.left - corner.right, first.top - corner.bottom]).toEqual([0, 0]);
      await scrolled(inside, { top: 1e5, left: 1e5 });
      expect(drawn(59, 60)).not.toBeNull();
      expect([inside.scrollWidth, inside.scrollHeight]).toEqual(size);
      const grid = inside.querySelector('table')!;
      expect([grid.ariaRowCount, grid.ariaColCount]).toEqual(['62', '64']);
    });

    it('has nothing that axe objects to, scrolled too', async () => {
      const { box, inside } = await sixty();
      await scrolled(inside, { top: 28 * 30, left: 28 * 25 });
      expect(await accessibilityProblems(box)).toEqual([]);
    });

    it('hands the focus to the nearest cell when its own is scrolled away', async () => {
      const { inside, drawn } = await sixty();
      await userEvent.tab();
      expect(document.activeElement).toBe(drawn(0, 0));
      await scrolled(inside, { top: 28 * 30 });
      const at = Number(document.activeElement!.parentElement!.ariaRowIndex) - 2;
      expect(at).toBeGreaterThan(20);
      expect(inside.querySelectorAll('[role=gridcell][tabindex="0"]')).toHaveLength(1);
      await userEvent.keyboard('{ArrowDown}');
      expect(document.activeElement).toBe(drawn(at + 1, 0));
    });

    it('scrolls in its box, the focus never under the headers', async () => {
      const { box, inside, drawn } = await sixty();
      expect(box.getBoundingClientRect().height).toBe(600);
      expect(box.scrollWidth).toBe(1000);
      await userEvent.tab();
      for (const [keys, row, column] of [
        ['{Control>}{End}{/Control}', 59, 60],
        ['{ArrowUp}'.repeat(30) + '{ArrowLeft}'.repeat(40), 29, 20],
        ['{Home}{ArrowUp}', 28, 0],
        ['{End}', 28, 60],
        ['{Control>}{Home}{/Control}', 0, 0],
      ] as const) {
        await userEvent.keyboard(keys);
        expect(document.activeElement).toBe(drawn(row, column));
        const at = document.activeElement!.getBoundingClientRect();
        const rect = (name: string) => inside.querySelector(name)!.getBoundingClientRect();
        expect(at.top).toBeGreaterThanOrEqual(rect('thead th').bottom - 1);
        expect(at.left).toBeGreaterThanOrEqual(rect('tbody th').right - 1);
        expect(at.bottom).toBeLessThanOrEqual(rect('tfoot th').top + 1);
        expect(at.right).toBeLessThanOrEqual(rect('tbody .end').left + 1);
      }
    });
  });
});
