import { flushSync } from 'svelte';
import { beforeEach, expect, it } from 'vitest';
import { userEvent } from 'vitest/browser';
import type { ImageId } from '../../../src/base/ids';
import type { Entry } from '../../../src/app/state/library.svelte';
import { LibraryFilter } from '../../../src/app/state/library-filter.svelte';
import LibraryPane from '../../../src/app/views/LibraryPane.svelte';
import { mounted } from '../../support/mounted.svelte';

const entry = (imageId: string, className: string): Entry =>
  ({
    imageId,
    name: `${imageId}.png`,
    role: 'inspect',
    className,
    image: { thumbnail: new Blob([]) },
  }) as unknown as Entry;

let box: HTMLElement;
let session: { selected: ImageId | undefined; filter: LibraryFilter };
const open = (entries: readonly Entry[]) => {
  const library = { entries: [...entries], pending: new Map() };
  const inspections = {
    fit: {},
    results: new Map(),
    verdict: () => 'strange' as const,
    value: () => 0.75,
  };
  const looking = Object.assign(
    { selected: 'a' as ImageId | undefined },
    { library, inspections, filter: new LibraryFilter(library, inspections) },
  );
  const made = mounted<{ session: never }>(LibraryPane, { session: looking as never });
  ({ box } = made);
  ({ session } = made.props);
};
beforeEach(() => open([entry('a', 'hole'), entry('b', 'good'), entry('c', 'hole')]));

const rows = () => [...box.querySelectorAll<HTMLElement>('[aria-label=Images] button')];

it('the list is one stop of the Tab key; up and down go through the rows that are shown', async () => {
  session.filter.text = 'hole/';
  await expect.poll(() => rows().map(({ tabIndex }) => tabIndex)).toEqual([0, -1]);
  rows()[0].focus();
  await userEvent.keyboard('{ArrowDown}');
  expect(session.selected).toBe('c');
  await userEvent.keyboard('{ArrowDown}');
  expect(session.selected).toBe('c');
  await userEvent.keyboard('{ArrowUp}');
  expect(session.selected).toBe('a');
});

it('a row says its class and its verdict', () => {
  expect(rows()[0].innerText.split(/\s+/).join(' ')).toBe('a.png hole ▲ strange 0.75');
});

it('many rows come frame by frame, and anew when others are listed', async () => {
  open(Array.from({ length: 500 }, (_, i) => entry(`n${i}`, i % 2 ? 'hole' : 'good')));
  expect(rows().length).toBeLessThan(100);
  await expect.poll(() => rows().length).toBe(500);
  session.filter.text = 'hole/';
  flushSync();
  expect(rows().length).toBeLessThan(100);
  await expect.poll(() => rows().length).toBe(250);
  expect(rows().at(-1)?.innerText).toContain('n499.png');
});
