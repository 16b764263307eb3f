import { describe, expect, it } from 'vitest';
import { userEvent } from 'vitest/browser';
import ClassTable from '../../../src/app/views/ClassTable.svelte';
import { classReport } from '../../../src/metrics/class-report';
import { accessibilityProblems, mounted } from '../../support/mounted.svelte';

const classes = ['particle', 'scratch', 'void', 'pit'];
// particle 3 of 4, scratch 2 of 2 and one too many, void 0 of 1, no pit.
const actual = [0, 0, 0, 0, 1, 1, 2];
const predicted = [0, 0, 0, 1, 1, 1, 4];
const trained = [120, 40, 5, 5];

const text = (node: Element) => node.textContent.replace(/\s+/g, ' ').trim();
const body = (box: HTMLElement) =>
  [...box.querySelectorAll('tbody tr')].map((row) => [...row.children].map(text));
const order = (box: HTMLElement) => body(box).map(([name]) => name);
const sort = (box: HTMLElement, title: string) =>
  userEvent.click(
    [...box.querySelectorAll('thead button')].find((button) => text(button).startsWith(title))!,
  );

describe('ClassTable', () => {
  it('has the figures of each class with N and interval', () => {
    const { box } = mounted(ClassTable, {
      classes,
      keys: classes,
      report: classReport(actual, predicted, trained),
    });
    expect(body(box)).toEqual([
      [
        '1particle',
        '4',
        '75.0 [19.4, 99.4]',
        '75.0 [19.4, 99.4]',
        '100.0 [29.2, 100.0]',
        '85.7',
        '120',
        'head',
      ],
      [
        '2scratch',
        '2',
        '100.0 [15.8, 100.0]',
        '100.0 [15.8, 100.0]',
        '66.7 [9.4, 99.2]',
        '80.0',
        '40',
        'middle',
      ],
      ['3void', '1', '0.0 [0.0, 97.5]', 'no image', 'no image', '0.0', '5', 'tail'],
      ['4pit', '0', 'no image', 'no image', 'no image', '0.0', '5', 'tail'],
    ]);
    expect(box.querySelector('tbody td[title]')!.getAttribute('title')).toBe('3 of 4 images');
  });

  it('has macro rows, groups and kappa, and says what they leave out', () => {
    const { box } = mounted(ClassTable, {
      classes,
      keys: classes,
      report: classReport(actual, predicted, trained),
    });
    const foot = [...box.querySelectorAll('tfoot tr')].map((row) => [...row.children].map(text));
    expect(foot[0].slice(0, 2)).toEqual(['Macro, 3 classes', '7']);
    expect(foot[0].map((cell) => /^\d+\.\d(?= \[\d+\.\d, \d+\.\d\]$)/.exec(cell)?.[0])).toEqual([
      undefined,
      undefined,
      '58.3',
      undefined,
      '55.6',
      '55.2',
      undefined,
    ]);
    expect(foot.slice(1).map((row) => row.slice(0, 3))).toEqual([
      ['Macro of the head, 1 class', '', '75.0'],
      ['Macro of the middle, 1 class', '', '100.0'],
      ['Macro of the tail, 1 class', '', '0.0'],
    ]);
    expect(text(box)).toMatch(/Accuracy 71\.4 % \[29\.0, 96\.3\], 5 of 7 images/);
    expect(text(box)).toMatch(/Unknown 14\.3 % \[0\.4, 57\.9\], 1 of 7 images/);
    expect(text(box)).toMatch(/kappa 0\.548 \[-?0\.\d{3}, 1\.000\]/);
    expect(text(box)).toContain('Macro figures leave out 1 class without an image.');
  });

  it('sorts by a column, the weakest first, and back', async () => {
    const { box } = mounted(ClassTable, {
      classes,
      keys: classes,
      report: classReport(actual, predicted, trained),
    });
    await sort(box, 'Recall');
    expect(order(box)).toEqual(['4pit', '3void', '1particle', '2scratch']);
    expect(box.querySelector('[aria-sort=ascending]')!.textContent).toContain('Recall');
    await sort(box, 'Recall');
    expect(order(box)).toEqual(['2scratch', '1particle', '3void', '4pit']);
    await sort(box, 'Class');
    expect(order(box)).toEqual(['1particle', '4pit', '2scratch', '3void']);
    await sort(box, 'Group');
    expect(order(box)).toEqual(['1particle', '2scratch', '3void', '4pit']);
  });

  it('leaves out what tells nothing: the classified where all are, groups where there is one', () => {
    const { box } = mounted(ClassTable, {
      classes: ['particle', 'scratch'],
      keys: ['scratch', 'pit', 'particle'],
      report: classReport([0, 1], [0, 1], [5, 5]),
    });
    const titles = [...box.querySelectorAll('thead th')].map(text);
    expect(titles).toEqual(['Class', 'N', 'Recall', 'Purity', 'F1', 'Taught']);
    // By their keys.
    expect(order(box)).toEqual(['3particle', '1scratch']);
    expect(box.querySelectorAll('tfoot tr')).toHaveLength(1);
    expect(text(box)).not.toMatch(/Head|thirds/);
    expect(text(box.querySelector('tfoot')!)).toContain('100.0 no interval');
  });

  it.each([1, 14])('of %i classes has nothing that axe objects to', async (count) => {
    const names = Array.from({ length: count }, (_, i) => `class ${i}`);
    const each = Array.from({ length: 6 * count }, (_, i) => i % count);
    const said = each.map((c, i) => (i % 5 ? c : count));
    const report = classReport(each, said, names.map((_, i) => 150 - 10 * i)); // prettier-ignore
    const { box } = mounted(ClassTable, { classes: names, keys: names, report });
    expect(box.querySelectorAll('tbody tr')).toHaveLength(count);
    expect(await accessibilityProblems(box)).toEqual([]);
  });
});
