import { describe, expect, it } from 'vitest';
import { AppError } from '../../src/base/errors';
import { parseLabels, writeLabels } from '../../src/exchange/labels-csv';

const rows = (text: string) =>
  parseLabels(text, 'labels.csv').map(({ name, className }) => [name, className]);

describe('a label file', () => {
  it.each([
    ['a title line', 'image,class\na.png,bridge\nb.png,hole\n'],
    ['none', 'a.png,bridge\nb.png,hole'],
    [
      'semicolons, a byte order mark and Windows line ends',
      '\uFEFFfile;class\r\na.png;bridge\r\nb.png;hole\r\n\r\n',
    ],
    ['tabs', 'name\tclass\na.png\tbridge\nb.png\thole'],
    ['spaces around', 'a.png , bridge\n b.png, hole '],
  ])('%s', (_title, text) => {
    expect(rows(text)).toEqual([
      ['a.png', 'bridge'],
      ['b.png', 'hole'],
    ]);
  });

  it('reads what it writes, commas and quotes in names too', () => {
    const labels = [
      { name: 'a, "b".png', className: 'line; end' },
      { name: 'c.png', className: 'hole' },
    ];
    expect(parseLabels(writeLabels(labels), 'labels.csv')).toEqual(labels);
    expect(writeLabels(labels)).toContain('"a, ""b"".png","line; end"\r\n');
  });

  it('an empty class takes a label away', () => expect(rows('a.png,')).toEqual([['a.png', '']]));

  it.each([
    ['three columns', 'a.png,bridge\nb.png,hole,7', 'exchange/labels', 'line 2 of labels.csv'],
    ['one column', 'a.png', 'exchange/labels', 'line 1 of labels.csv'],
    ['no image', ',bridge', 'exchange/labels', 'line 1'],
    ['nothing', ' \n\n', 'exchange/empty', 'labels.csv has no lines'],
  ])('%s is refused with the line', (_title, text, code, message) => {
    const failing = () => parseLabels(text, 'labels.csv');
    expect(failing).toThrow(AppError);
    expect(failing).toThrow(message);
    expect(failing).toThrow(expect.objectContaining({ code }) as Error);
  });
});
